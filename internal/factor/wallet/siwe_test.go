package wallet

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

// then is when the messages of these tests are made.
var then = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// fields are a message by EIP-4361 as the vectors write it.
type fields struct {
	Scheme, Domain, Address, Statement, URI, Version string
	ChainID                                          any `json:"chainId"`
	Nonce, IssuedAt, ExpirationTime, NotBefore       string
	RequestID                                        *string `json:"requestId"`
	Resources                                        []string
	Signature, Time, MatchNonce, DomainBinding       string
}

// message is the text of fields, written apart from the product.
func (f *fields) message() string {
	scheme := ""
	if f.Scheme != "" {
		scheme = f.Scheme + "://"
	}
	lines := []string{scheme + f.Domain + " wants you to sign in with your Ethereum account:", f.Address, ""}
	if f.Statement != "" {
		lines = append(lines, f.Statement)
	}
	lines = append(lines, "", "URI: "+f.URI, "Version: "+f.Version, fmt.Sprintf("Chain ID: %v", f.ChainID), "Nonce: "+f.Nonce, "Issued At: "+f.IssuedAt)
	if f.ExpirationTime != "" {
		lines = append(lines, "Expiration Time: "+f.ExpirationTime)
	}
	if f.NotBefore != "" {
		lines = append(lines, "Not Before: "+f.NotBefore)
	}
	if f.RequestID != nil {
		lines = append(lines, "Request ID: "+*f.RequestID)
	}
	if f.Resources != nil {
		lines = append(lines, "Resources:")
	}
	for _, r := range f.Resources {
		lines = append(lines, "- "+r)
	}
	return strings.Join(lines, "\n")
}

// parseMessage takes a message apart, strictly in its order.
func parseMessage(text string) (f *fields, err error) {
	f = &fields{}
	lines := strings.Split(text, "\n")
	next := func() string {
		if len(lines) == 0 {
			err = fmt.Errorf("the message ends early")
			return ""
		}
		line := lines[0]
		lines = lines[1:]
		return line
	}
	labelled := func(label string, optional bool) (value string, found bool) {
		if optional && (len(lines) == 0 || !strings.HasPrefix(lines[0], label)) {
			return "", false
		}
		value, found = strings.CutPrefix(next(), label)
		if !found && err == nil {
			err = fmt.Errorf("no %q", label)
		}
		return value, found
	}
	first, ok := strings.CutSuffix(next(), " wants you to sign in with your Ethereum account:")
	if !ok {
		return f, fmt.Errorf("no first line")
	}
	if scheme, rest, found := strings.Cut(first, "://"); found {
		f.Scheme, first = scheme, rest
	}
	f.Domain, f.Address = first, next()
	if next() != "" {
		return f, fmt.Errorf("no blank line")
	}
	if f.Statement = next(); f.Statement != "" && next() != "" {
		return f, fmt.Errorf("the statement has two lines")
	}
	f.URI, _ = labelled("URI: ", false)
	f.Version, _ = labelled("Version: ", false)
	chain, _ := labelled("Chain ID: ", false)
	f.ChainID = chain
	f.Nonce, _ = labelled("Nonce: ", false)
	f.IssuedAt, _ = labelled("Issued At: ", false)
	f.ExpirationTime, _ = labelled("Expiration Time: ", true)
	f.NotBefore, _ = labelled("Not Before: ", true)
	if requestID, found := labelled("Request ID: ", true); found {
		f.RequestID = &requestID
	}
	if _, found := labelled("Resources:", true); found {
		f.Resources = []string{}
	}
	for f.Resources != nil && len(lines) > 0 {
		r, _ := labelled("- ", false)
		f.Resources = append(f.Resources, r)
	}
	if err == nil && len(lines) > 0 {
		err = fmt.Errorf("something follows: %q", lines[0])
	}
	return f, err
}

// check judges the fields by the product's own rules for those it takes from
// clients, and by EIP-4361 for those it makes.
func (f *fields) check() error {
	w, err := parseWallet("ethereum", f.Address)
	if err != nil {
		return err
	}
	nonce := len(f.Nonce) >= 8 && strings.Trim(f.Nonce, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
	if w.address != f.Address || f.Version != "1" || !nonce || f.IssuedAt == "" {
		return fmt.Errorf("address, version or nonce")
	}
	p := siweParams{
		Domain: f.Domain, URI: f.URI, Resources: f.Resources, ChainID: fmt.Sprint(f.ChainID), Statement: f.Statement,
		IssuedAt: f.IssuedAt, NotBefore: f.NotBefore,
	}
	if f.RequestID != nil {
		p.MessageRequestID = *f.RequestID
	}
	if _, err := instant("expiration_time", f.ExpirationTime); err != nil {
		return err
	}
	_, err = p.understood(asServer())
	return err
}

func asServer() context.Context {
	return project.WithCaller(context.Background(), &project.Caller{Env: &project.Environment{Kind: id.Test}})
}

func TestVectorsOfMessages(t *testing.T) {
	var positive map[string]struct {
		Message string
		Fields  fields
	}
	vectors(t, &positive, "siwe", "parsing_positive.json")
	for name, v := range positive {
		f, err := parseMessage(v.Message)
		if err == nil {
			err = f.check()
		}
		if err != nil || f.message() != v.Message || v.Fields.message() != v.Message {
			t.Errorf("%s: %v", name, err)
		}
	}
	var negative map[string]string
	vectors(t, &negative, "siwe", "parsing_negative.json")
	for name, text := range negative {
		f, err := parseMessage(text)
		if err == nil {
			err = f.check()
		}
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	var objects map[string]fields
	vectors(t, &objects, "siwe", "parsing_negative_objects.json")
	for name, f := range objects {
		if f.ChainID == nil {
			f.ChainID = "missing"
		}
		if err := f.check(); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if len(positive) != 19 || len(negative) < 29 || len(objects) != 18 {
		t.Errorf("%d, %d and %d vectors", len(positive), len(negative), len(objects))
	}
}

// TestVectorsOfVerification checks signatures and times the way a login does.
func TestVectorsOfVerification(t *testing.T) {
	for file, want := range map[string]bool{"verification_positive.json": true, "verification_negative.json": false} {
		var list map[string]fields
		vectors(t, &list, "siwe", file)
		for name, f := range list {
			if (f.MatchNonce != "" && f.MatchNonce != f.Nonce) || (f.DomainBinding != "" && f.DomainBinding != f.Domain) {
				continue // nonce and domain are ours here, and not sent back
			}
			if ok := verifies(t, &f); ok != want {
				t.Errorf("%s: %v", name, ok)
			}
		}
	}
}

func verifies(t *testing.T, f *fields) bool {
	t.Helper()
	if f.ChainID == nil {
		f.ChainID = 1
	}
	w, err := parseWallet("ethereum", f.Address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := parseSignature("ethereum", f.Signature)
	if err != nil || f.check() != nil || !w.signed(f.message(), s) {
		return false
	}
	c := challenge{siwe: &siwe{}}
	if f.ExpirationTime == "" {
		f.ExpirationTime = "9999-01-01T00:00:00Z"
	}
	if f.Time == "" {
		f.Time = then.Format(time.RFC3339)
	}
	if c.expires, err = instant("", f.ExpirationTime); err != nil {
		t.Fatal(err)
	}
	if c.validFrom, err = instant("", f.NotBefore); err != nil {
		t.Fatal(err)
	}
	at, err := instant("", f.Time)
	return err == nil && c.open(at) == nil
}

// The text is the one that viem writes, down to the byte.
func TestTheTextIsTheOneOthersWrite(t *testing.T) {
	var file struct {
		Vectors []struct {
			Fields  fields
			Message string
		}
	}
	vectors(t, &file, "siwe-generated.json")
	same := 0
	for _, v := range file.Vectors {
		f := v.Fields
		if f.ExpirationTime == "" || f.NotBefore == "" {
			continue // all messages here have both
		}
		p := siweParams{Domain: f.Domain, URI: f.URI, Resources: f.Resources, ChainID: fmt.Sprint(f.ChainID), Statement: f.Statement, IssuedAt: f.IssuedAt, NotBefore: f.NotBefore}
		if f.RequestID != nil {
			p.MessageRequestID = *f.RequestID
		}
		m, err := p.understood(asServer())
		if err != nil {
			t.Fatal(err)
		}
		expires, err := time.Parse(time.RFC3339, f.ExpirationTime)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.text(f.Address, f.Nonce, expires); got != v.Message {
			t.Errorf("wrote\n%s\nnot\n%s", got, v.Message)
		}
		same++
	}
	if same < 5 {
		t.Errorf("%d messages were compared", same)
	}
}

func TestFieldsOfMessages(t *testing.T) {
	good := siweParams{Domain: "example.com", URI: "https://example.com"}
	long := strings.Repeat("a", maxText)
	type try struct {
		verdict string
		edit    func(*siweParams, string)
		good    []string
		bad     []string
	}
	uris := []string{"https://example.com", "https://example.com/a/b?c=d&e#f", "did:example:123", "ipfs://Qme7ss3", "urn:isbn:0451450523", "mailto:a@example.com", "https://[::1]:8080/", "file:///etc", "http://a%20b/%C3%A9", "a:", "https://example.com/" + strings.Repeat("a", maxText-20)}
	notURIs := []string{"example.com", "/path", "//example.com", "https://exa mple.com", "https://example.com/\n", "https://bücher.example", "1https://x", "https://x/%zz", "https://x/#a#b", "https://[::1", "https://[gg]/", "https://x/|", "https://" + long, "ht\ttps://x", "https://x/\"", "https://x:port/"}
	for _, try := range []try{
		{"invalid_siwe_domain", func(p *siweParams, s string) { p.Domain = s },
			[]string{"example.com", "localhost", "localhost:3000", "127.0.0.1:8080", "[::1]:3000", "user@example.com", "xn--bcher-kva.example", "a.b.c.d", "example.com:", long},
			[]string{"", "https://example.com", "example.com/", "example.com/path", "exa mple.com", "bücher.example", "example.com\n", "example.com:x", "a@b@c", "[::1", "[fe80::1%25eth0]", "#x", "?", "[1.2.3.4]", long + "a"}},
		{"invalid_siwe_uri", func(p *siweParams, s string) { p.URI = s }, uris, append(notURIs, "")},
		{"invalid_siwe_resource", func(p *siweParams, s string) { p.Resources = []string{"https://ok.example", s} }, uris, append(notURIs, "")},
		{"invalid_siwe_chain_id", func(p *siweParams, s string) { p.ChainID = s },
			[]string{"", "1", "10", "137", "8453", "11155111", strconv.FormatUint(maxChainID-1, 10), strconv.FormatUint(maxChainID, 10)},
			[]string{"0", "-1", "+1", "01", "1.0", "1e3", "0x1", " 1", "1 ", "x", strconv.FormatUint(maxChainID+1, 10), "18446744073709551616", "１"}},
		{"invalid_siwe_statement", func(p *siweParams, s string) { p.Statement = s },
			[]string{"", "I accept the Terms: https://example.com/tos", "-._~:/?#[]@!$&'()*+,;= ok", long},
			[]string{"a\nb", "a\tb", "a\rb", "\n", "é", "🦊", "a\"b", "50%", "a<b", "a\\b", "a\x00b", "a\u2028b", "a{b}", "a\x7fb", long + "a"}},
		{"invalid_siwe_message_request_id", func(p *siweParams, s string) { p.MessageRequestID = s },
			[]string{"", "some_id", "a:b@c", "%41", "!$&'()*+,;=", long},
			[]string{"a b", "a/b", "a?b", "a#b", "[a]", "%4", "é", "a\nb", long + "a"}},
	} {
		for _, s := range try.good {
			p := good
			try.edit(&p, s)
			if m, err := p.understood(asServer()); err != nil {
				t.Errorf("%s %.60q: %v", try.verdict, s, err)
			} else if f, err := parseMessage(dated(m).text(checksummedAddresses[0], "12345678", then)); err != nil || f.check() != nil {
				t.Errorf("%.60q makes a message that nobody reads: %v", s, err)
			}
		}
		for _, s := range try.bad {
			p := good
			try.edit(&p, s)
			if _, err := p.understood(asServer()); apierr.From(err) == nil || apierr.From(err).Type != try.verdict || apierr.From(err).Status != 400 {
				t.Errorf("%s %.60q: %v", try.verdict, s, err)
			}
		}
	}
	for n, ok := range map[int]bool{0: true, maxResources: true, maxResources + 1: false} {
		p := good
		for range n {
			p.Resources = append(p.Resources, "https://example.com")
		}
		if _, err := p.understood(asServer()); (err == nil) != ok {
			t.Errorf("%d resources: %v", n, err)
		}
	}
}

// dated fills in what a message that is made has.
func dated(m *siwe) *siwe {
	if m.IssuedAt.IsZero() {
		m.IssuedAt = then
	}
	if m.notBefore.IsZero() {
		m.notBefore = then
	}
	return m
}

func TestInstants(t *testing.T) {
	for text, want := range map[string]string{
		"2026-01-31T12:00:00Z": "2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.123456789Z": "2026-01-31T12:00:00.123Z",
		"2026-01-31T12:00:00+02:00": "2026-01-31T10:00:00.000Z", "": "0001-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z": "1970-01-01T00:00:00.000Z",
		"9999-12-31T23:59:59Z": "9999-12-31T23:59:59.000Z",
	} {
		if got, err := instant("x", text); err != nil || got.Format(siweTime) != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"x", "2026-01-31", "2026-01-31 12:00:00Z", "2026-02-30T12:00:00Z", "2026-01-31T25:00:00Z", "2026-01-31T12:00:00", "2026-01-31T12:00:00,5Z", "0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00", "Wed Oct 05 2011 16:48:00 GMT+0200"} {
		if _, err := instant("issued_at", bad); apierr.From(err) == nil || apierr.From(err).Type != "bad_request" || !strings.Contains(apierr.From(err).Message, "siwe_params.issued_at") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Wallets compare the domain with the page they are on. A page has its own, an
// app one that the environment allows: with any other, another site could have
// its visitors sign in here.
func TestSecurity56DomainsOfPagesAndApps(t *testing.T) {
	env := &project.Environment{Kind: id.Live}
	env.Config.SDK.Basic.Domains = []string{"https://app.example.com", "https://*.example.org:8443"}
	for _, try := range []struct{ origin, said, uri, want string }{
		{"https://app.example.com", "evil.example", "", "app.example.com"},
		{"https://app.example.com", "", "https://evil.example/", "app.example.com"},
		{"http://localhost:3000", "", "", "localhost:3000"},
		{"", "evil.example", "https://app.example.com/login", "app.example.com"},
		{"", "", "https://APP.example.com:444/x?y", "APP.example.com:444"},
		{"", "", "https://a.example.org", "a.example.org"},
		{"", "app.example.com", "https://evil.example/", ""},
		{"", "app.example.com", "https://evil.example@app.example.com/", ""},
		{"", "app.example.com", "https://app.example.com@evil.example/", ""},
		{"", "app.example.com", "https://app.example.com:x@evil.example/", ""},
		{"", "app.example.com", "https://app.example.com.evil.example", ""},
		{"", "app.example.com", "https://evilapp.example.com", ""},
		{"", "app.example.com", "myapp://login", ""},
		{"", "app.example.com", "did:x", ""},
		{"", "app.example.com", "", ""},
	} {
		ctx := project.WithCaller(context.Background(), &project.Caller{Env: env, Browser: true, Origin: try.origin})
		p := siweParams{Domain: try.said, URI: try.uri}
		m, err := p.understood(ctx)
		if try.want == "" {
			if e := apierr.From(err); e == nil || e.Type != "invalid_siwe_domain" {
				t.Errorf("%+v: %v", try, err)
			}
			continue
		}
		if err != nil || m.Domain != try.want {
			t.Errorf("%+v: %v, %v", try, m, err)
		}
		if try.uri == "" && m.URI != try.origin {
			t.Errorf("%+v: the URI is %s", try, m.URI)
		}
	}
}

// A message that says nothing else is valid from now on, by everybody's clock.
func TestMessagesAreValidAtOnce(t *testing.T) {
	env := &project.Environment{Kind: id.Test}
	r := &request{caller: &project.Caller{Env: env}, wallet: wallet{ethereumChain, checksummedAddresses[0]}, siwe: &siwe{}}
	c := r.challenge(then)
	if err := c.open(then.Add(-time.Minute)); err != nil || !c.siwe.IssuedAt.Equal(then) || r.siwe.IssuedAt.Equal(then) {
		t.Errorf("%+v, %v", c, err)
	}
	if again := r.challenge(then.Add(time.Second)); !again.siwe.IssuedAt.Equal(then.Add(time.Second)) || again.message == c.message {
		t.Errorf("made again: %+v", again)
	}
	r.siwe.notBefore = then.Add(time.Second)
	if err := r.challenge(then).open(then); apierr.From(err) != errEarly {
		t.Errorf("before its time: %v", err)
	}
}

func TestContentIsKeptAsItWas(t *testing.T) {
	m := &siwe{Domain: "a", URI: "b:", ChainID: "1", Resources: []string{"c:"}, IssuedAt: time.UnixMilli(1_700_000_000_123).UTC(), MessageRequestID: "d"}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var back siwe
	if err := json.Unmarshal(text, &back); err != nil || !back.IssuedAt.Equal(m.IssuedAt) || back.Domain != "a" || back.Resources[0] != "c:" || back.MessageRequestID != "d" {
		t.Errorf("%s: %+v, %v", text, back, err)
	}
}
