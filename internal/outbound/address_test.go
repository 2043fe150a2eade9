package outbound

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
)

// names is a resolver of a fixed list.
func names(list map[string]string) func(context.Context, string) ([]netip.Addr, error) {
	return func(_ context.Context, host string) (addrs []netip.Addr, err error) {
		text, ok := list[host]
		if !ok {
			return nil, fmt.Errorf("%s is unknown", host)
		}
		for one := range strings.FieldsSeq(text) {
			addrs = append(addrs, netip.MustParseAddr(one))
		}
		return addrs, nil
	}
}

func refused(t *testing.T, what string, err error) {
	t.Helper()
	if e := apierr.From(err); e == nil || e.Type != "forbidden_address" || e.Status != 400 {
		t.Errorf("%s: %v", what, err)
	}
}

var resolver = names(map[string]string{
	"example.com": "93.184.215.14", "example.com.": "93.184.215.14", "EXAMPLE.com": "93.184.215.14",
	"xn--bcher-kva.example": "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
	"dns64.example":         "64:ff9b::5db8:d70e",
	"inside.example":        "10.0.0.7", "inside.example.": "10.0.0.7", "xn--nnen-3ra.example": "192.168.1.1",
	"127.0.0.1.nip.io": "127.0.0.1", "localhost": "127.0.0.1 ::1", "localhost.": "127.0.0.1", "sub.localhost": "::1",
	"metadata.google.internal": "169.254.169.254", "instance-data": "169.254.169.254",
	"half.example": "93.184.215.14 10.0.0.1", "mapped.example": "::ffff:10.0.0.1", "zoned.example": "fe80::1%eth0",
	"kubernetes.default.svc": "10.96.0.1", "nowhere.example": "",
})

// Security cases 39 and 40: addresses of the inside, however they are written.
func TestSecurity39And40ServerSideRequestForgery(t *testing.T) {
	hosts := `
		127.0.0.1 127.1 127.0.1 127.0.0.1. 127.255.255.254 2130706433 017700000001 0177.0.0.1 0x7f.0.0.1 0x7f000001 0X7F.1
		127.0.0.0x1 0x 127.000.000.001 127.0.0.01 1.2.3.4.5 256.256.256.256 1.1.1.08 example.0x7f
		0.0.0.0 0 0.1.2.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255
		169.254.0.1 169.254.169.254 169.254.170.2 2852039166 100.100.100.200 168.63.129.16 192.0.0.192
		192.0.0.1 192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 198.19.255.255 192.88.99.1
		224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
		[::1] [::] [0:0:0:0:0:0:0:1] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:0:127.0.0.1] [0:0:0:0:0:ffff:10.0.0.1]
		[::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [64:ff9b::7f00:1] [64:ff9b::10.0.0.1] [64:ff9b::169.254.169.254]
		[64:ff9b:1::1] [2002:7f00:1::] [2002:a00:1::1] [2002:a9fe:a9fe::] [2002:101:101::] [2001::7f00:1] [2001:0:53aa:64c:0:0:80ff:fffe]
		[fe80::1] [fe80::1%25eth0] [fe80::1%25lo] [febf::1] [fec0::1] [fc00::1] [fd00::1] [fdff::1] [fd00:ec2::254] [fd20:ce::254]
		[ff02::1] [ff05::1:3] [2001:db8::1] [3fff::1] [100::1] [5f00::1] [4000::1] [2606:4700::1%25eth0]
		localhost localhost. sub.localhost 127.0.0.1.nip.io inside.example inside.example. xn--nnen-3ra.example
		metadata.google.internal instance-data kubernetes.default.svc half.example mapped.example zoned.example nowhere.example unknown.example
		１２７.０.０.１ ⑯⑨。②⑤④。⑯⑨｡②⑤④ ①②⑦.⓪.⓪.① bücher.example localhost。 ex%61mple.com 127%2e0%2e0%2e1 %31%32%37.0.0.1
		example..com .example.com example.com.. . .. exa!mple.com example.com%00.evil.example [127.0.0.1] [example.com] []
		example.com:0 example.com:65536 example.com:http example.com:-1 example.com:80:80 user@example.com user:secret@example.com @example.com
		example.com\@inside.example example.com\.inside.example inside.example@example.com`
	strict := New(Policy{Resolve: resolver})
	loose := New(Policy{Resolve: resolver, AllowHTTP: true})
	urls := []string{
		"", "https", "https:", "https:/", "https://", "https:///path", "https://?q", "//example.com/", "/path", "example.com",
		"http://example.com\t/", "https://exa mple.com/", "https://exa\nmple.com", "https:example.com", "https:\\\\example.com",
		"file:///etc/passwd", "ftp://example.com", "gopher://example.com", "dict://example.com", "ldap://example.com", "unix:///run/docker.sock",
		"data:text/html,x", "jar:https://example.com!/", "javascript:alert(1)", "wss://example.com", "https://" + strings.Repeat("a", 64) + ".example",
		"https://" + strings.Repeat("a.", 130) + "example", "https://example.com/" + strings.Repeat("a", maxURL),
	}
	for host := range strings.FieldsSeq(hosts) {
		urls = append(urls, "https://"+host+"/", "https://"+host, "http://"+host+"/latest/meta-data/?x=1#y")
	}
	for _, u := range append(urls, "https://exa\u00admple.com", "https://example.com\u202e") {
		refused(t, u, loose.Check(t.Context(), u))
		refused(t, u, strict.Check(t.Context(), u))
		// What cannot even be written as a request is never sent.
		if r, err := http.NewRequest("POST", u, nil); err == nil && !strings.Contains(u, "nowhere") && !strings.Contains(u, "unknown") && len(u) < maxURL {
			_, err := loose.Do(t.Context(), r)
			refused(t, "Do "+u, err)
		}
	}
	refused(t, "http", strict.Check(t.Context(), "http://example.com/"))
	_, err := strict.Do(t.Context(), &http.Request{})
	refused(t, "no URL", err)
}

func TestPublicAddressesAreAllowed(t *testing.T) {
	c := New(Policy{Resolve: resolver})
	for _, u := range []string{
		"https://example.com", "HTTPS://EXAMPLE.com/a?b#c", "https://example.com.", "https://example.com:8443/", "https://example.com:/", "https://xn--bcher-kva.example/",
		"https://dns64.example", "https://1.1.1.1", "https://172.32.0.1", "https://100.128.0.1", "https://11.0.0.1", "https://223.255.255.255",
		"https://[2606:4700:4700::1111]/", "https://[::ffff:1.1.1.1]/", "https://[64:ff9b::1.1.1.1]",
	} {
		if err := c.Check(t.Context(), u); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestASettingOpensItsNetworksAndNoMore(t *testing.T) {
	c := New(Policy{Resolve: resolver, AllowPrivate: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd12::/16"), netip.MustParsePrefix("::1/128"),
	}})
	for _, host := range []string{"10.0.0.1", "inside.example", "mapped.example", "[fd12::1]", "[::1]", "[64:ff9b::10.0.0.1]"} {
		if err := c.Check(t.Context(), "https://"+host); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for _, host := range []string{"127.0.0.1", "192.168.0.1", "[fd00::1]", "[2002:a00:1::1]", "xn--nnen-3ra.example", "[fd12::1%25eth0]"} {
		refused(t, host, c.Check(t.Context(), "https://"+host))
	}
	// Nobody means these, whatever they write.
	all := New(Policy{Resolve: resolver, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}})
	for host := range strings.FieldsSeq(`169.254.169.254 metadata.google.internal [::ffff:a9fe:a9fe] [64:ff9b::a9fe:a9fe] [2002:a9fe:a9fe::]
		100.100.100.200 168.63.129.16 192.0.0.192 [fd00:ec2::254] [fd20:ce::254] [fe80::1] 0.0.0.0 [::] 224.0.0.1 255.255.255.255 [ff02::1]`) {
		refused(t, host, all.Check(t.Context(), "https://"+host))
	}
	if err := all.Check(t.Context(), "https://127.0.0.1"); err != nil {
		t.Error(err)
	}
}

// The client is told which setting to change, never what the name leads to.
func TestARefusalNamesTheSettingAndKeepsTheAddress(t *testing.T) {
	e := apierr.From(New(Policy{Resolve: resolver}).Check(t.Context(), "https://inside.example"))
	if e == nil || !strings.Contains(e.Message, "GATEHOUSE_OUTBOUND_ALLOW") || strings.Contains(e.Message, "10.0.0.7") {
		t.Fatalf("%v", e)
	}
	if !strings.Contains(e.Error(), "10.0.0.7") {
		t.Errorf("the log does not say why: %v", e)
	}
	if !errors.Is(e, errAddress) {
		t.Error("a copy is another error")
	}
}
