package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/wire"
)

// TestBadInput sends every route everything that is not a request. Each answer
// is a clear refusal of the caller, never a failure of the server.
func TestBadInput(t *testing.T) {
	s := authtest.New(t)
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	bodies := map[string]string{
		"not JSON":           `{"email":`,
		"HTML":               `<html>`,
		"a list":             `[]`,
		"a string":           `"text"`,
		"null":               `null`,
		"two values":         `{}{}`,
		"deep nesting":       `{"name":` + deep + `,"query":` + deep + `}`,
		"invalid UTF-8":      "{\"name\":\"\xff\xfe\"}",
		"NUL":                `{"name":"a\u0000b","domain":"a\u0000b","email":"a\u0000@b.c"}`,
		"2 MB":               `{"name":"` + strings.Repeat("x", 2<<20) + `"}`,
		"a number as text":   `{"email":1,"user_id":2,"domain":3,"session_token":4,"public_key_credential":5,"name":6,"limit":"x"}`,
		"lists everywhere":   `{"email":[],"user_id":[],"domain":[],"session_token":[],"public_key_credential":[],"name":[],"query":[],"cursor":[]}`,
		"objects everywhere": `{"email":{},"user_id":{},"domain":{},"session_token":{},"public_key_credential":{},"cursor":{},"trusted_metadata":1}`,
		"unknown fields":     `{"nobody_knows":{"this":[1,2,3]}}`,
		"huge numbers":       `{"session_duration_minutes":1e400,"limit":99999999999999999999}`,
	}
	paths := []string{"x", "user-test-x", strings.Repeat("a", 5000), "%00", "%ff", "%2e%2e%2f", "'; DROP TABLE users; --"}
	for i, e := range s.App.Server.Endpoints() {
		if e.IsRaw {
			continue
		}
		// Some of these calls succeed, and end sessions or users.
		p := s.Person(fmt.Sprintf("person%d@example.com", i))
		session := p.Session().String("session_token")
		call := func(path, body string) *authtest.Answer {
			return s.Request(e.Method, path, body, func(r *http.Request) {
				switch e.Auth {
				case wire.Secret:
					r.SetBasicAuth(s.Env.ID, s.Secret())
				case wire.Public:
					r.SetBasicAuth(s.Env.PublicTokens[0].Token, session)
					r.Header.Set("Origin", "http://localhost:3000")
				}
			})
		}
		for name, body := range bodies {
			if e.TakesBody {
				clearAnswer(t, e, name, call(strings.NewReplacer("{", "", "}", "").Replace(e.Path), body))
			}
		}
		if !strings.Contains(e.Path, "{") {
			continue
		}
		for _, value := range append(paths, p.UserID) {
			clearAnswer(t, e, "path value "+value[:min(len(value), 30)], call(fill(e.Path, value), "{}"))
		}
	}
}

// clearAnswer fails the test unless an answer is a success or a refusal that says
// what is wrong.
func clearAnswer(t *testing.T, e wire.Endpoint, what string, a *authtest.Answer) {
	t.Helper()
	if a.Status == http.StatusOK {
		return
	}
	code, text := "error_type", "error_message"
	if e.OAuthErrors {
		code, text = "error", "error_description"
	}
	message, _ := a.Get(text).(string)
	if a.Status < 400 || a.Status > 499 || a.Get(code) == nil || len(message) < 10 || len(message) > 1000 {
		t.Errorf("%s %s, %s: %d %.300s", e.Method, e.Path, what, a.Status, a.Text)
	}
	if strings.Contains(message, "sql") || strings.Contains(message, "goroutine") || strings.Contains(message, ".go:") {
		t.Errorf("%s %s, %s: the message shows the inside: %s", e.Method, e.Path, what, message)
	}
}

func fill(pattern, value string) string {
	value = strings.NewReplacer(" ", "%20", "'", "%27", ";", "%3B").Replace(value)
	for {
		open := strings.IndexByte(pattern, '{')
		if open < 0 {
			return pattern
		}
		end := open + strings.IndexByte(pattern[open:], '}')
		pattern = pattern[:open] + value + pattern[end+1:]
	}
}

// TestMissingFieldsAreNamed: who forgets a field reads which.
func TestMissingFieldsAreNamed(t *testing.T) {
	s := authtest.New(t)
	for path, fields := range map[string][]string{
		"/v1/webauthn/register/start":     {"user_id", "domain"},
		"/v1/webauthn/register":           {"user_id", "public_key_credential"},
		"/v1/webauthn/authenticate/start": {"domain"},
		"/v1/webauthn/authenticate":       {"public_key_credential"},
	} {
		message := s.Call(http.MethodPost, path, "{}").Refused(400, "bad_request").String("error_message")
		for _, field := range fields {
			if !strings.Contains(message, field) {
				t.Errorf("%s does not name %s: %s", path, field, message)
			}
		}
	}
}

// TestIDsOfTheWrongKind: an id of another kind or environment is told apart
// from one that does not exist.
func TestIDsOfTheWrongKind(t *testing.T) {
	s := authtest.New(t)
	const u = "0194f0a2-7c1e-7abc-8def-0123456789ab"
	for path, want := range map[string]string{
		"/v1/users/session-test-" + u:         "400 invalid_user_id",
		"/v1/users/user-live-" + u:            "400 live_id_used_in_test_environment",
		"/v1/users/user-test-" + u:            "404 user_not_found",
		"/v1/users/user-test-" + u[:35]:       "400 invalid_user_id",
		"/v1/users/no-such-external-id":       "404 user_not_found",
		"/v1/sessions?user_id=totp-test-" + u: "400 invalid_user_id",
	} {
		a := s.Call(http.MethodGet, path, nil)
		if got := http.StatusText(a.Status); got == "" || want != itoa(a.Status)+" "+a.String("error_type") {
			t.Errorf("%s: %d %s, want %s", path, a.Status, a.Text, want)
		}
	}
	s.Call(http.MethodDelete, "/v1/users/emails/phone-number-test-"+u, nil).Refused(400, "invalid_email_id")
	s.Call(http.MethodPut, "/v1/webauthn/user-test-"+u, fields{"name": "x"}).Refused(400, "invalid_webauthn_registration_id")
}

func itoa(n int) string {
	text, _ := json.Marshal(n) // a number always encodes
	return string(text)
}
