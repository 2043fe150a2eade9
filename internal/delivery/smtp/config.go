package smtp

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/emersion/go-msgauth/dkim"

	"gatehouse/internal/apierr"
)

var errInvalid = apierr.New(400, "invalid_sender", "The settings of the sender are not valid. Check them and try again.")

// How a connection is protected.
const (
	StartTLS = "starttls" // plain at first, then TLS, which is required: the default
	TLS      = "tls"      // TLS from the first byte
	None     = "none"     // no protection: to a server on this machine
)

// Config says how mail leaves. Its JSON holds DKIM's private key, so whoever
// stores one seals it; the password is not in it and is handed in apart.
type Config struct {
	Host           string `json:"host"`                      // name or address of the server
	Port           int    `json:"port,omitempty"`            // 0: 587, with "tls" 465, with "none" 25
	Security       string `json:"security,omitempty"`        // "starttls", "tls" or "none"; "" is "starttls"
	AllowPlaintext bool   `json:"allow_plaintext,omitempty"` // allow "none" to other machines than this one
	Username       string `json:"username,omitempty"`        // "": no authentication
	Password       string `json:"-"`
	From           string `json:"from"`                      // an address: what an envelope's From leaves open
	FromName       string `json:"from_name,omitempty"`       // shown when the template names nobody; "": the project's name
	Hello          string `json:"hello,omitempty"`           // how this client calls itself; "": the domain of From
	DKIM           *DKIM  `json:"dkim,omitempty"`            // nil: the server signs, or nobody does
	MaxConnections int    `json:"max_connections,omitempty"` // at the same time; 0: 8
	TimeoutSeconds int    `json:"timeout_seconds,omitempty"` // for one message, waiting for a connection included; 0: 30

	// Now tells the age of connections that wait. Without it they are replaced
	// only when they turn out to be dead.
	Now func() time.Time `json:"-"`

	roots *x509.CertPool // nil: those of the system
}

// DKIM signs what is sent (RFC 6376), relaxed/relaxed.
type DKIM struct {
	Domain     string `json:"domain"`
	Selector   string `json:"selector"`              // the key is published at <selector>._domainkey.<domain>
	PrivateKey string `json:"private_key,omitempty"` // PEM: PKCS #8 or PKCS #1, RSA (1024 bits and more) or Ed25519
}

// Check returns invalid_sender with a message that names the first fault, or
// nil. It asks nobody: see Verify.
func (c *Config) Check() error {
	_, err := New(*c)
	return err
}

// The bounds of the settings.
const (
	mostConnections = 100
	longestTimeout  = 300
)

var (
	hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)
	literal  = regexp.MustCompile(`^\[[0-9A-Za-z:.]+\]$`)
)

// asciiHost is a host as the DNS knows it, or "".
func asciiHost(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if _, err := netip.ParseAddr(s); err == nil {
		return s
	}
	if len(s) <= 253 && hostName.MatchString(s) && !strings.Contains(s, "..") {
		return s
	}
	return asciiDomain(s)
}

// loopback reports whether a host is this machine by its very name.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// checkServer settles where to and how protected.
func (s *Sender) checkServer(c *Config) error {
	switch s.host = asciiHost(c.Host); {
	case c.Host == "":
		return errInvalid.WithMessage("host is missing. Name the mail server, such as smtp.example.com.")
	case s.host == "":
		return errInvalid.WithMessage("host is not the name or the address of a server.")
	}
	s.port = c.Port
	switch s.security = c.Security; s.security {
	case "", StartTLS:
		s.security = StartTLS
		s.port = or(s.port, 587)
	case TLS:
		s.port = or(s.port, 465)
	case None:
		s.port = or(s.port, 25)
		if s.onlyLoopback = !c.AllowPlaintext; s.onlyLoopback && !loopback(s.host) {
			return errInvalid.WithMessage(`security "none" is for a server on this machine. Choose "starttls" or "tls", or set allow_plaintext.`)
		}
	default:
		return errInvalid.WithMessage(`security is one of "starttls", "tls" and "none".`)
	}
	if s.port < 1 || s.port > 65535 {
		return errInvalid.WithMessage("port lies between 1 and 65535.")
	}
	return nil
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// checkIdentity settles who speaks, and as whom.
func (s *Sender) checkIdentity(c *Config) error {
	var ok bool
	if s.from, ok = parseMailbox(c.From); !ok {
		return errInvalid.WithMessage("from is not an address such as login@example.com.")
	}
	if s.hello = c.Hello; s.hello == "" {
		s.hello = s.from.domain
	}
	switch {
	case !literal.MatchString(s.hello) && (!hostName.MatchString(s.hello) || len(s.hello) > 253):
		return errInvalid.WithMessage("hello is not a host name such as auth.example.com, nor an address in brackets.")
	case c.Username != "" && c.Password == "":
		return errInvalid.WithMessage("password is missing. A username needs one.")
	case c.Username == "" && c.Password != "":
		return errInvalid.WithMessage("username is missing. A password needs one.")
	case strings.ContainsFunc(c.Username, unicode.IsControl):
		return errInvalid.WithMessage("username contains a control character.")
	case strings.ContainsFunc(c.Password, unicode.IsControl):
		return errInvalid.WithMessage("password contains a control character.")
	}
	s.username, s.password, s.fromName = c.Username, c.Password, c.FromName
	return nil
}

// checkBounds settles how much at a time, and for how long.
func (s *Sender) checkBounds(c *Config) error {
	connections, timeout := or(c.MaxConnections, 8), or(c.TimeoutSeconds, 30)
	if connections < 1 || connections > mostConnections {
		return errInvalid.WithMessage("max_connections lies between 1 and %d.", mostConnections)
	}
	if timeout < 1 || timeout > longestTimeout {
		return errInvalid.WithMessage("timeout_seconds lies between 1 and %d.", longestTimeout)
	}
	s.slots = make(chan struct{}, connections)
	s.timeout = time.Duration(timeout) * time.Second
	return nil
}

// signed lists what a signature covers. From stands twice, so that nobody can
// add a second one; what a message of ours never has (Cc, References) cannot be
// added either.
var signed = []string{
	"From", "From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID",
	"MIME-Version", "Content-Type", "In-Reply-To", "References", "Auto-Submitted",
}

func (s *Sender) checkDKIM(c *Config) error {
	if c.DKIM == nil {
		return nil
	}
	domain := asciiDomain(c.DKIM.Domain)
	switch {
	case domain == "":
		return errInvalid.WithMessage("dkim.domain is not a domain such as example.com.")
	case len(c.DKIM.Selector) > 63 || !hostName.MatchString(c.DKIM.Selector) || strings.Contains(c.DKIM.Selector, ".."):
		return errInvalid.WithMessage("dkim.selector is not a label such as mail2025.")
	}
	key, fault := privateKey(c.DKIM.PrivateKey)
	if fault != "" {
		return errInvalid.WithMessage("dkim.private_key %s.", fault)
	}
	s.dkim = &dkim.SignOptions{
		Domain: domain, Selector: c.DKIM.Selector, Signer: key, Hash: crypto.SHA256,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: signed,
	}
	return nil
}

// privateKey reads a key, or says what is wrong with it.
func privateKey(text string) (key crypto.Signer, fault string) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, "is not in PEM form (-----BEGIN PRIVATE KEY-----)"
	}
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return nil, "is locked with a passphrase. Remove it first"
	default:
		return nil, "is PEM of something else than a private key"
	}
	if err != nil {
		return nil, "cannot be read as a private key"
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() < 1024 {
			return nil, "is too short: 1024 bits are the least, 2048 the usual"
		}
		return key, ""
	case ed25519.PrivateKey:
		return key, ""
	}
	return nil, "is neither RSA nor Ed25519"
}
