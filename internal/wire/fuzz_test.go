package wire_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"gatehouse/internal/wire"
)

// FuzzBinder: whatever the body, the answer is a success or a clean refusal,
// and a browser never sets what only a server may.
func FuzzBinder(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"user_id":"u","text":"t","parts":[{"name":"a","hidden":"h","inner":{"name":"b"}}],"free":{"a":[1,null]}}`,
		`{"number":1e9,"small":-1,"when":"2026-01-02T03:04:05Z","bytes":"aGk=","list":["\u00e9"]}`, `[[[[`, `{"text":"\ud800"}`, `{"a":"\\\"]}"}`, "{\"\xff\":1}", `{"text":1}{`} {
		f.Add([]byte(seed))
	}
	s, got := binder()
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, path := range []string{"/v1/bind", "/sdk/v1/bind"} {
			a := send(t, s, request("POST", path, string(body)))
			g := got()
			switch {
			case a.Status == 200:
				if path == "/sdk/v1/bind" && (g.UserID != "" || g.Claims != nil || g.Part.Hidden != "") {
					t.Errorf("bound %+v", g)
				}
			case a.Status != 400 || a.Message == "" || g != nil:
				t.Errorf("%d %s", a.Status, a.Text)
			}
		}
	})
}

// FuzzScanner: where a value ends does not depend on what is in it.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`1`, `"\\\"]},"`, `[{"a":"}"},[]]`, `{"\"":{}}`, ` true `, `-0.1e-7`, `"\ud83d\ude00"`, `null`} {
		f.Add(seed)
	}
	s, got := binder()
	f.Fuzz(func(t *testing.T, value string) {
		var want any
		if !utf8.ValidString(value) || strings.Contains(value, `\u0000`) || json.Unmarshal([]byte(value), &want) != nil {
			return
		}
		a := send(t, s, request("POST", "/v1/bind", `{"unknown":`+value+`,"any":`+value+`,"raw":`+value+`,"text":"end"}`))
		g := got()
		if strings.Contains(a.Message, "nested") {
			return
		}
		if a.Status != 200 || !reflect.DeepEqual(g.Any, want) || string(g.Raw) != strings.Trim(value, " \t\r\n") || g.Text != "end" {
			t.Errorf("%q: %d %s %+v", value, a.Status, a.Text, g)
		}
	})
}

// FuzzPathValue: a value that was escaped comes back as it was.
func FuzzPathValue(f *testing.F) {
	for _, seed := range []string{"user-test-1", "auth0|1", "a:b", "a/b", "%2F", "é", "..", "\x00", "\xff", "a b+c?d#e"} {
		f.Add(seed)
	}
	s := serverOf(wire.GET("/v1/users/{id}", wire.Secret, echoID))
	f.Fuzz(func(t *testing.T, id string) {
		if id == "" {
			return
		}
		r := request("GET", "/v1/users/x", "")
		var err error
		if r.URL, err = url.Parse("http://example.com/v1/users/" + url.PathEscape(id)); err != nil {
			t.Fatal(err)
		}
		a := send(t, s, r)
		if clean := utf8.ValidString(id) && !strings.Contains(id, "\x00"); !clean && a.Status == 400 {
			return
		}
		if a.Status != 200 || a.Body["id"] != id {
			t.Errorf("%q: %d %s", id, a.Status, a.Text)
		}
	})
}

// FuzzQuery: whatever the query, no accident.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "limit=1&user_id=a", "limit=1&limit=2", "status=a&status=%00", "%zz", "a;b", "full=true", "colour=%FF"} {
		f.Add(seed)
	}
	s := serverOf(wire.GET("/v1/ask", wire.Secret, taking[asked]))
	f.Fuzz(func(t *testing.T, query string) {
		r := request("GET", "/v1/ask", "")
		r.URL.RawQuery = query
		if a := send(t, s, r); a.Status != 200 && a.Status != 400 {
			t.Errorf("%d %s", a.Status, a.Text)
		}
	})
}

// FuzzClientAddress: a client behind a trusted proxy cannot move the address
// that the proxy wrote by what it writes itself to the left of it.
func FuzzClientAddress(f *testing.F) {
	for _, seed := range []string{"", "1.2.3.4", "10.0.0.9", ",", "[::1]:5, unknown", "for=1.2.3.4", strings.Repeat("10.0.0.1,", 50)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, forged string) {
		r := request("GET", "/v1/x/1", "")
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["X-Forwarded-For"] = []string{forged, forged + ", 198.51.100.7"}
		if got := incoming(t, r, "10.0.0.0/8").IP.String(); got != "198.51.100.7" {
			t.Errorf("forged the address %s with %q", got, forged)
		}
		r.Header["X-Forwarded-For"] = []string{forged}
		if in := incoming(t, r, "10.0.0.0/8"); !in.IP.IsValid() || in.IP.Is4In6() || in.IP.Zone() != "" {
			t.Errorf("%q gives %v", forged, in.IP)
		}
		if got := incoming(t, r).IP.String(); got != "10.0.0.1" {
			t.Errorf("believed %q from a peer that is no proxy", forged)
		}
	})
}

// FuzzBasic: what is taken apart is what was put together, and anything else
// is no credential.
func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"", "Basic ", "Basic dTpw", "basic dTpw=", "Basic dTpw dTpw", "Bearer x", "Basic \x00", "Basic " + strings.Repeat("A", 30000)} {
		f.Add(seed, "user", "password")
	}
	f.Fuzz(func(t *testing.T, header, user, password string) {
		r := request("GET", "/v1/x/1", "")
		r.Header = http.Header{"Authorization": {header}}
		if in := incoming(t, r); !in.HasBasic && in.BasicUser+in.BasicPassword != "" || strings.ContainsAny(in.BasicUser+in.BasicPassword, "\x00\n\r") || strings.Contains(in.BasicUser, ":") {
			t.Errorf("%q: %q %q", header, in.BasicUser, in.BasicPassword)
		}
		text := user + ":" + password
		clean := utf8.ValidString(text) && !strings.Contains(user, ":") && !strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f })
		if !clean || len(text) > 10000 {
			return
		}
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(text)))
		if in := incoming(t, r); !in.HasBasic || in.BasicUser != user || in.BasicPassword != password {
			t.Errorf("%q %q came out as %q %q", user, password, in.BasicUser, in.BasicPassword)
		}
	})
}
