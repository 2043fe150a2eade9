package provider

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/jwks"
)

// Security case 55: whatever a provider answers is read or refused, within
// bounds. Run one with: go test -fuzz FuzzSecurity55Accounts ./internal/factor/oauth/provider

// moment is a fixed instant.
func moment() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// What holds for all holds against a reading or a list that is wrong.
func TestSecurity15And62SecondLine(t *testing.T) {
	for _, p := range append(All(), openIDProvider("oidc_x")) {
		v := &visit{p: p, c: &Credentials{}}
		who, err := v.settle(&Identity{Subject: "1", Email: "ada@example.com", EmailVerified: true})
		if err != nil || who.EmailVerified != (p.Email != Never) {
			t.Errorf("%s: %+v, %v", p.Name, who, err)
		}
		wrong := *p
		wrong.params = reserved
		for _, name := range reserved {
			if wrong.allows(&Credentials{Params: reserved}, name) {
				t.Errorf("%s lets an app say %s", p.Name, name)
			}
		}
	}
}

func FuzzSecurity55Tokens(f *testing.F) {
	for _, seed := range []string{
		`{"access_token":"a","token_type":"Bearer","expires_in":3599,"refresh_token":"r","scope":"openid email","id_token":"a.b.c"}`,
		`{"access_token":"a","scope":["x","y"],"expires_in":"3600"}`, `{"access_token":"a","scopes":"x,y","expires_in":-1}`,
		`{"access_token":"a","expires_in":1e999}`, `{"access_token":"a","expires_in":9223372036854775807}`, `{"error":"invalid_grant"}`, `{"ok":false}`,
		`{"error":{"code":100,"error_subcode":36009}}`, `{"error":"invalid_client","error_codes":[7000222]}`, `{"status":400,"message":"invalid client"}`, `null`, `[`,
	} {
		f.Add(200, seed)
		f.Add(400, seed)
	}
	s := New(nil, nil, moment)
	f.Fuzz(func(t *testing.T, status int, body string) {
		answer, err := readObject([]byte(body))
		if err != nil && answer != nil {
			t.Fatal("an answer that is none is kept")
		}
		for _, p := range All() {
			err := p.verdict(status, answer)
			if e := apierr.From(err); err != nil && (e == nil || e.Status != 400) {
				t.Fatalf("%s: no verdict: %v", p.Name, err)
			}
			if err == nil && (status != 200 || answer == nil) {
				t.Fatalf("%s takes status %d", p.Name, status)
			}
		}
		tokens, err := s.readTokens(answer)
		if err != nil {
			return
		}
		if tokens.Access == "" || len(tokens.Access)+len(tokens.Refresh)+len(tokens.ID) > 3*maxToken || len(tokens.Scopes) > maxScopes {
			t.Fatalf("%+v", tokens)
		}
		if at := tokens.ExpiresAt; !at.IsZero() && (!at.After(moment()) || at.After(moment().Add(maxSeconds*time.Second))) {
			t.Fatalf("the access token holds until %v", at)
		}
	})
}

func FuzzSecurity55Accounts(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"1","email":"ada@example.com","email_verified":true,"name":"Ada Lovelace","picture":"https://x.example/a.png","locale":"en-GB"}`,
		`{"sub":"1","given_name":"A","middle_name":"B","family_name":"C","email_verified":"true","tid":"9188040d-6c67-4c5b-b112-36a304b66dad","xms_edov":1}`,
		`{"id":12345678901234567890,"sub":""}`, `{"sub":"a\u0000b"}`, `{"sub":"1","email":"@"}`, `{"sub":"1","email":"a@b\nc"}`, `{"sub":"1","picture":"javascript:alert(1)"}`,
		`{"sub":"1","picture":"https://u:p@x.example"}`, `{"sub":"1","locale":{"language":"en"}}`, `{"sub":"\ud800"}`, `{"https://slack.com/team_id":"T","sub":"U"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		claims, err := readObject([]byte(body))
		if err != nil {
			return
		}
		for _, p := range append(All(), openIDProvider("oidc_x")) {
			v := &visit{s: New(nil, nil, moment), p: p, c: &Credentials{Tenant: "x"}, tokens: &Tokens{}, claims: claims}
			checkIdentity(t, v, claims)
		}
	})
}

func checkIdentity(t *testing.T, v *visit, claims jwks.Claims) {
	who, err := v.settle(v.fromClaims(claims))
	if err != nil {
		return
	}
	switch {
	case who.Subject == "" || len(who.Subject) > maxSubject || !utf8.ValidString(who.Subject):
		t.Fatalf("the subject is %q", who.Subject)
	case who.Email == "" && who.EmailVerified, v.p.Email == Never && who.EmailVerified, len(who.Email) > maxEmail:
		t.Fatalf("%s: the address is %q, %v", v.p.Name, who.Email, who.EmailVerified)
	case who.Picture != "" && !strings.HasPrefix(strings.ToLower(who.Picture), "https://"), len(who.Picture) > maxPicture:
		t.Fatalf("the picture is %q", who.Picture)
	case utf8.RuneCountInString(who.Name.First) > maxNamePart || !utf8.ValidString(who.Name.First) || len(who.Locale) > maxLocale:
		t.Fatalf("%+v", who)
	}
}

func FuzzSecurity55Names(f *testing.F) {
	f.Add(`{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"x"}`)
	f.Add(`{"name":[]}`)
	f.Add(`{"name.firstName":"x"}`)
	f.Fuzz(func(t *testing.T, user string) {
		who := &Identity{Subject: "1", Name: appleName(user)}
		if err := who.tidy(); err != nil || strings.ContainsAny(who.Name.First+who.Name.Last, "\n\x00") {
			t.Fatalf("%+v, %v", who, err)
		}
	})
}

func FuzzSecurity55Lists(f *testing.F) {
	f.Add(`{"values":[{"email":"a@b.c","is_primary":true,"is_confirmed":true,"primary":true,"verified":true}]}`)
	f.Add(`{"values":[1,null,{"email":7,"is_primary":true}]}`)
	f.Fuzz(func(t *testing.T, body string) {
		c, err := readObject([]byte(body))
		if err != nil {
			return
		}
		if _, confirmed := primary(readList(c["values"]), "is_primary", "is_confirmed"); confirmed && !strings.Contains(body, "true") {
			t.Fatal("an address is confirmed by nothing")
		}
	})
}

func FuzzSecurity41Documents(f *testing.F) {
	const issuer = "https://issuer.example"
	f.Add(`{"issuer":"https://issuer.example","authorization_endpoint":"https://a.example","token_endpoint":"https://b.example","jwks_uri":"https://c.example","token_endpoint_auth_methods_supported":["client_secret_post"],"authorization_response_iss_parameter_supported":true}`)
	f.Add(`{"issuer":"https://issuer.example","authorization_endpoint":"http://a.example","token_endpoint":"https://b.example","jwks_uri":"https://c.example"}`)
	f.Add(`{"issuer":"https://attacker.example"}`)
	f.Add(`{"issuer":"https://issuer.example"}`)
	f.Fuzz(func(t *testing.T, body string) {
		c, err := readObject([]byte(body))
		if err != nil {
			return
		}
		d, err := parseDocument(issuer, c)
		if err != nil {
			return
		}
		for _, address := range []string{d.Authorization, d.Token, d.JWKS} {
			if u, err := url.Parse(address); err != nil || u.Scheme != "https" || u.Host == "" || d.Issuer != issuer {
				t.Fatalf("%+v", d)
			}
		}
	})
}

func FuzzSecurity62Params(f *testing.F) {
	for _, name := range []string{"state", "STATE", "state[]", "redirect-uri", "login_hint", "hd", "scope ", "ｓｔａｔｅ"} {
		f.Add(name, "value")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		for _, p := range All() {
			q := url.Values{}
			if err := p.addParams(&Credentials{}, q, map[string]string{name: value}); err != nil {
				continue
			}
			for _, our := range reserved {
				if strings.EqualFold(name, our) || q.Has(our) {
					t.Fatalf("%s passes %q on", p.Name, name)
				}
			}
		}
	})
}

func FuzzSecurity65Answers(f *testing.F) {
	f.Add("code=a&state=b&iss=c")
	f.Add("error=access_denied&error_description=x")
	f.Add("code=a&code=b")
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		a, err := ReadAnswer(form)
		if e := apierr.From(err); err != nil && (e == nil || e.Status != 400) {
			t.Fatalf("no verdict: %v", err)
		}
		if err == nil && (a.Code == "" || len(a.Code) > maxCode || form.Has("error") && form.Get("error") != "") {
			t.Fatalf("%+v", a)
		}
	})
}
