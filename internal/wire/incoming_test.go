package wire_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"gatehouse/internal/wire"
)

// incoming serves r and returns what the gate saw.
func incoming(t testing.TB, r *http.Request, trusted ...string) wire.Incoming {
	t.Helper()
	var seen wire.Incoming
	c := wire.Config{Now: now, Gates: map[wire.Auth]wire.Gate{wire.Secret: func(ctx context.Context, in *wire.Incoming) (context.Context, error) {
		seen = *in
		if call := wire.CallFrom(ctx); call.IP != in.IP {
			t.Errorf("the call's address is %v, the gate's %v", call.IP, in.IP)
		}
		return ctx, nil
	}}}
	for _, p := range trusted {
		c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(p))
	}
	s := wire.NewServer(c, wire.GET("/v1/x/{id}", wire.Secret, echoID))
	if a := send(t, s, r); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, a.Text)
	}
	return seen
}

// Security case 2: only a trusted proxy says who the client is.
func TestClientAddress(t *testing.T) {
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		trusted   []string
		want      string
	}{
		"no proxies":                     {"203.0.113.9:1234", nil, nil, "203.0.113.9"},
		"spoofed, nobody trusted":        {"203.0.113.9:1234", []string{"1.2.3.4"}, nil, "203.0.113.9"},
		"spoofed, peer not trusted":      {"203.0.113.9:1234", []string{"1.2.3.4"}, []string{"10.0.0.0/8"}, "203.0.113.9"},
		"one proxy":                      {"10.0.0.1:1", []string{"198.51.100.7"}, []string{"10.0.0.0/8"}, "198.51.100.7"},
		"client wrote the left end":      {"10.0.0.1:1", []string{"1.2.3.4, 198.51.100.7"}, []string{"10.0.0.0/8"}, "198.51.100.7"},
		"two proxies":                    {"10.0.0.1:1", []string{"1.2.3.4, 198.51.100.7, 10.0.0.2"}, []string{"10.0.0.0/8"}, "198.51.100.7"},
		"several headers":                {"10.0.0.1:1", []string{"1.2.3.4", "198.51.100.7,10.0.0.3", "10.0.0.2"}, []string{"10.0.0.0/8"}, "198.51.100.7"},
		"client claims to be a proxy":    {"10.0.0.1:1", []string{"10.9.9.9, 198.51.100.7"}, []string{"10.0.0.0/8"}, "198.51.100.7"},
		"all trusted":                    {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, []string{"10.0.0.0/8"}, "10.0.0.3"},
		"trusted peer, no header":        {"10.0.0.1:1", nil, []string{"10.0.0.0/8"}, "10.0.0.1"},
		"trusted peer, empty header":     {"10.0.0.1:1", []string{""}, []string{"10.0.0.0/8"}, "10.0.0.1"},
		"garbage":                        {"10.0.0.1:1", []string{"unknown"}, []string{"10.0.0.0/8"}, "10.0.0.1"},
		"garbage left of a good one":     {"10.0.0.1:1", []string{"<script>, 198.51.100.7"}, []string{"10.0.0.0/8"}, "198.51.100.7"},
		"garbage right of a good one":    {"10.0.0.1:1", []string{"198.51.100.7, _hidden"}, []string{"10.0.0.0/8"}, "10.0.0.1"},
		"garbage between proxies":        {"10.0.0.1:1", []string{"198.51.100.7, 1.2.3, 10.0.0.2"}, []string{"10.0.0.0/8"}, "10.0.0.2"},
		"trailing comma":                 {"10.0.0.1:1", []string{"198.51.100.7,"}, []string{"10.0.0.0/8"}, "10.0.0.1"},
		"with a port":                    {"10.0.0.1:1", []string{"198.51.100.7:8080"}, []string{"10.0.0.0/8"}, "198.51.100.7"},
		"spaces and tabs":                {"10.0.0.1:1", []string{"1.1.1.1 ,\t198.51.100.7 "}, []string{"10.0.0.0/8"}, "198.51.100.7"},
		"IPv6":                           {"[fd00::1]:1", []string{"2001:db8::7"}, []string{"fd00::/8"}, "2001:db8::7"},
		"IPv6 in brackets":               {"[fd00::1]:1", []string{"[2001:db8::7]"}, []string{"fd00::/8"}, "2001:db8::7"},
		"IPv6 in brackets with a port":   {"[fd00::1]:1", []string{"[2001:db8::7]:443"}, []string{"fd00::/8"}, "2001:db8::7"},
		"half a bracket":                 {"[fd00::1]:1", []string{"[2001:db8::7"}, []string{"fd00::/8"}, "fd00::1"},
		"IPv6 with a zone":               {"[fe80::1%eth0]:1", nil, nil, "fe80::1"},
		"mapped peer":                    {"[::ffff:203.0.113.9]:1", nil, nil, "203.0.113.9"},
		"mapped peer is trusted as IPv4": {"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.7"}, []string{"10.0.0.0/8"}, "198.51.100.7"},
		"another spelling":               {"[fd00::1]:1", []string{"2001:0DB8:0:0:0:0:0:7"}, []string{"fd00::/8"}, "2001:db8::7"},
		"leading zeros are no address":   {"10.0.0.1:1", []string{"198.051.100.007"}, []string{"10.0.0.0/8"}, "10.0.0.1"},
		"a Unix socket":                  {"@", []string{"1.2.3.4"}, []string{"10.0.0.0/8"}, "invalid IP"},
	} {
		r := request("GET", "/v1/x/1", "")
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.forwarded
		for _, other := range []string{"X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip"} {
			r.Header.Set(other, "for=9.9.9.9")
		}
		if got := incoming(t, r, c.trusted...).IP.String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestBasicAuthorization(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	for name, c := range map[string]struct {
		header         []string
		user, password string
		ok             bool
	}{
		"none":                   {nil, "", "", false},
		"ordinary":               {[]string{"Basic " + b64([]byte("project-test-1:secret"))}, "project-test-1", "secret", true},
		"scheme in another case": {[]string{"bASIC " + b64([]byte("u:p"))}, "u", "p", true},
		"several spaces":         {[]string{"Basic   " + b64([]byte("u:p")) + " "}, "u", "p", true},
		"without padding":        {[]string{"Basic " + strings.TrimRight(b64([]byte("us:p")), "=")}, "us", "p", true},
		"colons in the password": {[]string{"Basic " + b64([]byte("u:p:q:"))}, "u", "p:q:", true},
		"empty password":         {[]string{"Basic " + b64([]byte("u:"))}, "u", "", true},
		"empty user":             {[]string{"Basic " + b64([]byte(":p"))}, "", "p", true},
		"UTF-8":                  {[]string{"Basic " + b64([]byte("é:漢"))}, "é", "漢", true},
		"no colon":               {[]string{"Basic " + b64([]byte("user"))}, "", "", false},
		"nothing":                {[]string{"Basic "}, "", "", false},
		"only the scheme":        {[]string{"Basic"}, "", "", false},
		"another scheme":         {[]string{"Bearer " + b64([]byte("u:p"))}, "", "", false},
		"no scheme":              {[]string{b64([]byte("u:p"))}, "", "", false},
		"not base64":             {[]string{"Basic u:p"}, "", "", false},
		"URL alphabet":           {[]string{"Basic " + base64.URLEncoding.EncodeToString([]byte("u:\xc3\xbf\xc3\xbf\xc3\xbf?>"))}, "", "", false},
		"a NUL":                  {[]string{"Basic " + b64([]byte("u:p\x00q"))}, "", "", false},
		"a line break":           {[]string{"Basic " + b64([]byte("u\n:p"))}, "", "", false},
		"broken UTF-8":           {[]string{"Basic " + b64([]byte("u:\xff"))}, "", "", false},
		"twice":                  {[]string{"Basic " + b64([]byte("u:p")), "Basic " + b64([]byte("v:q"))}, "", "", false},
		"too long":               {[]string{"Basic " + b64([]byte("u:"+strings.Repeat("p", 20000)))}, "", "", false},
		"a JWT as password":      {[]string{"Basic " + b64([]byte("public-token-test-1:"+strings.Repeat("e", 4000)))}, "public-token-test-1", strings.Repeat("e", 4000), true},
	} {
		r := request("GET", "/v1/x/1", "")
		r.Header["Authorization"] = c.header
		in := incoming(t, r)
		if in.HasBasic != c.ok || c.ok && (in.BasicUser != c.user || in.BasicPassword != c.password) || !c.ok && in.BasicUser+in.BasicPassword != "" {
			t.Errorf("%s: %v %q %q", name, in.HasBasic, in.BasicUser, in.BasicPassword)
		}
	}
}

// Security case 3: a client is counted once, however many addresses of its
// own network and spellings of one address it uses.
func TestNetworkOfAClient(t *testing.T) {
	networks := map[netip.Prefix]bool{}
	s := serverOf(wire.GET("/v1/x/{id}", wire.Open, func(ctx context.Context, _ *idRequest) (*idResponse, error) {
		networks[wire.CallFrom(ctx).Network()] = true
		return &idResponse{}, nil
	}))
	count := func(peers ...string) int {
		clear(networks)
		for _, peer := range peers {
			r := request("GET", "/v1/x/1", "")
			r.RemoteAddr = peer
			send(t, s, r)
		}
		return len(networks)
	}
	var block []string
	for i := range 1000 {
		block = append(block, fmt.Sprintf("[2001:db8:1:2:%x:%x:0:1]:443", i, 7*i))
	}
	if n := count(block...); n != 1 {
		t.Errorf("1000 addresses of one /64 count as %d", n)
	}
	if n := count("203.0.113.9:1", "[::ffff:203.0.113.9]:2", "[0:0:0:0:0:ffff:cb00:7109]:3"); n != 1 {
		t.Errorf("spellings of one address count as %d", n)
	}
	if n := count("203.0.113.9:1", "203.0.113.10:1", "[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1"); n != 4 {
		t.Errorf("four clients count as %d", n)
	}
	if n := count("@"); n != 1 {
		t.Errorf("a Unix socket counts as %d", n)
	}
}
