package app_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/wire"
)

// canary stands for whatever a client may hold dear. It is short, so that what
// cuts texts off does not hide it.
const canary = "zqcanaryqz"

// TestLogLeakage is security case 65: what clients send, in every place where
// they can send something, and the secrets that the server hands out, are in
// no log line, metric, span or event.
func TestLogLeakage(t *testing.T) {
	receiver := receiveTraces(t)
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		secrets := liveWithCanaries(t, s)
		secrets["what clients send"] = canary
		routes := inputFields(t, s)
		for _, e := range s.App.Server.Endpoints() {
			for _, caller := range callersOf(s, e, secrets["session token"]) {
				for _, body := range canaryBodies(routes[e.Method+" "+e.Path]) {
					sendCanaries(s, e, caller, body)
				}
			}
		}
		s.Request(canary, "/"+canary+"/"+canary, canary, nil)
		if err := s.Outbox.RunPeriodic(t.Context()); err != nil {
			t.Error(err)
		}
		s.Request(http.MethodGet, "/healthz", nil, nil).OK()
		receiver.until("GET /healthz")

		seen := map[string]string{"log": s.Logs.String(), "metrics": scrape(s), "traces": receiver.text(), "events": events(t, s)}
		for place, want := range map[string]string{"log": `"route":"/v1/users/search"`, "metrics": `route="/v1/users/search"`, "traces": "/v1/users/search", "events": `"type":"login"`} {
			if !strings.Contains(seen[place], want) {
				t.Errorf("the %s lack %s, so finding nothing in them proves nothing", place, want)
			}
		}
		for place, text := range seen {
			for name, secret := range secrets {
				for _, form := range disguises(secret) {
					if at := strings.Index(strings.ToLower(text), strings.ToLower(form)); at >= 0 {
						t.Errorf("the %s hold the %s: ...%.300s", place, name, text[max(0, at-200):])
						break
					}
				}
			}
		}
	}, withMetrics, receiver.options)
}

// liveWithCanaries lets a person whose data are all canaries live a whole life
// and returns the secrets that passed over the wire.
func liveWithCanaries(t *testing.T, s *authtest.Server) map[string]string {
	t.Helper()
	p := s.Person(canary + "@example.com")
	first := p.Session()
	token, jwt := first.String("session_token"), first.String("session_jwt")
	s.Call(http.MethodPut, "/v1/users/"+p.UserID, fields{
		"name": fields{"first_name": canary, "last_name": canary}, "external_id": canary,
		"trusted_metadata": fields{canary: canary}, "untrusted_metadata": fields{canary: canary},
	}).OK()
	s.Call(http.MethodPut, "/v1/webauthn/"+p.RegistrationID, fields{"name": canary}).OK()
	s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": jwt, "session_custom_claims": fields{canary: canary}}).OK()
	s.Call(http.MethodPost, "/v1/users/search", fields{"query": fields{"operator": "AND", "operands": []fields{{"filter_name": "email_address_fuzzy", "filter_value": canary}}}}).OK()
	s.Call(http.MethodGet, "/v1/users/"+canary, nil).OK() // by its external id
	b := s.Browser()
	b.Token = token
	b.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", fields{"session_duration_minutes": 30}).OK()
	b.Call(http.MethodPut, "/sdk/v1/users/me", fields{"name": fields{"middle_name": canary}}).OK()
	assertion := p.Assertion()
	forged := strings.Replace(assertion, `"signature":"`, `"signature":"AAAA`, 1)
	s.Call(http.MethodPost, "/v1/webauthn/authenticate", fields{"public_key_credential": forged})
	s.Call(http.MethodPost, "/v1/webauthn/authenticate", fields{"public_key_credential": assertion, "session_jwt": jwt})
	gone := p.Session().String("session_token")
	s.Call(http.MethodPost, "/v1/sessions/revoke", fields{"session_token": gone}).OK()
	s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": gone}).Refused(404, "session_not_found")
	return map[string]string{
		"session token": token, "session JWT": jwt, "revoked session token": gone, "project secret": s.Secret(),
		"assertion": assertion, "metrics token": metricsToken,
	}
}

// inputFields reads from the OpenAPI document what each route takes in its body.
func inputFields(t *testing.T, s *authtest.Server) map[string]map[string]any {
	t.Helper()
	text, err := wire.OpenAPI(wire.Info{Title: "Gatehouse"}, s.App.Server.Endpoints())
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Ref        string         `json:"$ref"`
		Properties map[string]any `json:"properties"`
	}
	var doc struct {
		Paths map[string]map[string]struct {
			RequestBody struct {
				Content map[string]struct {
					Schema schema `json:"schema"`
				} `json:"content"`
			} `json:"requestBody"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]schema `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	found, n := map[string]map[string]any{}, 0
	for path, methods := range doc.Paths {
		for method, operation := range methods {
			for _, content := range operation.RequestBody.Content {
				sc := content.Schema
				if name, ok := strings.CutPrefix(sc.Ref, "#/components/schemas/"); ok {
					sc = doc.Components.Schemas[name]
				}
				found[strings.ToUpper(method)+" "+path] = sc.Properties
				n += len(sc.Properties)
			}
		}
	}
	if n < 50 {
		t.Fatalf("only %d fields were found in the document", n)
	}
	return found
}

// canaryBodies are a body of the right types with one field of a wrong one
// each time, one that is wrong everywhere, and some that are no objects.
func canaryBodies(properties map[string]any) []string {
	right, wrong := fields{canary: canary}, fields{canary: fields{canary: canary}}
	for name, schema := range properties {
		right[name], wrong[name] = canaryOf(schema), fields{canary: []any{canary}}
	}
	if right["client_id"] != nil {
		right["client_id"] = "canaries" // a name that the audit log calls a client by
	}
	list := []string{canary, `{"` + canary, `"` + canary + `"`, `{"a":"` + canary + "\x01\"}", encoded(right), encoded(wrong)}
	for name := range properties {
		one := fields{}
		for k, v := range right {
			one[k] = v
		}
		one[name] = []any{canary}
		if _, isText := right[name].(string); isText {
			one[name] = canary + "@" + canary + ".example"
		}
		list = append(list, encoded(one))
	}
	return list
}

func canaryOf(schema any) any {
	text := encoded(schema)
	switch {
	case strings.Contains(text, `"integer"`), strings.Contains(text, `"number"`):
		return 60
	case strings.Contains(text, `"boolean"`):
		return true
	case strings.Contains(text, `"array"`):
		return []any{canary}
	case strings.Contains(text, `"object"`), strings.Contains(text, `"$ref"`):
		return fields{canary: canary}
	}
	return canary
}

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// callersOf are those who get past the gate, and those who bring canaries to it.
func callersOf(s *authtest.Server, e wire.Endpoint, session string) []func(*http.Request) {
	public := s.Env.PublicTokens[0].Token
	list := []func(*http.Request){
		func(r *http.Request) { r.SetBasicAuth(s.Env.ID, canary) },
		func(r *http.Request) { r.SetBasicAuth(canary, canary) },
		func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+canary) },
		func(r *http.Request) { r.Header.Set("Origin", "https://"+canary+".example") },
	}
	switch e.Auth {
	case wire.Secret:
		list = append(list, func(r *http.Request) { r.SetBasicAuth(s.Env.ID, s.Secret()) })
	case wire.Public:
		list = append(list,
			func(r *http.Request) { r.SetBasicAuth(public, session) },
			func(r *http.Request) { r.SetBasicAuth(public, canary) },
			func(r *http.Request) { r.SetBasicAuth(public, "eyJ"+strings.Repeat(canary, 20)) },
			func(r *http.Request) {
				r.SetBasicAuth(public, session)
				r.Header.Set("Origin", "https://"+canary+".example")
			})
	}
	return list
}

func sendCanaries(s *authtest.Server, e wire.Endpoint, caller func(*http.Request), body string) {
	path := e.Path
	for strings.Contains(path, "{") {
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + canary + after
	}
	path = strings.Replace(path, "*", canary, 1)
	query := url.Values{}
	for _, name := range []string{canary, "token", "session_token", "user_id", "domain", "email"} {
		query.Set(name, canary)
	}
	s.Request(e.Method, path+"?"+query.Encode(), body, func(r *http.Request) {
		for _, name := range []string{"Referer", "X-Request-Id", "X-Forwarded-For", "X-Real-Ip", "Forwarded", "Tracestate", "Accept-Language",
			"X-Sdk-Client", "X-Stytch-Oauth-Type", "Baggage", "If-None-Match", "X-" + canary} {
			r.Header.Set(name, canary)
		}
		r.Header.Set("Tracestate", canary+"="+canary)
		r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
		r.Header.Set("X-Sdk-Client", base64.StdEncoding.EncodeToString([]byte(`{"app":{"identifier":"`+canary+`"}}`)))
		for _, name := range []string{project.SessionCookie, project.SessionJWTCookie, canary} {
			r.AddCookie(&http.Cookie{Name: name, Value: canary})
		}
		if e.Auth == wire.Public {
			r.Header.Set("Origin", "http://localhost:3000")
		}
		caller(r)
	})
}

// events is the audit log of both environments as an operator reads it. The
// user agent is in it on purpose, to recognise a browser by.
func events(t *testing.T, s *authtest.Server) string {
	t.Helper()
	var text strings.Builder
	for _, env := range s.Projects.Environments() {
		list, err := event.List(t.Context(), s.DB, env.ID, "", "", 10_000)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			e.UserAgent = ""
			fmt.Fprintln(&text, encoded(e))
		}
	}
	return text.String()
}

// disguises are the forms in which a secret could still be read: as it is, in
// hex, and in base64 wherever it begins.
func disguises(secret string) []string {
	list := []string{secret, hex.EncodeToString([]byte(secret))}
	for offset := range 3 {
		b := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + secret))
		list = append(list, b[(offset*8+5)/6:len(b)-1])
	}
	return list
}
