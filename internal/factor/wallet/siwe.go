package wallet

import (
	"context"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/wire"
)

var (
	errDomain       = apierr.New(400, "invalid_siwe_domain", "siwe_params.domain must be the host, and perhaps the port, of the page that asks for the signature (an RFC 3986 authority), such as app.example.com.")
	errURI          = apierr.New(400, "invalid_siwe_uri", "siwe_params.uri must be a URI (RFC 3986), such as https://app.example.com/login.")
	errChainID      = apierr.New(400, "invalid_siwe_chain_id", "siwe_params.chain_id must be a number from 1 to 9223372036854775771, written as text without leading zeros.")
	errStatement    = apierr.New(400, "invalid_siwe_statement", "siwe_params.statement has characters that such a message may not have. Use ASCII letters, digits, spaces and -._~:/?#[]@!$&'()*+,;= in one line.")
	errResource     = apierr.New(400, "invalid_siwe_resource", "Every entry of siwe_params.resources must be a URI (RFC 3986), and there can be 32.")
	errMessageID    = apierr.New(400, "invalid_siwe_message_request_id", "siwe_params.message_request_id has characters that it may not have. Use ASCII letters, digits and -._~!$&'()*+,;=:@.")
	errIncompatible = apierr.New(400, "crypto_wallet_type_incompatible_with_siwe", "siwe_params are for Ethereum wallets only. Leave them out for wallets of another type.")
)

// siweParams is what a request says about the message to sign (contract.json,
// SIWEParams). Behind the browser's door the domain is that of the page.
type siweParams struct {
	Domain           string   `json:"domain" door:"server" description:"Required: host and port of the page that asks for the signature."`
	URI              string   `json:"uri" description:"Required of servers: what the sign-in is for. Of pages: their origin when left out."`
	Resources        []string `json:"resources" description:"URIs that the message lists."`
	ChainID          string   `json:"chain_id" description:"EIP-155 chain id, 1 when left out."`
	Statement        string   `json:"statement" description:"A sentence that people read before they sign."`
	IssuedAt         string   `json:"issued_at" format:"date-time" description:"Now when left out."`
	NotBefore        string   `json:"not_before" format:"date-time" description:"Now when left out."`
	MessageRequestID string   `json:"message_request_id" description:"Your own name of the request."`
}

// siwe is the content of a message that was understood.
type siwe struct {
	Domain           string    `json:"domain"`
	URI              string    `json:"uri"`
	ChainID          string    `json:"chain_id"`
	Resources        []string  `json:"resources"`
	IssuedAt         time.Time `json:"issued_at"`
	MessageRequestID string    `json:"message_request_id,omitempty"`
	statement        string
	notBefore        time.Time
}

const (
	// maxText bounds every text of a message, in bytes, and maxResources the list.
	maxText      = 2048
	maxResources = 32
	// maxChainID is where EIP-2294 draws the line.
	maxChainID = 9223372036854775771
)

// understood checks every field and fills in what was left out, but for instants.
func (p *siweParams) understood(ctx context.Context) (*siwe, error) {
	m := &siwe{
		URI: p.URI, ChainID: p.ChainID, Resources: p.Resources, MessageRequestID: p.MessageRequestID, statement: p.Statement,
	}
	var err error
	if m.Domain, err = p.domain(project.CallerFrom(ctx)); err != nil {
		return nil, err
	}
	if origin := project.CallerFrom(ctx).Origin; m.URI == "" && origin != "" {
		m.URI = origin
	}
	if m.ChainID == "" {
		m.ChainID = "1"
	}
	if m.Resources == nil {
		m.Resources = []string{}
	}
	if m.IssuedAt, err = instant("issued_at", p.IssuedAt); err != nil {
		return nil, err
	}
	if m.notBefore, err = instant("not_before", p.NotBefore); err != nil {
		return nil, err
	}
	return m, m.check()
}

// domain is whom the wallet shows as asking for the signature. Wallets compare
// it with the page they are on, so that nobody has people sign in to one site
// on another: behind the browser's door it is where the page is, whatever the
// page says, and an app's must be one that the environment allows.
func (p *siweParams) domain(caller *project.Caller) (string, error) {
	if !caller.Browser {
		return p.Domain, nil
	}
	if _, authority, ok := strings.Cut(caller.Origin, "://"); ok {
		return authority, nil
	}
	_, rest, _ := strings.Cut(p.URI, "://")
	authority := strings.TrimRight(rest[:strings.IndexAny(rest+"/", "/?#")], ":")
	host := authority
	if at := strings.LastIndexByte(host, ':'); at >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:at]
	}
	// Of allowed:x@host the part before the colon is no host.
	if strings.Contains(authority, "@") || !caller.Env.AllowsHost(strings.ToLower(strings.Trim(host, "[]"))) {
		return "", errDomain.WithMessage("The host of siwe_params.uri is not one of the authorised domains of this environment. Authorise it, or send another URI.")
	}
	return authority, nil
}

func (m *siwe) check() error {
	switch {
	case !isAuthority(m.Domain):
		return errDomain
	case !isURI(m.URI):
		return errURI
	case !isChainID(m.ChainID):
		return errChainID
	case len(m.statement) > maxText || !statementForm.MatchString(m.statement):
		return errStatement
	case len(m.MessageRequestID) > maxText || !pcharsForm.MatchString(m.MessageRequestID):
		return errMessageID
	case len(m.Resources) > maxResources:
		return errResource
	}
	for _, r := range m.Resources {
		if !isURI(r) {
			return errResource
		}
	}
	return nil
}

// siweTime is how the message writes an instant (RFC 3339).
const siweTime = "2006-01-02T15:04:05.000Z"

// text is the message (EIP-4361).
func (m *siwe) text(address, nonce string, expires time.Time) string {
	var b strings.Builder
	b.WriteString(m.Domain + " wants you to sign in with your Ethereum account:\n" + address + "\n\n")
	if m.statement != "" {
		b.WriteString(m.statement + "\n")
	}
	b.WriteString("\nURI: " + m.URI + "\nVersion: 1\nChain ID: " + m.ChainID + "\nNonce: " + nonce)
	b.WriteString("\nIssued At: " + m.IssuedAt.Format(siweTime))
	b.WriteString("\nExpiration Time: " + expires.Format(siweTime))
	b.WriteString("\nNot Before: " + m.notBefore.Format(siweTime))
	if m.MessageRequestID != "" {
		b.WriteString("\nRequest ID: " + m.MessageRequestID)
	}
	if len(m.Resources) > 0 {
		b.WriteString("\nResources:")
	}
	for _, r := range m.Resources {
		b.WriteString("\n- " + r)
	}
	return b.String()
}

// rfc3339 is stricter than the parser, which takes a comma for a point.
var rfc3339 = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$`)

// instant reads an instant, zero where there is none.
func instant(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || !rfc3339.MatchString(text) || t.UTC().Year() < 1970 || t.UTC().Year() > 9999 {
		return t, wire.BadRequest("siwe_params.%s must be an instant as RFC 3339 writes it, such as 2026-01-31T12:00:00Z.", field)
	}
	return t.UTC().Truncate(time.Millisecond), nil
}

// The character classes of RFC 3986.
const (
	unreserved = `A-Za-z0-9\-._~`
	subDelims  = `!$&'()*+,;=`
	genDelims  = `:/?#\[\]@`
	encoded    = `%[0-9A-Fa-f]{2}`
	pchar      = `(?:[` + unreserved + subDelims + `:@]|` + encoded + `)`
)

var (
	statementForm = regexp.MustCompile(`^[` + unreserved + subDelims + genDelims + ` ]*$`)
	pcharsForm    = regexp.MustCompile(`^` + pchar + `*$`)
	authorityForm = regexp.MustCompile(`^(?:(?:[` + unreserved + subDelims + `:]|` + encoded + `)*@)?(\[[^\]]*\]|(?:[` + unreserved + subDelims + `]|` + encoded + `)+)(?::[0-9]*)?$`)
	uriForm       = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.\-]*:(?://([^/?#]*)((?:/` + pchar + `*)*)|/?(?:` + pchar + `+(?:/` + pchar + `*)*)?)(?:\?(?:` + pchar + `|[/?])*)?(?:#(?:` + pchar + `|[/?])*)?$`)
)

// isAuthority reports whether s is an authority with a host (RFC 3986, section
// 3.2).
func isAuthority(s string) bool {
	parts := authorityForm.FindStringSubmatch(s)
	if len(s) > maxText || parts == nil {
		return false
	}
	literal, ok := strings.CutPrefix(parts[1], "[")
	if !ok {
		return true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(literal, "]"))
	return err == nil && a.Is6() && a.Zone() == ""
}

// isURI reports whether s is a URI (RFC 3986, section 3).
func isURI(s string) bool {
	parts := uriForm.FindStringSubmatch(s)
	return len(s) <= maxText && parts != nil && (parts[1] == "" || isAuthority(parts[1]))
}

func isChainID(s string) bool {
	n, err := strconv.ParseUint(s, 10, 64)
	return err == nil && n >= 1 && n <= maxChainID && strconv.FormatUint(n, 10) == s
}
