// Package config holds every setting of the server in one struct: its flag,
// its environment variable, its default and its help. It reads nothing itself
// but a master key that is kept in a file.
package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Database says where the data is. Every command that touches data has it.
type Database struct {
	DatabaseURL   string `name:"database-url" env:"GATEHOUSE_DATABASE_URL" default:"sqlite:gatehouse.db" placeholder:"URL" help:"Database: sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME." secret:"url"`
	MasterKey     string `name:"master-key" env:"GATEHOUSE_MASTER_KEY" placeholder:"KEY" help:"Seals secrets at rest: 32 bytes in base64 or hex, from openssl rand -base64 32. Several, separated by commas: the first seals, all open. Prefer the variable: other users of the machine can read command lines." secret:"all"`
	MasterKeyFile string `name:"master-key-file" env:"GATEHOUSE_MASTER_KEY_FILE" placeholder:"FILE" help:"File that holds the master key, in place of --master-key."`
}

// Breach says where it is looked up whether a password is in a known breach.
type Breach struct {
	BreachSource  string        `name:"breach-source" env:"GATEHOUSE_BREACH_SOURCE" default:"api" enum:"api,offline,off" placeholder:"SOURCE" help:"Where it is looked up whether a password is in a known breach: api, offline or off. Of a password the API gets five digits of its hash."`
	BreachURL     string        `name:"breach-url" env:"GATEHOUSE_BREACH_URL" default:"https://api.pwnedpasswords.com" placeholder:"URL" help:"The range API of Have I Been Pwned, or a mirror of it."`
	BreachTimeout time.Duration `name:"breach-timeout" env:"GATEHOUSE_BREACH_TIMEOUT" default:"1500ms" placeholder:"TIME" help:"How long asking the API may take, with everything in it."`
	BreachBundle  string        `name:"breach-bundle" env:"GATEHOUSE_BREACH_BUNDLE" placeholder:"FILE" help:"The bundle for the source offline, from gatehouse breach import. Without it, breached-passwords.bundle beside the SQLite database."`
}

// Bundle is the path of the bundle, or "" when nothing says where it is.
func (b *Breach) Bundle(d *Database) string {
	if b.BreachBundle != "" || d.SQLitePath() == "" {
		return b.BreachBundle
	}
	return filepath.Join(filepath.Dir(d.SQLitePath()), "breached-passwords.bundle")
}

// Server is what a serving process needs besides its database.
type Server struct {
	Listen         string   `name:"listen" env:"GATEHOUSE_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address to listen on; :8080 is all of the machine's."`
	PublicURL      string   `name:"public-url" env:"GATEHOUSE_PUBLIC_URL" placeholder:"URL" help:"URL under which clients reach this server: the issuer of tokens and the base of links."`
	TLSCert        string   `name:"tls-cert" env:"GATEHOUSE_TLS_CERT" placeholder:"FILE" help:"Certificate file (PEM). Without one the server speaks plain HTTP, for a proxy in front."`
	TLSKey         string   `name:"tls-key" env:"GATEHOUSE_TLS_KEY" placeholder:"FILE" help:"Private key file (PEM) of the certificate."`
	TrustedProxies []string `name:"trusted-proxies" env:"GATEHOUSE_TRUSTED_PROXIES" placeholder:"NETWORK" help:"Addresses or networks whose X-Forwarded-For is believed, separated by commas, e.g. 10.0.0.0/8."`
	OutboundAllow  []string `name:"outbound-allow" env:"GATEHOUSE_OUTBOUND_ALLOW" placeholder:"NETWORK" help:"Private addresses or networks that the server may call, by http too, at URLs that are configured per environment, such as the webhook of a sender; separated by commas, e.g. 10.0.0.0/8. Without it only public addresses, by https."`
	MetricsListen  string   `name:"metrics-listen" env:"GATEHOUSE_METRICS_LISTEN" placeholder:"ADDRESS" help:"Separate address for /metrics. Without it and without a token there are no metrics."`
	MetricsToken   string   `name:"metrics-token" env:"GATEHOUSE_METRICS_TOKEN" placeholder:"TOKEN" help:"Bearer token that opens /metrics on the main address." secret:"all"`
	SDKRateLimit   int      `name:"sdk-rate-limit" env:"GATEHOUSE_SDK_RATE_LIMIT" default:"300" placeholder:"N" help:"Calls per minute that one IP address (of IPv6, one /64) may make to each group of routes of the browser's door, in each environment. 0 for no limit."`
	Breach
	LogFormat      string        `name:"log-format" env:"GATEHOUSE_LOG_FORMAT" default:"json" enum:"json,text" placeholder:"FORMAT" help:"Log format: json or text."`
	LogLevel       string        `name:"log-level" env:"GATEHOUSE_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least severe level that is logged: debug, info, warn or error."`
	TraceEndpoint  string        `name:"trace-endpoint" env:"GATEHOUSE_TRACE_ENDPOINT,OTEL_EXPORTER_OTLP_ENDPOINT" placeholder:"URL" help:"OTLP/HTTP endpoint for OpenTelemetry traces, e.g. http://localhost:4318. Without it nothing is traced."`
	TraceHeaders   []string      `name:"trace-headers" env:"GATEHOUSE_TRACE_HEADERS,OTEL_EXPORTER_OTLP_HEADERS" placeholder:"NAME=VALUE" help:"Headers to send with the traces, separated by commas, such as a key." secret:"all"`
	DrainDelay     time.Duration `name:"drain-delay" env:"GATEHOUSE_DRAIN_DELAY" default:"1s" placeholder:"TIME" help:"After a stop was asked for: how long /readyz refuses while requests are still taken, so that a load balancer looks elsewhere."`
	DrainTimeout   time.Duration `name:"drain-timeout" env:"GATEHOUSE_DRAIN_TIMEOUT" default:"15s" placeholder:"TIME" help:"After that: how long requests under way may take."`
	EventRetention time.Duration `name:"event-retention" env:"GATEHOUSE_EVENT_RETENTION" default:"2160h" placeholder:"TIME" help:"How long audit events and failed jobs are kept; 0 for ever."`
}

// Check says what is wrong with the settings, and what to do.
func (s *Server) Check() error {
	u, err := url.Parse(s.PublicURL)
	switch {
	case s.PublicURL == "":
		return fmt.Errorf("--public-url is missing: set it to the URL under which clients reach this server, e.g. https://auth.example.com")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("--public-url %q is not a URL such as https://auth.example.com", s.PublicURL)
	case (s.TLSCert == "") != (s.TLSKey == ""):
		return fmt.Errorf("--tls-cert and --tls-key go together: give both or neither")
	case s.SDKRateLimit < 0:
		return fmt.Errorf("--sdk-rate-limit must be 0 (no limit) or more")
	case s.BreachTimeout < 0:
		return fmt.Errorf("--breach-timeout must be a time such as 1500ms")
	}
	if _, _, err := net.SplitHostPort(s.Listen); err != nil {
		return fmt.Errorf("--listen %q is not an address such as 127.0.0.1:8080 or :8080", s.Listen)
	}
	if _, err := s.Proxies(); err != nil {
		return err
	}
	_, err = s.Outbound()
	return err
}

// Base is the public URL without a trailing slash.
func (s *Server) Base() string { return strings.TrimRight(s.PublicURL, "/") }

// Proxies are the trusted proxies as networks; a bare address is itself alone.
func (s *Server) Proxies() ([]netip.Prefix, error) {
	return networks("--trusted-proxies", s.TrustedProxies)
}

// Outbound are the private networks that the server may call, in the same form.
func (s *Server) Outbound() ([]netip.Prefix, error) {
	return networks("--outbound-allow", s.OutboundAllow)
}

func networks(flag string, entries []string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for _, entry := range entries {
		prefix, err := netip.ParsePrefix(entry)
		if err != nil {
			addr, aerr := netip.ParseAddr(entry)
			if aerr != nil {
				return nil, fmt.Errorf("%s: %q is neither an address nor a network such as 10.0.0.0/8", flag, entry)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		list = append(list, prefix.Masked())
	}
	return list, nil
}
