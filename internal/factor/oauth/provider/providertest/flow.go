package providertest

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"gatehouse/internal/jwks/jwkstest"
)

// grant is what a code and the tokens after it stand for.
type grant struct {
	person      Person
	audience    string
	redirectURI string
	nonce       string
	challenge   string
	scopes      []string
	expires     time.Time
	used        bool
}

const codeLifetime = time.Minute

// clientID has what real ones have: dots, colons, whatever must be escaped.
func (f *fake) clientID() string     { return "client-" + f.name + ".apps:1" }
func (f *fake) clientSecret() string { return "secret/" + f.name + "+1=" }

// authorize is where the browser is sent. What is wrong with the client or with
// the address to come back to is shown to the person, never sent anywhere.
func (f *fake) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f.asked = q
	for name, values := range q {
		if len(values) > 1 {
			http.Error(w, name+" stands twice", http.StatusBadRequest)
			return
		}
	}
	redirect := q.Get("redirect_uri")
	if q.Get(f.format.idName()) != f.clientID() || !slices.Contains(f.redirects, redirect) {
		http.Error(w, "unknown client or redirect_uri", http.StatusBadRequest)
		return
	}
	scopes := strings.Split(q.Get("scope"), f.format.scopeSeparator())
	switch {
	case f.mood.Denied:
		f.back(w, redirect, url.Values{"error": {f.format.deniedWord()}, "state": {q.Get("state")}})
		return
	case q.Get("response_type") != "code", f.format.needsPKCE && q.Get("code_challenge") == "",
		q.Get("code_challenge") != "" && q.Get("code_challenge_method") != "S256",
		f.name == "apple" && q.Get("response_mode") != "form_post":
		f.back(w, redirect, url.Values{"error": {"invalid_request"}, "state": {q.Get("state")}})
		return
	}
	for _, scope := range f.format.scopes {
		if !slices.Contains(scopes, scope) {
			f.back(w, redirect, url.Values{"error": {"invalid_scope"}, "state": {q.Get("state")}})
			return
		}
	}
	f.count++
	code := fmt.Sprintf("4/code-%s-%d", f.name, f.count)
	f.grants[code] = &grant{
		person: f.person, audience: f.clientID(), redirectURI: redirect, nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), scopes: scopes,
		expires: f.server.now().Add(codeLifetime),
	}
	answer := url.Values{"code": {code}, "state": {q.Get("state")}}
	if issuer := f.format.namesIssuer; issuer && !f.mood.NoIssuer {
		answer.Set("iss", f.issuer(f.person))
	}
	f.back(w, redirect, answer)
}

// back leads the browser to the client: Apple by a form, everybody else by a
// redirect.
func (f *fake) back(w http.ResponseWriter, redirect string, answer url.Values) {
	if f.name != "apple" {
		w.Header().Set("Location", redirect+"?"+answer.Encode())
		w.WriteHeader(http.StatusFound)
		return
	}
	if answer.Has("code") && !f.consented[f.person.Subject] {
		f.consented[f.person.Subject] = true
		user, _ := json.Marshal(map[string]any{
			"name": map[string]any{"firstName": f.person.First, "lastName": f.person.Last}, "email": f.person.Email,
		})
		answer.Set("user", string(user))
	}
	fmt.Fprintf(w, `<form method="post" action="%s">`, html.EscapeString(redirect))
	for name := range answer {
		fmt.Fprintf(w, `<input name="%s" value="%s">`, name, html.EscapeString(answer.Get(name)))
	}
	fmt.Fprint(w, `</form>`)
}

// token turns a code, or a refresh token, into tokens.
func (f *fake) token(w http.ResponseWriter, r *http.Request) {
	if f.mood.Body != "" {
		fmt.Fprint(w, f.mood.Body)
		return
	}
	if r.Method != http.MethodPost || r.ParseForm() != nil || r.URL.RawQuery != "" {
		f.refuse(w, r, "invalid_request")
		return
	}
	if f.mood.TokenError != "" {
		f.refuse(w, r, f.mood.TokenError)
		return
	}
	if !f.authenticated(r) {
		f.refuse(w, r, "invalid_client")
		return
	}
	switch r.PostForm.Get("grant_type") {
	case "authorization_code":
		f.redeem(w, r)
	case "refresh_token":
		if f.name == "figma" {
			f.refuse(w, r, "unsupported_grant_type") // that is at another address
			return
		}
		f.renew(w, r)
	default:
		f.refuse(w, r, "unsupported_grant_type")
	}
}

// refresh is Figma's address for it.
func (f *fake) refresh(w http.ResponseWriter, r *http.Request) {
	switch {
	case f.name != "figma":
		http.NotFound(w, r)
	case r.ParseForm() != nil || !f.authenticated(r):
		f.refuse(w, r, "invalid_client")
	case f.mood.TokenError != "":
		f.refuse(w, r, f.mood.TokenError)
	default:
		f.renew(w, r)
	}
}

func (f *fake) redeem(w http.ResponseWriter, r *http.Request) {
	g := f.grants[r.PostForm.Get("code")]
	verifier := r.PostForm.Get("code_verifier")
	sum := sha256.Sum256([]byte(verifier))
	switch {
	case g == nil || g.used || !f.server.now().Before(g.expires),
		r.PostForm.Get("redirect_uri") != g.redirectURI,
		g.challenge != "" && g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]),
		g.challenge == "" && verifier != "":
		f.refuse(w, r, "invalid_grant")
		return
	}
	g.used = true
	f.issue(w, r, g, true)
}

func (f *fake) renew(w http.ResponseWriter, r *http.Request) {
	g := f.refreshes[r.PostForm.Get("refresh_token")]
	if g == nil {
		f.refuse(w, r, "invalid_grant")
		return
	}
	if f.format.rotates {
		delete(f.refreshes, r.PostForm.Get("refresh_token"))
	}
	if f.mood.Meanwhile != nil {
		f.mood.Meanwhile()
	}
	f.issue(w, r, g, false)
}

// issue answers with tokens. A token of a renewal comes without another one for
// the next, unless the provider replaces them.
func (f *fake) issue(w http.ResponseWriter, r *http.Request, g *grant, first bool) {
	f.count++
	t := issued{access: fmt.Sprintf("access-%s-%d", f.name, f.count), first: first}
	f.tokens[t.access] = g
	if f.format.refreshes && (first || f.format.rotates) {
		t.refresh = fmt.Sprintf("refresh-%s-%d", f.name, f.count)
		f.refreshes[t.refresh] = g
	}
	if f.format.openID && first {
		t.id = f.idToken(g, f.mood.Claims)
	}
	f.write(w, r, http.StatusOK, edited(f.format.reply(f, g, t), f.mood.Reply))
}

// authenticated checks the client the way that the provider documents.
func (f *fake) authenticated(r *http.Request) bool {
	id, secret, basic := r.BasicAuth()
	switch {
	case f.format.basic && (!basic || r.PostForm.Has("client_secret")), !f.format.basic && basic:
		return false
	case basic:
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	default:
		id, secret = r.PostForm.Get(f.format.idName()), r.PostForm.Get("client_secret")
	}
	if id != f.clientID() {
		return false
	}
	if f.name == "apple" {
		return f.signedByTeam(secret)
	}
	return subtle.ConstantTimeCompare([]byte(secret), []byte(f.clientSecret())) == 1
}

// signedByTeam checks a client secret as Apple does.
func (f *fake) signedByTeam(secret string) bool {
	token, err := jwt.ParseSigned(secret, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(token.Headers) != 1 || token.Headers[0].KeyID != f.apple.ID {
		return false
	}
	var c jwt.Claims
	if token.Claims(f.apple.Private().Public(), &c) != nil || c.Expiry == nil || c.IssuedAt == nil {
		return false
	}
	now := f.server.now()
	return c.Issuer == "TEAMID1234" && c.Subject == f.clientID() && slices.Equal(c.Audience, []string{"https://appleid.apple.com"}) &&
		now.Before(c.Expiry.Time()) && c.Expiry.Time().Before(now.Add(15777000*time.Second))
}

// idToken signs what the provider says about a person.
func (f *fake) idToken(g *grant, more map[string]any) string {
	now := f.server.now().Unix()
	c := map[string]any{"iss": f.issuer(g.person), "aud": g.audience, "sub": g.person.Subject, "iat": now, "exp": now + 600}
	if g.nonce != "" && f.name != "linkedin" {
		c["nonce"] = g.nonce
	}
	if f.format.claims != nil {
		maps.Copy(c, f.format.claims(f, g))
	}
	key := f.key
	if f.mood.ForeignKey {
		key = jwkstest.NewKey(f.server.t, key.ID, "ES256")
	}
	header := map[string]any{}
	if f.mood.Type != "" {
		header["typ"] = f.mood.Type
	}
	return key.Sign(f.server.t, edited(c, more), header)
}

func (f *fake) issuer(who Person) string {
	switch f.name {
	case OpenID:
		return f.url
	case "microsoft":
		return "https://login.microsoftonline.com/" + who.Tenant + "/v2.0"
	}
	return f.format.issuer
}

// jwks publishes the key, and tells others not to keep it for long.
func (f *fake) jwks(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	f.write(w, r, http.StatusOK, map[string]any{"keys": []any{f.key.JWK()}})
}

// document is what an issuer says about itself.
func (f *fake) document(w http.ResponseWriter, r *http.Request) {
	if f.name != OpenID {
		http.NotFound(w, r)
		return
	}
	issuer := f.url
	if f.mood.Issuer != "" {
		issuer = f.mood.Issuer
	}
	f.write(w, r, http.StatusOK, map[string]any{
		"issuer": issuer, "authorization_endpoint": f.url + "/authorize", "token_endpoint": f.url + "/token", "jwks_uri": f.url + "/jwks",
		"userinfo_endpoint": f.url + "/account", "token_endpoint_auth_methods_supported": []string{"client_secret_basic", "private_key_jwt"},
		"authorization_response_iss_parameter_supported": true, "code_challenge_methods_supported": []string{"S256"},
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"},
	})
}

// account answers about the person behind an access token.
func (f *fake) account(w http.ResponseWriter, r *http.Request) {
	f.answer(w, r, f.format.account)
}

func (f *fake) emails(w http.ResponseWriter, r *http.Request) {
	f.answer(w, r, f.format.emails)
}

func (f *fake) answer(w http.ResponseWriter, r *http.Request, what func(*fake, *grant, *http.Request) any) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	g := f.tokens[token]
	switch {
	case what == nil:
		http.NotFound(w, r)
	case g == nil || r.Method != http.MethodGet || r.UserAgent() == "":
		f.write(w, r, http.StatusUnauthorized, map[string]any{"message": "Bad credentials"})
	case f.mood.Status != 0:
		f.write(w, r, f.mood.Status, map[string]any{"message": "no"})
	default:
		v := what(f, g, r)
		if m, is := v.(map[string]any); is {
			v = edited(m, f.mood.Account)
		}
		f.write(w, r, http.StatusOK, v)
	}
}

// refuse answers a code of RFC 6749 in the words of the provider.
func (f *fake) refuse(w http.ResponseWriter, r *http.Request, code string) {
	status, body := http.StatusBadRequest, any(map[string]any{"error": code, "error_description": "Bad " + r.PostForm.Get("code")})
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	if f.format.refusal != nil {
		status, body = f.format.refusal(f, code)
	}
	f.write(w, r, status, body)
}

// write answers JSON; GitHub does so only for who asks for it.
func (f *fake) write(w http.ResponseWriter, r *http.Request, status int, body any) {
	if m, is := body.(map[string]any); is && f.name == "github" && r.URL.Path == "/github/token" && r.Header.Get("Accept") != "application/json" {
		form := url.Values{}
		for name, v := range m {
			form.Set(name, fmt.Sprint(v))
		}
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
		fmt.Fprint(w, form.Encode())
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// edited is a map with other values in it; nil takes one away.
func edited(m, more map[string]any) map[string]any {
	maps.Copy(m, more)
	maps.DeleteFunc(m, func(_ string, v any) bool { return v == nil })
	return m
}
