package session_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authtest"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
)

func setTemplate(t *testing.T, s *authtest.Server, content, audience string) {
	t.Helper()
	err := s.Projects.SetJWTTemplate(t.Context(), s.Env.ID, project.JWTTemplate{Type: jwttemplate.Session, Content: content, CustomAudience: audience})
	if err != nil {
		t.Fatal(err)
	}
}

func setPolicy(t *testing.T, s *authtest.Server, text string) {
	t.Helper()
	var p project.Policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	if err := s.Projects.SetPolicy(t.Context(), s.Env.ID, p); err != nil {
		t.Fatal(err)
	}
}

const documents = `{
	"roles": [
		{"role_id": "stytch_user", "permissions": [{"resource_id": "documents", "actions": ["read"]}]},
		{"role_id": "editor", "permissions": [{"resource_id": "documents", "actions": ["read", "write"]}]},
		{"role_id": "admin", "permissions": [{"resource_id": "documents", "actions": ["*"]}]}
	],
	"resources": [{"resource_id": "documents", "actions": ["read", "write", "delete"]}]
}`

func custom(t *testing.T, a *authtest.Answer) (session, jwt string) {
	t.Helper()
	claims := payload(t, a.String("session_jwt"))
	for _, own := range []string{"iss", "sub", "aud", "iat", "nbf", "exp", "https://stytch.com/session"} {
		delete(claims, own)
	}
	inJWT, _ := json.Marshal(claims)
	shown, _ := json.Marshal(a.Get("session", "custom_claims"))
	return string(shown), string(inJWT)
}

func TestTemplateMakesTheClaims(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		setPolicy(t, s, documents)
		setTemplate(t, s, `{
			"level": {{ user.trusted_metadata.level }},
			"nick": "{{ user.untrusted_metadata.nick }}",
			"none": {{ user.trusted_metadata.none }},
			"mail": {{ user.email }},
			"mails": {{ user.emails }},
			"app": {"id": "{{ user.external_id }}", "may": {{ user.rbac.documents.actions }}, "roles": {{ user.rbac.roles }}},
			"sid": {{ session.session_id }}, "until": {{ session.expires_at }}, "by": {{ session.authentication_factors.0.type }},
			"sub": "somebody else"
		}`, "https://api.example.com")
		p := s.Person("a@example.com")
		s.Call(put, "/v1/users/"+p.UserID, fields{
			"trusted_metadata": fields{"level": 7}, "untrusted_metadata": fields{"nick": `"}}, "level": 9, {{ user.user_id }}`},
			"external_id": "customer-1", "roles": []string{"editor"},
		}).OK()
		a := p.Session()
		want := fields{
			"level": 7.0, "nick": `"}}, "level": 9, {{ user.user_id }}`, "mails": []any{},
			"app": fields{"id": "customer-1", "may": []any{"read", "write"}, "roles": []any{"stytch_user", "editor"}},
			"sid": a.Get("session", "session_id"), "until": a.Get("session", "expires_at"), "by": "webauthn",
		}
		if got := a.Get("session", "custom_claims"); !reflect.DeepEqual(got, want) {
			t.Errorf("custom_claims = %v", got)
		}
		if shown, inJWT := custom(t, a); shown != inJWT {
			t.Errorf("the session shows %s, the JWT holds %s", shown, inJWT)
		}
		claims := payload(t, a.String("session_jwt"))
		if claims["sub"] != p.UserID || !reflect.DeepEqual(claims["aud"], []any{s.Env.ID, "https://api.example.com"}) {
			t.Errorf("sub = %v, aud = %v", claims["sub"], claims["aud"])
		}
		// A second look is served the same JWT, and shows the same session.
		again := s.Call(post, "/v1/sessions/authenticate", fields{"session_jwt": a.String("session_jwt")}).OK()
		if again.String("session_jwt") != a.String("session_jwt") || !reflect.DeepEqual(again.Get("session", "custom_claims"), want) {
			t.Errorf("a second look gave %s", again.Text)
		}
		listed := s.Call(get, "/v1/sessions?user_id="+p.UserID, nil).OK()
		if got := listed.Get("sessions", 0, "custom_claims"); !reflect.DeepEqual(got, want) {
			t.Errorf("the list shows %v", got)
		}
	})
}

func TestTemplateAtTheBrowsersDoor(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		setTemplate(t, s, `{"level": {{ user.trusted_metadata.level }}, "nick": {{ user.untrusted_metadata.nick }}}`, "")
		p := s.Person("a@example.com")
		s.Call(put, "/v1/users/"+p.UserID, fields{"trusted_metadata": fields{"level": 7}}).OK()
		b := s.Browser()
		b.Token = p.Session().String("session_token")
		if shown, inJWT := custom(t, b.Call(post, "/sdk/v1/sessions/authenticate", fields{}).OK()); shown != `{"level":7}` || inJWT != shown {
			t.Errorf("shown %s, in the JWT %s", shown, inJWT)
		}
		b.Call(put, "/sdk/v1/users/me", fields{"untrusted_metadata": fields{"nick": "Ada"}}).OK()
		if shown, inJWT := custom(t, b.Call(post, "/sdk/v1/sessions/authenticate", fields{}).OK()); shown != `{"level":7,"nick":"Ada"}` || inJWT != shown {
			t.Errorf("after a change, shown %s, in the JWT %s", shown, inJWT)
		}
		b.Call(put, "/sdk/v1/users/me", fields{"trusted_metadata": fields{"level": 9}}).Refused(401, "cannot_update_trusted_metadata")
	})
}

func TestChangesShowInTheNextJWT(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		body := fields{"session_token": p.Session().String("session_token")}
		look := func() string {
			shown, inJWT := custom(t, s.Call(post, "/v1/sessions/authenticate", body).OK())
			if shown != inJWT && shown != "null" {
				t.Errorf("shown %s, in the JWT %s", shown, inJWT)
			}
			return inJWT
		}
		if got := look(); got != `{}` {
			t.Errorf("without a template: %s", got)
		}
		setTemplate(t, s, `{"level": {{ user.trusted_metadata.level }}}`, "")
		if got := look(); got != `{}` {
			t.Errorf("without metadata: %s", got)
		}
		s.Call(put, "/v1/users/"+p.UserID, fields{"trusted_metadata": fields{"level": fields{"n": 1}}}).OK()
		if got := look(); got != `{"level":{"n":1}}` {
			t.Errorf("after a change of metadata: %s", got)
		}
		setTemplate(t, s, `{"rank": {{ user.trusted_metadata.level.n }}}`, "")
		if got := look(); got != `{"rank":1}` {
			t.Errorf("after a change of the template: %s", got)
		}
		if err := s.Projects.RemoveJWTTemplate(t.Context(), s.Env.ID, jwttemplate.Session); err != nil {
			t.Fatal(err)
		}
		if got := look(); got != `{}` {
			t.Errorf("after its removal: %s", got)
		}
	})
}

func TestCallsOverrideTheTemplate(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		setTemplate(t, s, `{"plan": "free", "app": {"a": 1, "b": 2}, "id": {{ user.user_id }}}`, "")
		p := s.Person("a@example.com")
		body := fields{"session_token": p.Session().String("session_token")}
		claim := func(claims fields) string {
			body["session_custom_claims"] = claims
			shown, inJWT := custom(t, s.Call(post, "/v1/sessions/authenticate", body).OK())
			if shown != inJWT {
				t.Errorf("shown %s, in the JWT %s", shown, inJWT)
			}
			return strings.ReplaceAll(inJWT, p.UserID, "U")
		}
		for _, step := range []struct {
			claims fields
			want   string
		}{
			{fields{"plan": "gold", "seat": 1}, `{"app":{"a":1,"b":2},"id":"U","plan":"gold","seat":1}`},
			{fields{"plan": nil, "app": fields{"b": nil, "c": 3}}, `{"app":{"a":1,"c":3},"id":"U","seat":1}`},
			{fields{"seat": nil, "id": nil}, `{"app":{"a":1,"c":3}}`},
			{fields{"plan": "silver"}, `{"app":{"a":1,"c":3},"plan":"silver"}`},
			{fields{"app": nil}, `{"plan":"silver"}`},
		} {
			if got := claim(step.claims); got != step.want {
				t.Errorf("%v: got %s, want %s", step.claims, got, step.want)
			}
		}
		// What was deleted stays deleted, also once the template is gone.
		if err := s.Projects.RemoveJWTTemplate(t.Context(), s.Env.ID, jwttemplate.Session); err != nil {
			t.Fatal(err)
		}
		if got := claim(fields{"x": 1}); got != `{"plan":"silver","x":1}` {
			t.Errorf("without the template: %s", got)
		}
	})
}

// A template that makes too much for one user must not lock that user out.
func TestOverflowingTemplateLocksNobodyOut(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		setTemplate(t, s, `{"a": {{ user.untrusted_metadata }}, "b": {{ user.untrusted_metadata }}}`, "")
		p := s.Person("a@example.com")
		small := p.SignIn(fields{"session_duration_minutes": 60, "session_custom_claims": fields{"mine": 1}}).OK()
		if shown, _ := custom(t, small); shown != `{"a":{},"b":{},"mine":1}` {
			t.Errorf("before: %s", shown)
		}
		s.Call(put, "/v1/users/"+p.UserID, fields{"untrusted_metadata": fields{"v": strings.Repeat("x", 3000)}}).OK()
		a := s.Call(post, "/v1/sessions/authenticate", fields{"session_token": small.String("session_token")}).OK()
		if shown, inJWT := custom(t, a); shown != `{"mine":1}` || inJWT != shown {
			t.Errorf("overflowing: shown %s, in the JWT %s", shown, inJWT)
		}
		p.SignIn(fields{"session_duration_minutes": 60}).OK()
		if log := s.Logs.String(); !strings.Contains(log, p.UserID) || !strings.Contains(log, "larger than") {
			t.Errorf("the log does not say it: %s", log)
		} else if strings.Contains(log, "xxxxxxxx") { // security case 65
			t.Errorf("the log holds what the user wrote: %s", log)
		}
		// The session's own claims and the template's are too large together.
		setTemplate(t, s, `{"a": {{ user.untrusted_metadata }}}`, "")
		a = s.Call(post, "/v1/sessions/authenticate", fields{"session_token": small.String("session_token"), "session_custom_claims": fields{"own": strings.Repeat("y", 2000)}}).OK()
		if own := a.Get("session", "custom_claims").(fields); own["a"] != nil || own["own"] == nil {
			t.Errorf("together: %v", own)
		}
	})
}

func TestAuthorizationCheck(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		token := p.Session().String("session_token")
		check := func(action string) *authtest.Answer {
			return s.Call(post, "/v1/sessions/authenticate", fields{"session_token": token, "authorization_check": fields{"resource_id": "documents", "action": action}})
		}
		check("read").Refused(403, "consumer_session_authorization_error")
		setPolicy(t, s, documents)
		granted := func(action string, roles ...any) {
			t.Helper()
			a := check(action).OK()
			if a.Get("verdict", "authorized") != true || !reflect.DeepEqual(a.Get("verdict", "granting_roles"), roles) {
				t.Errorf("%s: %v, want %v", action, a.Get("verdict"), roles)
			}
		}
		granted("read", "stytch_user")
		check("write").Refused(403, "consumer_session_authorization_error")
		s.Call(put, "/v1/users/"+p.UserID, fields{"roles": []string{"admin", "editor"}}).OK()
		granted("read", "stytch_user", "editor", "admin")
		granted("write", "editor", "admin")
		granted("delete", "admin")
		granted("something new", "admin") // every action, as SDKs decide
		s.Call(post, "/v1/sessions/authenticate", fields{"session_token": token, "authorization_check": fields{"resource_id": "Documents", "action": "read"}}).
			Refused(403, "consumer_session_authorization_error")
		plain := s.Call(post, "/v1/sessions/authenticate", fields{"session_token": token}).OK()
		if _, has := plain.Body["verdict"]; has {
			t.Errorf("a verdict came unasked: %s", plain.Text)
		}
	})
}

// A role that leaves the policy stays assigned and grants nothing; it is back
// in force when it is back in the policy.
func TestRoleTakenOutOfThePolicy(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		setPolicy(t, s, documents)
		p := s.Person("a@example.com")
		s.Call(put, "/v1/users/"+p.UserID, fields{"roles": []string{"admin"}}).OK()
		token := p.Session().String("session_token")
		look := func(action string) *authtest.Answer {
			return s.Call(post, "/v1/sessions/authenticate", fields{"session_token": token, "authorization_check": fields{"resource_id": "documents", "action": action}})
		}
		roles := func(a *authtest.Answer) string {
			inJWT, _ := json.Marshal(payload(t, a.String("session_jwt"))["https://stytch.com/session"].(fields)["roles"])
			shown, _ := json.Marshal(a.Get("session", "roles"))
			if string(shown) != string(inJWT) {
				t.Errorf("shown %s, in the JWT %s", shown, inJWT)
			}
			return string(inJWT)
		}
		if got := roles(look("delete").OK()); got != `["stytch_user","admin"]` {
			t.Errorf("before: %s", got)
		}
		setPolicy(t, s, strings.Replace(documents, `"admin"`, `"chief"`, 1))
		look("delete").Refused(403, "consumer_session_authorization_error")
		a := look("read").OK()
		if got := roles(a); got != `["stytch_user"]` || !reflect.DeepEqual(a.Get("user", "roles"), []any{"admin"}) {
			t.Errorf("without the role: in force %s, assigned %v", got, a.Get("user", "roles"))
		}
		s.Call(put, "/v1/users/"+p.UserID, fields{"name": fields{"first_name": "Ada"}}).OK() // other changes go on
		s.Call(put, "/v1/users/"+p.UserID, fields{"roles": []string{"admin"}}).Refused(400, "invalid_rbac_role_assignment")
		setPolicy(t, s, documents)
		if got := roles(look("delete").OK()); got != `["stytch_user","admin"]` {
			t.Errorf("once it is back: %s", got)
		}
	})
}

// Security case 24: what one environment allows means nothing in another, also
// under the same names.
func TestRolesDoNotCrossEnvironments(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		setPolicy(t, s, documents)
		setTemplate(t, s, `{"level": 9}`, "")
		other := s.Environment("Other")
		body := fields{"email": "a@example.com", "external_id": "customer-1", "roles": []string{"admin"}}
		s.Call(post, "/v1/users", body).OK()
		other.Call(post, "/v1/users", body).Refused(400, "invalid_rbac_role_assignment")
		p := other.Person("b@example.com")
		a := p.Session()
		if shown, inJWT := custom(t, a); shown != "null" || inJWT != "{}" {
			t.Errorf("the other environment's JWT holds %s", inJWT)
		}
		check := fields{"session_token": a.String("session_token"), "authorization_check": fields{"resource_id": "documents", "action": "read"}}
		other.Call(post, "/v1/sessions/authenticate", check).Refused(403, "consumer_session_authorization_error")
		s.Call(post, "/v1/sessions/authenticate", check).Refused(404, "session_not_found")
		if got := other.Call(get, "/v1/rbac/policy", nil).OK().Get("policy", "roles"); len(got.([]any)) != 1 {
			t.Errorf("the other environment's policy has %v", got)
		}
	})
}

// Security case 52: an authorization check is no way around what ends sessions.
func TestChecksOfTheDeletedAndRevoked(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		setPolicy(t, s, documents)
		check := func(a *authtest.Answer, by string) *authtest.Answer {
			return s.Call(post, "/v1/sessions/authenticate", fields{by: a.String(by), "authorization_check": fields{"resource_id": "documents", "action": "read"}})
		}
		p, q := s.Person("a@example.com"), s.Person("b@example.com")
		deleted, revoked := p.Session(), q.Session()
		check(deleted, "session_jwt").OK()
		s.Call(remove, "/v1/users/"+p.UserID, nil).OK()
		s.Call(post, "/v1/sessions/revoke", fields{"session_token": revoked.String("session_token")}).OK()
		for _, a := range []*authtest.Answer{deleted, revoked} {
			check(a, "session_jwt").Refused(404, "session_not_found")
			check(a, "session_token").Refused(404, "session_not_found")
		}
		late := q.Session()
		s.Clock.Advance(61 * time.Minute)
		check(late, "session_jwt").Refused(404, "session_not_found")
	})
}

// The policy and the bootstrap's part of it are what SDKs decide by: complete,
// lists and not null.
func TestPolicyAtBothDoors(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		setPolicy(t, s, documents)
		server := s.Call(get, "/v1/rbac/policy", nil).OK()
		browser := s.Browser().Call(get, "/sdk/v1/projects/bootstrap/"+s.Env.PublicTokens[0].Token, nil).OK()
		one, _ := json.Marshal(server.Get("policy"))
		two, _ := json.Marshal(browser.Get("rbac_policy"))
		want := `{"resources":[{"actions":["read","write","delete"],"description":"","resource_id":"documents"}],` +
			`"roles":[{"description":"","permissions":[{"actions":["read"],"resource_id":"documents"}],"role_id":"stytch_user"},` +
			`{"description":"","permissions":[{"actions":["read","write"],"resource_id":"documents"}],"role_id":"editor"},` +
			`{"description":"","permissions":[{"actions":["*"],"resource_id":"documents"}],"role_id":"admin"}],"scopes":[]}`
		if string(one) != want || string(two) != want {
			t.Errorf("got %s\nand %s\nwant %s", one, two, want)
		}
	})
}

// Changes of the policy while sessions are asked about: every answer follows
// one policy or the other, and a session's roles are those of its verdict.
func TestConcurrentPolicyChanges(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		setPolicy(t, s, documents)
		p := s.Person("a@example.com")
		s.Call(put, "/v1/users/"+p.UserID, fields{"roles": []string{"admin"}}).OK()
		token := p.Session().String("session_token")
		var two project.Policy
		if err := json.Unmarshal([]byte(strings.Replace(documents, `"admin"`, `"chief"`, 1)), &two); err != nil {
			t.Fatal(err)
		}
		var one project.Policy
		if err := json.Unmarshal([]byte(documents), &one); err != nil {
			t.Fatal(err)
		}
		var wait sync.WaitGroup
		wait.Go(func() {
			for i := range 10 {
				if err := s.Projects.SetPolicy(t.Context(), s.Env.ID, []project.Policy{two, one}[i%2]); err != nil {
					t.Error(err)
				}
			}
		})
		results := authtest.Together(20, func(int) *authtest.Answer {
			a := s.Call(post, "/v1/sessions/authenticate", fields{"session_token": token, "authorization_check": fields{"resource_id": "documents", "action": "delete"}})
			if a.Status == 200 && !slices.Contains(a.Get("session", "roles").([]any), any("admin")) {
				t.Errorf("granted by a role that the session does not show: %s", a.Text)
			}
			return a
		})
		wait.Wait()
		for outcome := range results {
			if outcome != "" && outcome != "consumer_session_authorization_error" {
				t.Errorf("there was %q: %v", outcome, results)
			}
		}
		s.Call(post, "/v1/sessions/authenticate", fields{"session_token": token, "authorization_check": fields{"resource_id": "documents", "action": "delete"}}).OK()
	})
}

// Security case 58: a template can name what it may show and nothing else: no
// function, no file, no setting, no other user.
func TestTemplatesReachNothingElse(t *testing.T) {
	s := authtest.New(t)
	for _, tag := range []string{
		"user.password", "user.totps", "env.PATH", "client.client_id", "project.secret", "session.session_token", "user.user_id()", "user.user_id | shell",
		"user.trusted_metadata..", "__proto__", "user.__proto__", "user['user_id']", "../user.user_id", "7*7", "session", "user",
	} {
		err := s.Projects.SetJWTTemplate(t.Context(), s.Env.ID, project.JWTTemplate{Type: jwttemplate.Session, Content: `{"a": {{ ` + tag + ` }}}`})
		if e := apierr.From(err); e == nil || e.Type != "jwt_template_invalid_tag" {
			t.Errorf("%s gave %v", tag, err)
		}
	}
}
