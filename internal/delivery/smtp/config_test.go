package smtp

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
)

func pemOf(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestCheck(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GODEBUG", "rsa1024min=0") // Go makes no such key any more
	rsa512, err := rsa.GenerateKey(rand.Reader, 512)
	if err != nil {
		t.Fatal(err)
	}
	good, other, shortKey := pemOf(t, edwards), pemOf(t, p256), pemOf(t, rsa512)
	sign := func(domain, selector, key string) func(*Config) {
		return func(c *Config) { c.DKIM = &DKIM{domain, selector, key} }
	}
	for want, changes := range map[string][]func(*Config){
		"": {
			func(*Config) {},
			func(c *Config) { c.Host = "2001:db8::1" },
			func(c *Config) { c.Host = "[2001:db8::1]" },
			func(c *Config) { c.Host = "mail_1" },
			func(c *Config) { c.Host = "smtp.bücher.example" },
			func(c *Config) { c.Port, c.Security = 465, TLS },
			func(c *Config) { c.Host, c.Security = "localhost", None },
			func(c *Config) { c.Host, c.Security = "[::1]", None },
			func(c *Config) { c.Host, c.Security = "127.0.0.2", None },
			func(c *Config) { c.Security, c.AllowPlaintext = None, true },
			func(c *Config) { c.From = "Jürgen.Müller@bücher.example" },
			func(c *Config) { c.Hello = "[192.0.2.1]" },
			func(c *Config) { c.Hello = "auth-1.example.com" },
			sign("bücher.example", "mail2026._x", good),
		},
		"host is missing":                {func(c *Config) { c.Host = "" }},
		"host is not":                    {func(c *Config) { c.Host = "smtp example" }, func(c *Config) { c.Host = "a..b" }, func(c *Config) { c.Host = "x:25" }, func(c *Config) { c.Host = "a\r\nb" }},
		"port lies":                      {func(c *Config) { c.Port = -1 }, func(c *Config) { c.Port = 65536 }},
		"security is one of":             {func(c *Config) { c.Security = "ssl" }},
		`security "none"`:                {func(c *Config) { c.Security = None }, func(c *Config) { c.Security, c.Host = None, "192.168.0.1" }, func(c *Config) { c.Security, c.Host = None, "localhost.example.com" }},
		"from is not":                    {func(c *Config) { c.From = "" }, func(c *Config) { c.From = "login" }, func(c *Config) { c.From = "Me <a@example.com>" }, func(c *Config) { c.From = "a@exa\r\nmple.com" }},
		"hello is not":                   {func(c *Config) { c.Hello = "a b" }, func(c *Config) { c.Hello = "a\r\nMAIL" }, func(c *Config) { c.Hello = strings.Repeat("a", 254) }},
		"password is missing":            {func(c *Config) { c.Username = "u" }},
		"username is missing":            {func(c *Config) { c.Password = "p" }},
		"username contains":              {func(c *Config) { c.Username, c.Password = "a\x00b", "p" }},
		"password contains":              {func(c *Config) { c.Username, c.Password = "u", "a\x00b" }},
		"max_connections lies":           {func(c *Config) { c.MaxConnections = -1 }, func(c *Config) { c.MaxConnections = 101 }},
		"timeout_seconds lies":           {func(c *Config) { c.TimeoutSeconds = -1 }, func(c *Config) { c.TimeoutSeconds = 301 }},
		"dkim.domain is not":             {sign("", "s", good), sign("a b", "s", good)},
		"dkim.selector is not":           {sign("example.com", "", good), sign("example.com", "a;b", good), sign("example.com", "a..b", good)},
		"dkim.private_key is not in PEM": {sign("example.com", "s", ""), sign("example.com", "s", "MIIE")},
		"dkim.private_key is PEM of":     {sign("example.com", "s", "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n")},
		"dkim.private_key is locked":     {sign("example.com", "s", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIE\n-----END ENCRYPTED PRIVATE KEY-----\n")},
		"dkim.private_key cannot":        {sign("example.com", "s", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"), sign("example.com", "s", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n")},
		"dkim.private_key is neither":    {sign("example.com", "s", other)},
		"dkim.private_key is too short":  {sign("example.com", "s", shortKey)},
	} {
		for i, change := range changes {
			c := Config{Host: "smtp.example.com", From: "login@example.com"}
			change(&c)
			err := c.Check()
			if want == "" {
				if err != nil {
					t.Errorf("good config %d: %v", i, err)
				}
				continue
			}
			e := apierr.From(err)
			if e == nil || !errors.Is(err, errInvalid) || e.Status != 400 || !strings.HasPrefix(e.Message, want) || !strings.HasSuffix(e.Message, ".") {
				t.Errorf("%s (%d): %v", want, i, err)
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	for security, port := range map[string]int{"": 587, StartTLS: 587, TLS: 465, None: 25} {
		s := open(t, Config{Host: "::1", Security: security, From: "login@Bücher.example"})
		if s.port != port || s.hello != "xn--bcher-kva.example" || cap(s.slots) != 8 || s.timeout != 30*time.Second {
			t.Errorf("%q: port %d, hello %s, %d connections, %v", security, s.port, s.hello, cap(s.slots), s.timeout)
		}
	}
}

func TestPasswordIsNotInTheJSON(t *testing.T) {
	text, err := json.Marshal(Config{Host: "a", From: "b", Username: "u", Password: "hunter2", DKIM: &DKIM{Domain: "d", Selector: "s", PrivateKey: "k"}})
	const want = `{"host":"a","username":"u","from":"b","dkim":{"domain":"d","selector":"s","private_key":"k"}}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
}

func TestPKCS1(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	text := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	if got, fault := privateKey(text); fault != "" || !key.Equal(got) {
		t.Errorf("PKCS #1: %s", fault)
	}
}
