package totp

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
	"net/url"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"gatehouse/internal/user"
)

// Scan reads a QR code as a phone does.
func Scan(t *testing.T, address string) string {
	t.Helper()
	encoded, ok := strings.CutPrefix(address, "data:image/png;base64,")
	if !ok {
		t.Fatalf("the address begins %.40q", address)
	}
	file, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if picture.Bounds() != image.Rect(0, 0, 200, 200) {
		t.Errorf("the image is %v", picture.Bounds())
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	read, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		t.Fatalf("nobody could scan it: %v", err)
	}
	return read.GetText()
}

func TestKeyURIs(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	long := strings.Repeat("ü", 300)
	for _, c := range []struct{ project, account, issuer, label string }{
		{"Acme", "ada@example.com", "Acme", "ada@example.com"},
		{"Acme", "+14155552671", "Acme", "+14155552671"},
		{"Müller & Söhne", "ada+tag@bücher.example", "Müller & Söhne", "ada+tag@bücher.example"},
		{"A:B", "a:b", "A B", "a b"},
		{"a/b?c#d=e%20f+g", "x?secret=AAAA&issuer=Evil", "a/b?c#d=e%20f+g", "x?secret=AAAA&issuer=Evil"},
		{" \n A \t B ", "a", "A B", "a"},
		{long, long, strings.Repeat("ü", maxIssuer/6), strings.Repeat("ü", maxAccount/6)},
	} {
		uri := keyURI(c.project, c.account, secret)
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		if u.Scheme != "otpauth" || u.Host != "totp" || u.Fragment != "" {
			t.Errorf("%q begins with %s://%s", uri, u.Scheme, u.Host)
		}
		if issuer, label, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), ":"); issuer != c.issuer || label != c.label {
			t.Errorf("%q names %q, %q", uri, issuer, label)
		}
		q := u.Query()
		if len(q) != 2 || len(q["secret"]) != 1 || q.Get("secret") != secret || q.Get("issuer") != c.issuer {
			t.Errorf("%q says %v", uri, q)
		}
		if strings.Count(u.EscapedPath(), ":") != 1 || strings.Contains(uri, "+") || strings.Contains(uri, " ") {
			t.Errorf("%q is not escaped for every app", uri)
		}
		address, err := qrCode(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := Scan(t, address); got != uri {
			t.Errorf("the code reads %q, want %q", got, uri)
		}
		if len(address) > 4096 {
			t.Errorf("the image has %d characters", len(address))
		}
	}
}

// Squares of less than two pixels cannot be scanned: the longest names there
// can be leave them that.
func TestLongestNamesCanBeScanned(t *testing.T) {
	uri := keyURI(strings.Repeat("x", 1000), strings.Repeat("y", 1000), strings.Repeat("A", 32))
	if len(uri) > 560 { // what a code of 89 squares holds: 89 and its margin fit 200 pixels twice
		t.Errorf("the longest address has %d characters", len(uri))
	}
}

func TestAccounts(t *testing.T) {
	both := &user.User{UserID: "user-test-1", Emails: []user.Email{{Email: "a@example.com"}, {Email: "b@example.com"}}, PhoneNumbers: []user.PhoneNumber{{PhoneNumber: "+14155552671"}}}
	for want, u := range map[string]*user.User{
		"a@example.com": both,
		"+14155552671":  {UserID: "user-test-1", PhoneNumbers: both.PhoneNumbers},
		"user-test-1":   {UserID: "user-test-1"},
	} {
		if got := account(u); got != want {
			t.Errorf("the account is %q, want %q", got, want)
		}
	}
}

func FuzzKeyURI(f *testing.F) {
	f.Add("Acme", "ada@example.com")
	f.Add("a:b\x00\xff", "?secret=x&issuer=y#z")
	f.Fuzz(func(t *testing.T, project, account string) {
		uri := keyURI(project, account, "SECRET")
		u, err := url.Parse(uri)
		if err != nil || u.Host != "totp" || len(u.Query()) != 2 || u.Query().Get("secret") != "SECRET" || len(uri) > 560 {
			t.Errorf("%q and %q make %q, %v", project, account, uri, err)
		}
	})
}
