package trusted_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/trusted"
	"gatehouse/internal/jwks/jwkstest"
)

// Security case 14: somebody makes a user with another's address, gives it ways
// to sign in, and waits. When the owner comes with a token, those are gone.
func TestSecurity14PreHijackingThroughAnUnverifiedAddress(t *testing.T) {
	each(t, func(w *world) {
		made := w.user(fields{"email": "victim@example.com"})
		id := made.String("user_id")
		link := w.Call(http.MethodPost, "/v1/magic_links", fields{"user_id": id}).OK().String("token")
		attacker := w.Call(http.MethodPost, "/v1/magic_links/authenticate", fields{"token": link, "session_duration_minutes": 60}).OK()
		wallet := fields{"crypto_wallet_type": "ethereum", "crypto_wallet_address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "user_id": id}
		w.Call(http.MethodPost, "/v1/crypto_wallets/authenticate/start", wallet).OK()
		owner := w.attest(w.token("victim@example.com", nil), nil).OK()
		if owner.String("user_id") != id || owner.Get("user", "emails", 0, "verified") != true || owner.Get("reset_sessions") != true || len(owner.Get("user", "crypto_wallets").([]any)) != 0 {
			t.Errorf("%s", owner.Text)
		}
		w.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": attacker.String("session_token")}).Refused(404, "session_not_found")
		w.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": owner.String("session_token")}).OK()
	})
}

// Whoever adds another's address to their own user does not get that person's
// login: neither is the owner signed in there, nor kept from being a user.
func TestSecurity14AnAddressThatWaitsToBeProvenMatchesNobody(t *testing.T) {
	each(t, func(w *world) {
		attacker := w.Person("eve@example.com")
		own := w.attest(w.token("eve@example.com", nil), nil).OK().String("session_token")
		w.Call(http.MethodPost, "/v1/otps/email/send", fields{"email": "victim@example.com", "session_token": own}).OK()
		none := trusted.Profile{Name: "n", Issuer: w.issuer.URL, Audience: audience, JWKSURL: w.issuer.JWKS(), AttributeMapping: w.profile.AttributeMapping}
		strict, err := w.TrustedTokens.Create(t.Context(), w.Env, none)
		if err != nil {
			t.Fatal(err)
		}
		w.attest(w.token("victim@example.com", nil), fields{"profile_id": strict.ID}).Refused(404, "email_not_found")
		w.attest(w.token("victim@example.com", nil), fields{"profile_id": strict.ID, "session_token": own}).Refused(404, "email_not_found")
		a := w.attest(w.token("victim@example.com", nil), nil).OK()
		if a.String("user_id") == attacker.UserID {
			t.Error("the owner was signed in to the attacker's user")
		}
		if u := w.Call(http.MethodGet, "/v1/users/"+attacker.UserID, nil).OK(); strings.Contains(u.Text, "victim") {
			t.Error("the attacker kept the address")
		}
	}, provisions)
}

// Security case 15: an address that the issuer itself does not call verified.
func TestSecurity15UnverifiedAddressesOfTheIssuer(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		for _, no := range []any{false, "false", "no", 0, 1, []any{}, "TRUE", fields{}} {
			w.attest(w.token("ada@example.com", fields{"email_verified": no}), nil).Refused(400, "jwt_invalid_claims")
			w.attest(w.token("new@example.com", fields{"email_verified": no}), nil).Refused(400, "jwt_invalid_claims")
		}
		for _, yes := range []any{true, "true"} {
			w.attest(w.token("ada@example.com", fields{"email_verified": yes}), nil).OK()
		}
		// Beside the address, wherever the profile finds that.
		nested, err := w.TrustedTokens.Create(t.Context(), w.Env, trusted.Profile{
			Name: "n", Issuer: w.issuer.URL, Audience: audience, JWKSURL: w.issuer.JWKS(), AttributeMapping: map[string]string{"email": "user.mail", "token_id": "jti"},
		})
		if err != nil {
			t.Fatal(err)
		}
		for verified, want := range map[any]int{true: 200, false: 400, nil: 200} {
			token := w.token("", fields{"user": fields{"mail": "ada@example.com", "mail_verified": verified}})
			if a := w.attest(token, fields{"profile_id": nested.ID}); a.Status != want {
				t.Errorf("%v: %s", verified, a.Text)
			}
		}
		// A profile may ask that the issuer says it.
		says, err := w.TrustedTokens.Update(t.Context(), w.Env, w.profile.ID, func(p *trusted.Profile) error {
			p.AttributeMapping["email_verified"] = "email_verified"
			return nil
		})
		if err != nil || says.AttributeMapping["email_verified"] == "" {
			t.Fatal(err)
		}
		w.attest(w.token("ada@example.com", nil), nil).Refused(400, "jwt_invalid_claims")
		w.attest(w.token("ada@example.com", fields{"email_verified": true}), nil).OK()
	}, provisions)
}

// Security cases 17 and 18: a good token of another issuer, or for another app.
func TestSecurity17And18IssuerAndAudienceArePinned(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		evil := jwkstest.New(t, w.Clock.Now)
		claims := fields{"jti": "e", "email": "ada@example.com"}
		w.attest(evil.Token(audience, claims), nil).Refused(400, "jwt_invalid_issuer")
		claims["iss"] = w.issuer.URL
		w.attest(evil.Token(audience, claims), nil).Refused(400, "invalid_trusted_auth_token")
		w.attest(w.token("ada@example.com", fields{"iss": w.issuer.URL + "/"}), nil).Refused(400, "jwt_invalid_issuer")
		for _, aud := range []any{"other", []string{}, nil, audience + "/", strings.ToUpper(audience)} {
			w.attest(w.token("ada@example.com", fields{"aud": aud}), nil).Refused(400, "jwt_invalid_audience")
		}
		w.attest(w.token("ada@example.com", fields{"aud": []string{"other", audience}}), nil).OK()
		if n := evil.Hits.Load(); n != 0 {
			t.Errorf("the other issuer was asked for its keys %d times", n)
		}
	})
}

// Security case 20: a token is good once, however many try at once.
func TestSecurity20Replay(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		token := w.token("ada@example.com", nil)
		seen := authtest.Together(50, func(int) *authtest.Answer { return w.attest(token, nil) })
		if seen[""] != 1 || seen["invalid_trusted_auth_token"] != 49 {
			t.Errorf("%v", seen)
		}
		// The same id in another token of the same second, and in an older one.
		same := func(at time.Time) *authtest.Answer {
			return w.attest(w.token("ada@example.com", fields{"jti": "session", "iat": at.Unix(), "exp": w.Clock.Now().Unix() + 600, "x": w.tokens}), nil)
		}
		start := w.Clock.Now()
		same(start).OK()
		same(start).Refused(400, "invalid_trusted_auth_token")
		w.Clock.Advance(time.Minute)
		same(start).Refused(400, "invalid_trusted_auth_token")
		// One that was issued later is another token, of a session at the issuer.
		same(start.Add(time.Minute)).OK()
		same(start).Refused(400, "invalid_trusted_auth_token")
		w.attest(w.token("ada@example.com", fields{"jti": "no time", "iat": nil}), nil).OK()
		w.attest(w.token("ada@example.com", fields{"jti": "no time", "iat": nil, "x": 1}), nil).Refused(400, "invalid_trusted_auth_token")
		// What failed counts towards nobody's lock.
		for range 30 {
			w.attest(token, nil).Refused(400, "invalid_trusted_auth_token")
		}
		w.attest(w.token("ada@example.com", nil), nil).OK()
		// Another profile has its own memory; another environment its own profiles.
		other, err := w.TrustedTokens.Create(t.Context(), w.Env, trusted.Profile{Name: "n", Issuer: w.issuer.URL, Audience: audience, JWKSURL: w.issuer.JWKS(), AttributeMapping: w.profile.AttributeMapping})
		if err != nil {
			t.Fatal(err)
		}
		w.attest(w.token("ada@example.com", fields{"jti": "session"}), fields{"profile_id": other.ID}).OK()
	})
}

// Security case 32: no signature, a public key taken for a secret, a kid that
// is a path.
func TestSecurity32AlgorithmConfusion(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		key := w.issuer.Key()
		body := jwkstest.Encode(w.issuer.Claims(audience, fields{"jti": "x", "email": "ada@example.com"}))
		for _, alg := range []string{"none", "None", "HS256"} {
			head := jwkstest.Encode(fields{"alg": alg, "kid": key.ID}) + "." + body
			mac := hmac.New(sha256.New, key.PEM(t))
			mac.Write([]byte(head))
			for _, token := range []string{head + ".", head, head + "." + jwkstest.Encode(string(mac.Sum(nil)))} {
				w.attest(token, nil).Refused(400, "invalid_trusted_auth_token")
			}
		}
		for _, kid := range []string{"../../../dev/null", "' OR 1=1 --", ""} {
			other := jwkstest.NewKey(t, kid, "ES256")
			w.attest(other.Sign(t, w.issuer.Claims(audience, fields{"jti": "y", "email": "ada@example.com"}), fields{"jwk": other.JWK()}), nil).Refused(400, "invalid_trusted_auth_token")
		}
	})
}

// Security case 39: the address of an issuer's keys leads nowhere it should
// not, unless the operator of the server has opened that.
func TestSecurity39KeyAddressesAreGuarded(t *testing.T) {
	s := authtest.New(t) // opens nothing
	w := enter(t, s)
	w.Person("ada@example.com")
	for range 3 {
		w.attest(w.token("ada@example.com", nil), nil).Refused(503, "trusted_auth_token_keys_unavailable")
	}
	if n := w.issuer.Hits.Load(); n != 0 {
		t.Errorf("a private address was called %d times", n)
	}
	open := enter(t, authtest.New(t, reachable))
	open.Person("ada@example.com")
	for what, answer := range map[string]http.HandlerFunc{
		"redirect": func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, w.issuer.JWKS(), http.StatusFound) },
		"huge": func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte(`{"keys":[` + strings.Repeat(" ", 1<<20) + `]}`))
		},
		"a page": func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) },
	} {
		open.issuer.Answer(answer)
		open.Clock.Advance(time.Hour * 48)
		a := open.attest(open.token("ada@example.com", nil), nil)
		if a.Status != 503 {
			t.Errorf("%s: %s", what, a.Text)
		}
		if strings.Contains(a.Text, "127.0.0.1") {
			t.Errorf("%s: the answer names the address: %s", what, a.Text)
		}
	}
}

// Security case 51: validity is by the clock, whether anybody cleans up or not.
func TestSecurity51TheClockDecides(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		now := w.Clock.Now().Unix()
		for what, claims := range map[string]fields{
			"expired": {"exp": now - 31}, "not yet": {"nbf": now + 31}, "of the future": {"iat": now + 31, "exp": now + 300},
			"no expiry": {"exp": nil}, "expiry as text": {"exp": fmt.Sprint(now + 300)},
		} {
			if a := w.attest(w.token("ada@example.com", claims), nil); a.Body["error_type"] != "invalid_trusted_auth_token" {
				t.Errorf("%s: %s", what, a.Text)
			}
		}
		w.attest(w.token("ada@example.com", fields{"exp": now + 24*3600 + 31}), nil).Refused(400, "jwt_invalid_claims")
		w.attest(w.token("ada@example.com", fields{"exp": now - 29}), nil).OK() // clocks differ
		w.attest(w.token("ada@example.com", fields{"exp": now + 24*3600}), nil).OK()
		token := w.token("ada@example.com", fields{"jti": "old"})
		w.attest(token, nil).OK()
		w.Clock.Advance(6 * time.Minute)
		w.attest(token, nil).Refused(400, "invalid_trusted_auth_token") // over by the clock
		w.attest(w.token("ada@example.com", fields{"jti": "old", "iat": nil}), nil).OK()
		w.Clock.Advance(48 * time.Hour)
		p, err := w.Purge(t.Context(), 1000)
		if err != nil || p.Passcodes < 3 {
			t.Errorf("%+v %v", p, err)
		}
	})
}

// Security case 52: who is locked or gone does not come back by a token.
func TestSecurity52LockedAndGoneUsers(t *testing.T) {
	each(t, func(w *world) {
		w.user(fields{"email": "ada@example.com"})
		w.Call(http.MethodPost, "/v1/passwords", fields{"email": "grace@example.com", "password": "mauve tractor sings 41"}).OK()
		for range 10 {
			w.Call(http.MethodPost, "/v1/passwords/authenticate", fields{"email": "grace@example.com", "password": "wrong one entirely"})
		}
		if a := w.attest(w.token("grace@example.com", nil), nil); a.Status != 429 || a.Body["error_type"] != "user_locked" && a.Body["error_type"] != "user_lock_limit_reached" {
			t.Errorf("%s", a.Text)
		}
		gone := w.attest(w.token("ada@example.com", nil), nil).OK()
		w.Call(http.MethodDelete, "/v1/users/"+gone.String("user_id"), nil).OK()
		w.attest(w.token("ada@example.com", nil), nil).Refused(404, "email_not_found")
	})
}

// Security case 53: what is cut, extended or changed by a bit is refused.
func TestSecurity53MalleableTokens(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		token := w.token("ada@example.com", nil)
		for _, bad := range []string{token[:len(token)-1], token + "A", token + "=", " " + token, token + "\n", token + ".", strings.ToUpper(token), token[1:]} {
			w.attest(bad, nil).Refused(400, "invalid_trusted_auth_token")
		}
		for i := 0; i < len(token); i += 7 {
			flipped := []byte(token)
			flipped[i] ^= 1
			if a := w.attest(string(flipped), nil); a.Status < 400 || a.Status > 499 {
				t.Fatalf("bit %d: %s", i, a.Text)
			}
		}
		w.attest(token, nil).OK()
	})
}

// Security case 55: size is looked at before anything is parsed.
func TestSecurity55Bombs(t *testing.T) {
	w := enter(t, authtest.New(t, reachable))
	for _, bad := range []string{strings.Repeat(".", 20000), strings.Repeat("a.", 10000), w.token("ada@example.com", fields{"pad": strings.Repeat("x", 20000)}), "a.b.c.d.e"} {
		w.attest(bad, nil).Refused(400, "invalid_trusted_auth_token")
	}
	if n := w.issuer.Hits.Load(); n != 0 {
		t.Errorf("the keys were asked for %d times", n)
	}
}

// Security cases 61 and 65: no answer shows a token, no log line does.
func TestSecurity61And65TokensAreNotShown(t *testing.T) {
	each(t, func(w *world) {
		w.Person("ada@example.com")
		token := w.token("ada@example.com", nil)
		a := w.attest(token, nil).OK()
		again := w.attest(token, nil).Refused(400, "invalid_trusted_auth_token")
		broken := w.attest(token[:len(token)-2], nil).Refused(400, "invalid_trusted_auth_token")
		signature := token[strings.LastIndexByte(token, '.')+1:]
		for place, text := range map[string]string{"answer": a.Text, "refusal": again.Text + broken.Text, "log": w.Logs.String()} {
			if strings.Contains(text, signature[:20]) || strings.Contains(text, token[:60]) {
				t.Errorf("the %s shows the token", place)
			}
		}
		if !strings.Contains(w.Logs.String(), attest) || strings.Contains(w.Logs.String(), "ada@example.com") {
			t.Error("the log lacks the call, or names the person")
		}
	})
}
