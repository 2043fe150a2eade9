package wire

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientIP returns the address of the client: the TCP peer, unless the peer
// is a trusted proxy. Then X-Forwarded-For is read from its right end, where
// the nearest proxy wrote, and the first address that is not itself a trusted
// proxy is the client. A word that is no address ends the walk: what stands
// left of it was written by nobody we trust.
//
// RFC 7239 Forwarded is not read: a proxy that writes one of the two headers
// passes the other on untouched, and the client could then choose its address.
func clientIP(r *http.Request, trusted []netip.Prefix) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := plainAddr(ap.Addr())
	if len(trusted) == 0 || !contains(trusted, client) {
		return client
	}
	lines := r.Header["X-Forwarded-For"]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			var entry string
			if cut := strings.LastIndexByte(rest, ','); cut >= 0 {
				entry, rest = rest[cut+1:], rest[:cut]
			} else {
				entry, more = rest, false
			}
			hop, ok := parseHop(entry)
			if !ok {
				return client
			}
			client = hop
			if !contains(trusted, hop) {
				return client
			}
		}
	}
	return client
}

// parseHop reads one entry: an address, with or without a port.
func parseHop(entry string) (netip.Addr, bool) {
	entry = strings.Trim(entry, " \t")
	if a, err := netip.ParseAddr(entry); err == nil {
		return plainAddr(a), true
	}
	if ap, err := netip.ParseAddrPort(entry); err == nil {
		return plainAddr(ap.Addr()), true
	}
	if inner, ok := strings.CutPrefix(entry, "["); ok { // "[2001:db8::1]"
		if a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil && strings.HasSuffix(inner, "]") {
			return plainAddr(a), true
		}
	}
	return netip.Addr{}, false
}

// plainAddr gives every spelling of an address one value: ::ffff:1.2.3.4 is
// 1.2.3.4, and a zone says nothing about a remote client.
func plainAddr(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

func contains(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
