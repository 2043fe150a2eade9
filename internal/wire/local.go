package wire

import (
	"net"
	"net/http"
	"net/netip"
)

// FromThisMachine tells whether a request was sent to a loopback name, from a loopback address, with no proxy or tunnel
// in between: so neither by somebody elsewhere, nor by a page whose name was made to point here. It is for what `gatehouse
// dev` shows to whoever sits at the machine.
func FromThisMachine(r *http.Request) bool {
	for _, forwarded := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(forwarded) != "" {
			return false
		}
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback() && loopbackName(r.Host)
}

// loopbackName tells whether a Host header, with or without a port, names this machine by itself.
func loopbackName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	} else if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
