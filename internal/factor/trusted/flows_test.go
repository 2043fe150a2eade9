package trusted_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/trusted"
	"gatehouse/internal/jwks/jwkstest"
)

type fields = map[string]any

const (
	attest   = "/v1/sessions/attest"
	audience = "https://gatehouse.example"
)

// world is a server and an issuer that one of its profiles trusts.
type world struct {
	*authtest.Server
	t       *testing.T
	issuer  *jwkstest.Issuer
	profile *trusted.Profile
	tokens  int
}

// reachable opens the machine itself, where the issuers of these tests are.
func reachable(o *app.Options) { o.Server.OutboundAllow = []string{"127.0.0.1/32"} }

func each(t *testing.T, test func(w *world), edits ...func(*trusted.Profile)) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) { test(enter(t, s, edits...)) }, reachable)
}

func enter(t *testing.T, s *authtest.Server, edits ...func(*trusted.Profile)) *world {
	t.Helper()
	w := &world{Server: s, t: t, issuer: jwkstest.New(t, s.Clock.Now)}
	p := trusted.Profile{
		Name: "Issuer", Issuer: w.issuer.URL, Audience: audience, JWKSURL: w.issuer.JWKS(),
		AttributeMapping: map[string]string{"email": "email", "token_id": "jti"},
	}
	for _, edit := range edits {
		edit(&p)
	}
	var err error
	if w.profile, err = s.TrustedTokens.Create(t.Context(), s.Env, p); err != nil {
		t.Fatal(err)
	}
	return w
}

func provisions(p *trusted.Profile) { p.CanJITProvision = true }

func maps(name, path string) func(*trusted.Profile) {
	return func(p *trusted.Profile) { p.AttributeMapping[name] = path }
}

// token is a good token with an id of its own for an address; more replaces and
// adds claims, nil takes them away.
func (w *world) token(email string, more fields) string {
	w.t.Helper()
	w.tokens++
	claims := fields{"jti": fmt.Sprintf("token-%d", w.tokens), "email": email}
	for name, v := range more {
		claims[name] = v
	}
	return w.issuer.Token(audience, claims)
}

func (w *world) attest(token string, more fields) *authtest.Answer {
	w.t.Helper()
	body := fields{"profile_id": w.profile.ID, "token": token, "session_duration_minutes": 60}
	for name, v := range more {
		body[name] = v
	}
	return w.Call(http.MethodPost, attest, body)
}

func (w *world) user(body fields) *authtest.Answer {
	w.t.Helper()
	return w.Call(http.MethodPost, "/v1/users", body).OK()
}

func TestATokenSignsInWhomItNames(t *testing.T) {
	each(t, func(w *world) {
		p := w.Person("ada@example.com")
		a := w.attest(w.token("ADA@example.com", fields{"jti": "t-1"}), nil).OK()
		if a.String("user_id") != p.UserID || a.String("session_token") == "" || a.String("session_jwt") == "" {
			t.Errorf("%s", a.Text)
		}
		factor := a.Get("session", "authentication_factors", 0).(fields)
		if factor["type"] != "trusted_auth_token" || factor["delivery_method"] != "trusted_token_exchange" || factor["trusted_auth_token_factor"].(fields)["token_id"] != "t-1" {
			t.Errorf("%v", factor)
		}
		w.attest(w.token("nobody@example.com", nil), nil).Refused(404, "email_not_found")
		without := w.attest(w.token("ada@example.com", nil), fields{"session_duration_minutes": nil}).OK()
		if without.Get("session") != nil || without.String("session_token") != "" {
			t.Errorf("a session nobody asked for: %s", without.Text)
		}
		// A page and an app by the public token.
		b := w.Browser()
		token := w.token("ada@example.com", nil)
		page := b.Call(http.MethodPost, "/sdk/v1/sessions/attest", fields{"profile_id": w.profile.ID, "token": token, "session_duration_minutes": 60}).OK()
		b.Token = page.String("session_token")
		b.Call(http.MethodGet, "/sdk/v1/users/me", nil).OK()
	})
}

func TestATokenJoinsASession(t *testing.T) {
	each(t, func(w *world) {
		own := w.Person("ada@example.com").Session()
		w.user(fields{"email": "eve@example.com"})
		join := fields{"session_token": own.String("session_token")}
		a := w.attest(w.token("ada@example.com", fields{"jti": "a"}), join).OK()
		if a.Get("session", "session_id") != own.Get("session", "session_id") || len(a.Get("session", "authentication_factors").([]any)) != 2 {
			t.Errorf("%s", a.Text)
		}
		// The next token takes the place of the one before it.
		a = w.attest(w.token("ada@example.com", fields{"jti": "b"}), fields{"session_jwt": a.String("session_jwt")}).OK()
		if list := a.Get("session", "authentication_factors").([]any); len(list) != 2 || list[1].(fields)["trusted_auth_token_factor"].(fields)["token_id"] != "b" {
			t.Errorf("%s", a.Text)
		}
		again := w.token("eve@example.com", nil)
		w.attest(again, join).Refused(400, "user_id_mismatch")
		w.attest(again, nil).OK() // what was refused is not used up
		w.attest(w.token("ada@example.com", nil), fields{"session_token": "unknown"}).Refused(400, "invalid_session_token")
	})
}

func TestUsersAreMadeWhereTheProfileSaysSo(t *testing.T) {
	each(t, func(w *world) {
		a := w.attest(w.token("new@example.com", fields{"sub": "ext|1"}), nil).OK()
		u := a.Get("user").(fields)
		if a.Get("user", "emails", 0, "verified") != true || u["status"] != "active" || u["external_id"] != "ext|1" {
			t.Errorf("%s", a.Text)
		}
		for what, c := range map[string]struct {
			email  string
			claims fields
			want   string
		}{
			"another's id":      {"two@example.com", fields{"sub": "ext|1"}, "trusted_token_profile_incorrect_external_id_mapping"},
			"another id":        {"new@example.com", fields{"sub": "ext|2"}, "trusted_token_profile_incorrect_external_id_mapping"},
			"no id":             {"three@example.com", fields{"sub": nil}, "trusted_token_profile_incorrect_external_id_mapping"},
			"one of our ids":    {"three@example.com", fields{"sub": a.String("user_id")}, "trusted_token_profile_incorrect_external_id_mapping"},
			"several ids":       {"three@example.com", fields{"sub": []string{"a", "b"}}, "trusted_token_profile_cannot_have_multiple_external_ids"},
			"the sandbox's own": {"sandbox@stytch.com", fields{"sub": "ext|3"}, "jwt_invalid_claims"},
			"no address":        {"nobody", fields{"sub": "ext|3"}, "jwt_invalid_claims"},
		} {
			if got := w.attest(w.token(c.email, c.claims), nil); got.Status != 400 || got.Body["error_type"] != c.want {
				t.Errorf("%s: %s", what, got.Text)
			}
		}
	}, provisions, maps("external_user_id", "sub"))
}

func TestManyTokensMakeOneUser(t *testing.T) {
	each(t, func(w *world) {
		var tokens []string
		for range 20 {
			tokens = append(tokens, w.token("new@example.com", nil))
		}
		seen := authtest.Together(20, func(i int) *authtest.Answer { return w.attest(tokens[i], nil) })
		if seen[""] != 20 {
			t.Errorf("%v", seen)
		}
		found := w.Call(http.MethodPost, "/v1/users/search", fields{}).OK()
		if n := len(found.Get("results").([]any)); n != 1 {
			t.Errorf("%d users", n)
		}
	}, provisions)
}

func TestKeysOfAnIssuerRotate(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		w.attest(w.token("ada@example.com", nil), nil).OK()
		old := w.issuer.Key()
		w.issuer.Rotate()
		w.Clock.Advance(time.Minute)
		w.attest(w.token("ada@example.com", nil), nil).OK()
		w.attest(old.Sign(t, w.issuer.Claims(audience, fields{"jti": "late", "email": "ada@example.com"}), nil), nil).Refused(400, "invalid_trusted_auth_token")
		// An issuer that is down is forgiven, one that never answered is not there.
		w.issuer.Answer(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) })
		w.Clock.Advance(2 * time.Hour)
		w.attest(w.token("ada@example.com", nil), nil).OK()
		dark, err := w.TrustedTokens.Create(t.Context(), w.Env, trusted.Profile{
			Name: "Dark", Issuer: w.issuer.URL, Audience: audience, JWKSURL: w.issuer.URL + "/elsewhere", AttributeMapping: w.profile.AttributeMapping,
		})
		if err != nil {
			t.Fatal(err)
		}
		w.attest(w.token("ada@example.com", nil), fields{"profile_id": dark.ID}).Refused(503, "trusted_auth_token_keys_unavailable")
	})
}

func TestKeysFromFiles(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		ctx := t.Context()
		one, two := jwkstest.NewKey(t, "", "RS256"), jwkstest.NewKey(t, "any", "EdDSA")
		p := trusted.Profile{Name: "Files", Issuer: w.issuer.URL, Audience: audience, AttributeMapping: w.profile.AttributeMapping}
		made, err := w.TrustedTokens.Create(ctx, w.Env, p, string(one.PEM(t)))
		if err != nil {
			t.Fatal(err)
		}
		sign := func(k *jwkstest.Key) *authtest.Answer {
			w.tokens++
			token := k.Sign(t, w.issuer.Claims(audience, fields{"jti": fmt.Sprint("f", w.tokens), "email": "ada@example.com"}), nil)
			return w.attest(token, fields{"profile_id": made.ID})
		}
		sign(one).OK()
		sign(two).Refused(400, "invalid_trusted_auth_token")
		name, err := w.TrustedTokens.AddKey(ctx, w.Env, made.ID, string(two.PEM(t)))
		if err != nil {
			t.Fatal(err)
		}
		sign(two).OK()
		if err := w.TrustedTokens.RemoveKey(ctx, w.Env, made.ID, "pem-1"); err != nil {
			t.Fatal(err)
		}
		sign(one).Refused(400, "invalid_trusted_auth_token")
		sign(two).OK()
		for want, err := range map[string]error{
			"must_have_pem_files_for_trusted_token_profile_with_type_pem": w.TrustedTokens.RemoveKey(ctx, w.Env, made.ID, name),
			"trusted_token_profile_pem_file_not_found":                    w.TrustedTokens.RemoveKey(ctx, w.Env, made.ID, "pem-9"),
			"cannot_add_pem_file_to_non_pem_trusted_token_profile":        second(w.TrustedTokens.AddKey(ctx, w.Env, w.profile.ID, string(one.PEM(t)))),
			"trusted_token_profile_invalid_request":                       second(w.TrustedTokens.AddKey(ctx, w.Env, made.ID, "no PEM")),
			"trusted_token_profile_not_found":                             second(w.TrustedTokens.AddKey(ctx, w.Env, "unknown", string(one.PEM(t)))),
			"must_have_jwks_url_for_trusted_token_profile_with_type_jwk":  second(w.TrustedTokens.Create(ctx, w.Env, p)),
			"too_many_pem_files_for_trusted_token_profile":                second(w.TrustedTokens.Create(ctx, w.Env, p, strings.Split(strings.Repeat(string(one.PEM(t))+"|", 5)+string(one.PEM(t)), "|")...)),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		}
		if err := w.TrustedTokens.Delete(ctx, w.Env, made.ID); err != nil {
			t.Fatal(err)
		}
		sign(two).Refused(404, "trusted_token_profile_not_found")
	})
}

func second[T any](_ T, err error) error { return err }

func TestProfilesAreChecked(t *testing.T) {
	s := authtest.New(t)
	ctx := t.Context()
	good := func() trusted.Profile {
		return trusted.Profile{Name: "n", Issuer: "i", Audience: "a", JWKSURL: "https://issuer.example/jwks", AttributeMapping: map[string]string{"email": "email", "token_id": "jti"}}
	}
	for what, edit := range map[string]func(*trusted.Profile){
		"no name": func(p *trusted.Profile) { p.Name = "" }, "no issuer": func(p *trusted.Profile) { p.Issuer = " " }, "no audience": func(p *trusted.Profile) { p.Audience = "" },
		"long": func(p *trusted.Profile) { p.Issuer = strings.Repeat("x", 600) }, "no mapping": func(p *trusted.Profile) { p.AttributeMapping = nil },
		"no email": func(p *trusted.Profile) { delete(p.AttributeMapping, "email") }, "no token_id": func(p *trusted.Profile) { delete(p.AttributeMapping, "token_id") },
		"unknown": maps("phone", "phone"), "empty path": maps("role_ids", ""),
		"file": func(p *trusted.Profile) { p.JWKSURL = "file:///etc/passwd" }, "credentials": func(p *trusted.Profile) { p.JWKSURL = "https://a:b@issuer.example" },
	} {
		p := good()
		edit(&p)
		if _, err := s.TrustedTokens.Create(ctx, s.Env, p); err == nil || !strings.Contains(err.Error(), "trusted_token_profile_invalid_request") {
			t.Errorf("%s: %v", what, err)
		}
	}
	plain := good()
	plain.JWKSURL = "http://issuer.example/jwks"
	if _, err := s.TrustedTokens.Create(ctx, s.Live, plain); err == nil {
		t.Error("http in a live environment")
	}
	for range 50 {
		if _, err := s.TrustedTokens.Create(ctx, s.Env, good()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.TrustedTokens.Create(ctx, s.Env, good()); err == nil || !strings.Contains(err.Error(), "too_many_trusted_token_profiles_for_project") {
		t.Error(err)
	}
	list, err := s.TrustedTokens.List(ctx, s.Env)
	if err != nil || len(list) != 50 {
		t.Fatal(len(list), err)
	}
	changed, err := s.TrustedTokens.Update(ctx, s.Env, list[0].ID, func(p *trusted.Profile) error {
		p.ID, p.Name = "x", "other"
		return nil
	})
	if err != nil || changed.ID != list[0].ID || changed.Name != "other" {
		t.Error(changed, err)
	}
}

func TestBadRequests(t *testing.T) {
	s := authtest.New(t)
	w := enter(t, s)
	s.Call(http.MethodPost, attest, fields{}).Refused(400, "bad_request")
	w.attest("x", fields{"profile_id": "unknown"}).Refused(404, "trusted_token_profile_not_found")
	w.attest("x", fields{"profile_id": strings.Replace(w.profile.ID, "test", "live", 1)}).Refused(404, "trusted_token_profile_not_found")
	other := s.Environment("other")
	other.Call(http.MethodPost, attest, fields{"profile_id": w.profile.ID, "token": "x"}).Refused(404, "trusted_token_profile_not_found")
}
