package template

import (
	"bytes"
	"testing"
	"time"

	"gatehouse/internal/delivery"
)

// A mail that is put together from a frame is, byte for byte, what html/template
// makes of it, whatever somebody wrote into its values.
func TestFramesAreWhatTheLibraryWouldWrite(t *testing.T) {
	hostile := "O'Brien & <b>\"+\"</b>\x00 {{.}} ü\u202e <!-- --> </title><script>alert(1)</script>"
	links := []string{
		"https://auth.example.com/v1/x?a=b&c=d%20e&f=(g)'h'\"i\"#j+k", "myapp://callback/ü/<x>?[y]%zz%4", "https://a.example/\\`{}|^ \n",
	}
	styles := []*Style{
		nil, {LogoURL: "https://a.example/hole0x/" + hostile, ButtonColor: "#ffffff"},
		{FontFamily: "BRUSH_SCRIPT_MT", TextAlignment: alignMid, ButtonTextColor: "#123456"},
	}
	for typ := range shapes {
		for _, locale := range EmailLocales {
			for i, link := range links {
				for _, code := range []string{"", "123456"} {
					m := sample(typ, locale, created)
					m.Name, m.Detail, m.To = hostile, hostile, "a+b'<c>@example.com"
					m.Link, m.LoginLink = link, links[(i+1)%len(links)]
					if shapes[typ] == aboutLink {
						m.Code = code
					}
					if code == "" {
						m.ExpiresAt = time.Time{}
					}
					sameAsLibrary(t, locale, hostile, m, styles[i])
				}
			}
		}
	}
}

func sameAsLibrary(t *testing.T, locale, app string, m *delivery.Message, style *Style) {
	t.Helper()
	w := wordMail(localeOf(locale, EmailLocales), app, m, style)
	w.Greeting += app // a name like that is left out of it
	var want bytes.Buffer
	if err := mailTemplate().Execute(&want, w); err != nil {
		t.Fatal(err)
	}
	for range 2 { // made, and remembered
		got, err := w.html()
		if err != nil {
			t.Fatal(err)
		}
		if got != want.String() {
			t.Fatalf("%s, %s:\n got %s\nwant %s", m.Type, locale, got, want.String())
		}
	}
}

func BenchmarkEmail(b *testing.B) {
	m := sample(delivery.Login, "en", created)
	b.ReportAllocs()
	for b.Loop() {
		if err := renderEmail("Lighthouse", nil, m, envelope("", m)); err != nil {
			b.Fatal(err)
		}
	}
}
