package outbound

import (
	"net/netip"
	"slices"
)

// never are networks that no setting opens: packets to them have no one
// receiver, or reach what only this machine should ask. Clouds hand out their
// credentials at such addresses, and whoever opens a private network for a
// receiver of webhooks does not mean these.
var never = prefixes(
	"0.0.0.0/8",       // this network; connects to the machine itself on some systems
	"169.254.0.0/16",  // link-local: AWS, Azure, Google, Oracle, DigitalOcean, ...
	"100.100.100.200", // Alibaba
	"168.63.129.16",   // Azure, a public address that only its machines reach
	"192.0.0.192",     // Oracle, before it was link-local
	"224.0.0.0/4",     // multicast
	"255.255.255.255",
	"::",
	"fe80::/10", // link-local
	"fd00:ec2::/32",
	"fd20:ce::254", // Google
	"ff00::/8",     // multicast
)

// special are the networks that are not public (the registries of RFC 6890),
// which a setting can open. Of IPv6 nothing outside 2000::/3 is.
var special = prefixes(
	// Private, and shared by the customers of a carrier.
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10",
	// The machine itself.
	"127.0.0.0/8",
	// Documentation and benchmarks.
	"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20", "198.18.0.0/15",
	// Protocol assignments (Teredo among them), 6to4 and its relays, reserved.
	"192.0.0.0/24", "2001::/23", "2002::/16", "192.88.99.0/24", "240.0.0.0/4",
)

var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour     = netip.MustParsePrefix("2002::/16")
)

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// permits reports whether packets may go to an address, which has been
// unmapped. One that only translates to another is as good as that other.
func (p *Policy) permits(a netip.Addr) bool {
	if !a.IsValid() || a.Zone() != "" {
		return false
	}
	for _, a := range []netip.Addr{a, translated(a)} {
		if within(never, a) || !public(a) && !within(p.AllowPrivate, a) {
			return false
		}
	}
	return true
}

func public(a netip.Addr) bool {
	if a.Is6() && !globalUnicast.Contains(a) {
		return nat64.Contains(a) // what it translates to is looked at too
	}
	return !within(special, a)
}

// translated is the IPv4 address at which packets to an IPv6 address end, and
// the address itself where none is inside it.
func translated(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixToFour.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

func within(list []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(a) })
}
