package wire

import (
	"net/http/httptest"
	"testing"
)

// Rebinding, a proxy and a neighbour in the network reach a server of development, and none of them is its owner.
func TestSecurityOnlyThisMachineIsThisMachine(t *testing.T) {
	for name, c := range map[string]struct {
		host, from, header string
		want               bool
	}{
		"by name":                    {host: "localhost:8080", from: "127.0.0.1:5000", want: true},
		"by address":                 {host: "127.0.0.1:8080", from: "127.0.0.1:5000", want: true},
		"by the address of IPv6":     {host: "[::1]:8080", from: "[::1]:5000", want: true},
		"without a port":             {host: "[::1]", from: "[::1]:5000", want: true},
		"a mapped address":           {host: "localhost", from: "[::ffff:127.0.0.1]:5000", want: true},
		"a name that was rebound":    {host: "rebound.example:8080", from: "127.0.0.1:5000"},
		"a name that only looks so":  {host: "localhost.evil.example", from: "127.0.0.1:5000"},
		"the network's own address":  {host: "192.168.1.5:8080", from: "127.0.0.1:5000"},
		"a neighbour":                {host: "localhost:8080", from: "192.168.1.7:5000"},
		"a neighbour without a port": {host: "localhost:8080", from: "192.168.1.7"},
		"a tunnel":                   {host: "localhost:8080", from: "127.0.0.1:5000", header: "X-Forwarded-For"},
		"a proxy":                    {host: "localhost:8080", from: "127.0.0.1:5000", header: "Via"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host, r.RemoteAddr = c.host, c.from
		if c.header != "" {
			r.Header.Set(c.header, "somebody")
		}
		if got := FromThisMachine(r); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
