package project

import (
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
)

var errDomain = apierr.New(400, "invalid_domain", "The domain is invalid. Write it as an origin, for example https://app.example.com.")

// ParseOrigin takes an Origin header apart: scheme, host in lower case, port
// as written. It refuses everything a browser does not send as an origin:
// paths, user names, queries, escapes, trailing dots.
func ParseOrigin(s string) (scheme, host, port string, ok bool) {
	scheme, rest, found := strings.Cut(s, "://")
	if !found || scheme != "https" && scheme != "http" || strings.ContainsAny(rest, "/\\@?#% \t") {
		return "", "", "", false
	}
	u, err := url.Parse(s)
	if err != nil || u.Host != rest {
		return "", "", "", false
	}
	host, port = strings.ToLower(u.Hostname()), u.Port()
	if port == "" && strings.HasSuffix(rest, ":") {
		return "", "", "", false
	}
	if _, err := netip.ParseAddr(host); err != nil && !ValidHostname(host) {
		return "", "", "", false
	}
	return scheme, host, port, true
}

// ValidHostname reports whether host is a lower-case DNS name in ASCII form
// (RFC 1123, section 2.1): labels of letters, digits and inner hyphens.
func ValidHostname(host string) bool {
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// IsLoopback reports whether host can only be the machine itself: localhost
// and its subdomains (RFC 6761, section 6.3), 127.0.0.0/8, ::1.
func IsLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// AllowsOrigin reports whether pages of an origin may use the browser's door
// of this environment. A test environment also allows the machine itself.
func (e *Environment) AllowsOrigin(origin string) bool {
	scheme, host, port, ok := ParseOrigin(origin)
	if !ok {
		return false
	}
	if !e.Live() && IsLoopback(host) {
		return true
	}
	for _, domain := range e.Config.SDK.Basic.Domains {
		if matchesDomain(domain, scheme, host, port) {
			return true
		}
	}
	return false
}

// AllowsHost reports whether a host name belongs to an authorised domain,
// whatever its scheme and port: the rule for RP IDs at the browser's door. The
// RP ID may also be a parent that an authorised host shares its site with.
func (e *Environment) AllowsHost(host string) bool {
	if !e.Live() && IsLoopback(host) {
		return true
	}
	for _, domain := range e.Config.SDK.Basic.Domains {
		_, entry, _ := splitDomain(domain)
		entry = strings.TrimPrefix(entry, "*.")
		if host == entry || strings.HasSuffix(entry, "."+host) && isRegistrable(host) || strings.HasPrefix(domainHost(domain), "*.") && strings.HasSuffix(host, "."+entry) {
			return true
		}
	}
	return false
}

func matchesDomain(domain, scheme, host, port string) bool {
	wantScheme, wantHost, wantPort := splitDomain(domain)
	if scheme != wantScheme || port != wantPort {
		return false
	}
	if parent, wild := strings.CutPrefix(wantHost, "*."); wild {
		return strings.HasSuffix(host, "."+parent)
	}
	return host == wantHost
}

func domainHost(domain string) string {
	_, host, _ := splitDomain(domain)
	return host
}

func splitDomain(domain string) (scheme, host, port string) {
	scheme, rest, _ := strings.Cut(domain, "://")
	host, port, _ = strings.Cut(rest, ":")
	return scheme, host, port
}

// NormalizeDomain checks an entry of the authorised domains and returns it as
// it is stored: "https://host[:port]", the host possibly "*.parent".
func NormalizeDomain(kind id.Env, s string) (string, error) {
	s = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "/"))
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	plain, wild := s, false
	if head, rest, _ := strings.Cut(s, "://"); strings.HasPrefix(rest, "*.") {
		plain, wild = head+"://"+rest[2:], true
	}
	scheme, host, _, ok := ParseOrigin(plain)
	switch {
	case !ok:
		return "", errDomain.WithMessage("%q is not an origin. Write it as https://app.example.com.", s)
	case scheme == "http" && (kind == id.Live || !IsLoopback(host)):
		return "", errDomain.WithMessage("%q uses http. Browsers give passkeys and secure cookies to https origins only.", s)
	case wild && !isRegistrable(host):
		return "", errDomain.WithMessage("%q would allow sites of other people. Put the wildcard below a domain you own.", s)
	}
	return s, nil
}

// isRegistrable reports whether host is at or below a domain that someone can
// own: "example.co.uk" is, "co.uk" and "com" are not.
func isRegistrable(host string) bool {
	if IsLoopback(host) {
		return true
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	_, err := publicsuffix.EffectiveTLDPlusOne(host)
	return err == nil
}
