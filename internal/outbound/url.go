package outbound

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"gatehouse/internal/apierr"
)

var (
	errURL         = apierr.New(400, "forbidden_address", "The URL cannot be called. Write it as https://host.example.com/path.")
	errUnknownHost = apierr.New(400, "forbidden_address", "The host in the URL has no address. Check how it is written, and that this server's DNS knows it.")
	errScheme      = apierr.New(400, "forbidden_address", "The URL does not begin with https://. Use https, or allow http for this server with GATEHOUSE_OUTBOUND_ALLOW.")
	errAddress     = apierr.New(400, "forbidden_address", "The URL leads to an address that is not public. Use a public one, or allow its network for this server with GATEHOUSE_OUTBOUND_ALLOW.")
)

const (
	maxURL  = 2048
	maxHost = 253
)

// ParseURL reads a URL that may be called at all, over https or http, and says
// what is wrong with any other. It does not look at where the host is: that
// changes, so it is looked at with every call (and by Client.Check).
func ParseURL(raw string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, errURL.WithMessage("The URL is longer than %d characters. Use a shorter one.", maxURL)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errURL // its text would repeat the URL, which may hold a key
	}
	if err := checkURL(u); err != nil {
		return nil, err
	}
	return u, nil
}

func checkURL(u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "":
		return errURL
	case u.User != nil:
		return errURL.WithMessage("The URL has a user name in it. Send credentials in a header.")
	}
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || port == 0) {
		return errURL.WithMessage("The port in the URL is not a number from 1 to 65535. Leave it out, or mend it.")
	}
	return checkHost(u.Hostname())
}

// checkHost takes an IP address in its one usual form, or a name. An address
// in one of its unusual forms (127.1, 0x7f000001, 2130706433) is a name to some
// and an address to others, and so neither.
func checkHost(host string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return errURL.WithMessage("The address in the URL names a network interface. Leave that out.")
		}
		return nil
	}
	name := strings.TrimSuffix(host, ".")
	if name == "" || len(name) > maxHost {
		return errURL
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInHost) {
			return errURL.WithMessage("The host in the URL is not a name. Write one with other letters than a to z as xn--....")
		}
		last = label
	}
	if isNumber(last) {
		return errURL.WithMessage("The host in the URL is a number. Write an IP address as 192.0.2.1 or [2001:db8::1].")
	}
	return nil
}

func notInHost(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// isNumber follows the URL standard of browsers: a host whose last label is
// one of these is an IPv4 address to them (https://url.spec.whatwg.org,
// "ends in a number").
func isNumber(label string) bool {
	if strings.Trim(label, "0123456789") == "" {
		return true
	}
	digits, ok := strings.CutPrefix(strings.ToLower(label), "0x")
	return ok && strings.Trim(digits, "0123456789abcdef") == ""
}
