package oauth_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/id"
	"gatehouse/internal/reseal"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// keeper is an account whose tokens are kept, of a provider that replaces
// refresh tokens when they are used.
type keeper struct {
	w                  *world
	name               string
	userID, id, access string
}

// keeping switches the setting on and signs in.
func (w *world) keeping(name string) *keeper {
	w.t.Helper()
	w.Configure("oauth.keep_provider_tokens", "true")
	w.setUp(name)
	return w.keeper(name)
}

func (w *world) keeper(name string) *keeper {
	w.t.Helper()
	a := w.signIn(name, nil).OK()
	return &keeper{w, name, a.String("user_id"), a.String("oauth_user_registration_id"), a.String("provider_values", "access_token")}
}

func (k *keeper) path() string { return "/v1/users/" + k.userID + "/oauth_providers/" + k.id }

// ask asks for a working access token, at a server on the same data.
func (k *keeper) ask(s *authtest.Server) *authtest.Answer {
	return s.Call(http.MethodGet, k.path(), nil)
}

// askDirectly is ask by a caller who leaves when ctx ends.
func (k *keeper) askDirectly(ctx context.Context, s *authtest.Server) {
	r := httptest.NewRequest(http.MethodGet, k.path(), nil).WithContext(ctx)
	r.SetBasicAuth(s.Env.ID, s.Secret())
	s.App.ServeHTTP(httptest.NewRecorder(), r)
}

// gets is ask that is answered.
func (k *keeper) gets() string {
	k.w.t.Helper()
	return k.ask(k.w.Server).OK().String("access_token")
}

// asked is how often the provider was asked for tokens.
func (k *keeper) asked() int { return k.w.idp.Calls(k.name, "token") }

// TestTokensAreKeptAndRenewed: a server gets an access token that works, and
// the provider is asked when that ends, and then alone.
func TestTokensAreKeptAndRenewed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := w.keeping("gitlab")
		a := k.ask(w.Server).OK()
		if a.String("access_token") != k.access || a.String("provider_type") != "GitLab" || a.String("provider_subject") != "10815" ||
			a.Get("access_token_expires_in") != 7200.0 || a.String("oauth_user_registration_id") != k.id || a.Get("scopes", 0) != "openid" {
			t.Errorf("answered %s", a.Text)
		}
		if strings.Contains(a.Text, "refresh") || strings.Contains(a.Text, "id_token") || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("answered %s", a.Text)
		}
		w.Clock.Advance(2*time.Hour - time.Minute - time.Second)
		before := k.asked()
		if k.gets() != k.access || k.asked() != before {
			t.Error("a token that lasts is renewed")
		}
		w.Clock.Advance(time.Second)
		for round := range 3 {
			second := k.gets()
			if second == k.access || k.gets() != second || k.asked() != before+round+1 {
				t.Errorf("round %d: %s after %s, %d calls", round, second, k.access, k.asked()-before)
			}
			k.access = second
			w.Clock.Advance(3 * time.Hour)
		}
		w.Call(http.MethodPut, "/v1/users/"+k.userID, body{"external_id": "customer-1"}).OK()
		w.Call(http.MethodGet, "/v1/users/customer-1/oauth_providers/"+k.id, nil).OK()
		if n := count(t, w, "SELECT count(*) FROM events WHERE type = 'oauth.tokens.use' AND object_id = $1", k.id); n != 1 {
			t.Errorf("the audit log has %d first uses", n)
		}
	})
}

// TestTokensOfEveryProvider are kept and renewed the way that each has.
func TestTokensOfEveryProvider(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.Configure("oauth.keep_provider_tokens", "true")
		w.setUp(names()...)
		for i, name := range names() {
			who := providertest.Ada()
			who.Subject, who.Email = who.Subject+strings.Repeat("1", i+1), name+"@example.com"
			w.idp.SignIn(name, who)
			_, token := w.tab().token(name, nil)
			a := w.finish(token, nil).OK()
			k := &keeper{w, name, a.String("user_id"), a.String("oauth_user_registration_id"), a.String("provider_values", "access_token")}
			if k.gets() != k.access {
				t.Errorf("%s: another token", name)
			}
			w.Clock.Advance(366 * 24 * time.Hour)
			switch again := k.ask(w.Server); {
			case a.Get("provider_values", "expires_at") == nil:
				if again.OK().String("access_token") != k.access || again.Get("access_token_expires_in") != nil {
					t.Errorf("%s: %s", name, again.Text)
				}
			case a.String("provider_values", "refresh_token") == "":
				again.Refused(400, "missing_oauth_refresh_token")
			case again.OK().String("access_token") == k.access:
				t.Errorf("%s: the token is not renewed", name)
			}
		}
	})
}

// TestRenewalsAreRaced by twenty callers at two nodes. A refresh token of
// this provider works once, so it must be shown once.
func TestRenewalsAreRaced(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := w.keeping("gitlab")
		nodes := []*authtest.Server{w.Server, w.Node()}
		for round := range 5 {
			w.Clock.Advance(2 * time.Hour)
			before := k.asked()
			tokens := make([]string, 20)
			got := authtest.Together(len(tokens), func(i int) *authtest.Answer {
				a := k.ask(nodes[i%2])
				tokens[i], _ = a.Body["access_token"].(string)
				return a
			})
			if n := k.asked() - before; got[""] != 20 || n != 1 || len(slices.Compact(tokens)) != 1 || tokens[0] == k.access {
				t.Errorf("round %d: %v, %d calls, tokens %v", round, got, n, tokens)
			}
			k.access = tokens[0]
		}
	})
}

// TestRenewalMeetsALogin: what comes of a renewal and of a login at the same
// moment is the newest refresh token, whichever brought it.
func TestRenewalMeetsALogin(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := w.keeping("gitlab")
		for name, c := range map[string]struct{ login, renewal body }{
			"both bring one":      {nil, nil},
			"the renewal alone":   {body{"refresh_token": nil}, nil},
			"the login alone":     {nil, body{"access_token": nil}}, // an answer without one is a refusal
			"the renewal is late": {nil, body{"access_token": nil, "error": "invalid_grant"}},
		} {
			w.Clock.Advance(2 * time.Hour)
			w.idp.Feel("gitlab", providertest.Mood{Reply: c.login})
			_, token := w.tab().token("gitlab", nil)
			var login string
			w.idp.Feel("gitlab", providertest.Mood{Reply: c.renewal, Meanwhile: func() {
				login = w.finish(token, nil).OK().String("provider_values", "access_token")
			}})
			if got := k.gets(); (got == login) != (c.login == nil) {
				t.Errorf("%s: %s is answered, and the login had %s", name, got, login)
			}
			w.idp.Feel("gitlab", providertest.Mood{})
			seen := map[string]bool{}
			for range 3 {
				seen[k.gets()] = true
				w.Clock.Advance(2 * time.Hour)
			}
			if len(seen) != 3 {
				t.Errorf("%s: the tokens afterwards are %v", name, seen)
			}
		}
		if n := count(t, w, "SELECT count(*) FROM events WHERE type = 'oauth.tokens.refresh'"); n != 0 {
			t.Errorf("the audit log has %d refusals", n)
		}
		// What goes meanwhile stays gone.
		w.idp.Feel("gitlab", providertest.Mood{Meanwhile: func() { w.Call(http.MethodDelete, "/v1/users/oauth/"+k.id, nil).OK() }})
		k.ask(w.Server).Refused(404, "oauth_user_registration_not_found")
		if n := count(t, w, "SELECT count(*) FROM oauth_provider_tokens"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}

// TestNodesThatDieWhileTheyRenew hold up the others for less than a minute, and
// nobody whose access token still works for good.
func TestNodesThatDieWhileTheyRenew(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := w.keeping("gitlab")
		other := w.Node()
		w.Clock.Advance(2 * time.Hour)
		err := w.DB.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec("UPDATE oauth_provider_tokens SET busy_until = $1", store.Millis(tx.Now.Add(45*time.Second)))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		before := k.asked()
		waits, leave := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer leave()
		if k.askDirectly(waits, other); waits.Err() == nil || k.asked() != before {
			t.Error("the other node does not wait for the one that renews")
		}
		answer := make(chan *authtest.Answer)
		go func() { answer <- k.ask(other) }()
		w.Clock.Advance(45 * time.Second)
		if a := (<-answer).OK(); a.String("access_token") == k.access || k.asked() != before+1 {
			t.Errorf("answered %s after %d calls", a.Text, k.asked()-before)
		}
	})
}

// TestCallersWhoLeave: a renewal that has begun is written whether or not its
// caller is still there.
func TestCallersWhoLeave(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := w.keeping("gitlab")
		w.Clock.Advance(2 * time.Hour)
		ctx, leave := context.WithCancel(t.Context())
		w.idp.Feel("gitlab", providertest.Mood{Meanwhile: leave})
		k.askDirectly(ctx, w.Server)
		w.idp.Feel("gitlab", providertest.Mood{})
		before := k.asked()
		if got := k.gets(); got == k.access || k.asked() > before {
			t.Errorf("%s, and the provider was asked %d times more", got, k.asked()-before)
		}
	})
}

// TestRefreshTokensThatComeOnce: Google sends its refresh token with the first
// consent alone, and a later sign-in keeps it.
func TestRefreshTokensThatComeOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := w.keeping("google")
		w.idp.Feel("google", providertest.Mood{Reply: body{"refresh_token": nil}})
		again := w.signIn("google", nil).OK()
		if again.String("provider_values", "refresh_token") != "" || k.gets() != again.String("provider_values", "access_token") {
			t.Errorf("the second sign-in: %s", again.Text)
		}
		w.idp.Feel("google", providertest.Mood{})
		w.Clock.Advance(2 * time.Hour)
		if got := k.gets(); got == again.String("provider_values", "access_token") {
			t.Error("the token is not renewed")
		}
		// Somebody of whom none ever came.
		who := providertest.Ada()
		who.Subject, who.Email = "777", "new@example.com"
		w.idp.SignIn("google", who)
		w.idp.Feel("google", providertest.Mood{Reply: body{"refresh_token": nil}})
		none := w.keeper("google")
		none.gets()
		w.Clock.Advance(2 * time.Hour)
		none.ask(w.Server).Refused(400, "missing_oauth_refresh_token")
	})
}

// TestRevokedAtTheProvider: a provider that does not renew is asked once a
// minute at most, and what it does not take away for good comes back.
func TestRevokedAtTheProvider(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := w.keeping("gitlab")
		w.Clock.Advance(2*time.Hour - 30*time.Second)
		w.idp.Feel("gitlab", providertest.Mood{TokenError: "invalid_grant"})
		before := k.asked()
		if first, second := k.gets(), k.gets(); first != k.access || second != k.access || k.asked() != before+1 {
			t.Errorf("a token that still works is not answered, or the provider was asked %d times", k.asked()-before)
		}
		w.Clock.Advance(30 * time.Second)
		got := authtest.Together(20, func(int) *authtest.Answer { return k.ask(w.Server) })
		if got["unable_to_refresh_oauth_token"] != 20 || k.asked() != before+1 {
			t.Errorf("%v, and the provider was asked %d times", got, k.asked()-before)
		}
		w.Clock.Advance(30 * time.Second)
		k.ask(w.Server).Refused(401, "unable_to_refresh_oauth_token")
		k.ask(w.Node()).Refused(401, "unable_to_refresh_oauth_token")
		if k.asked() != before+2 {
			t.Errorf("after a minute the provider was asked %d times", k.asked()-before)
		}
		if n := count(t, w, "SELECT count(*) FROM events WHERE type = 'oauth.tokens.refresh' AND outcome = 'unable_to_refresh_oauth_token'"); n != 1 {
			t.Errorf("the audit log has %d refusals", n)
		}
		w.idp.Feel("gitlab", providertest.Mood{})
		w.Clock.Advance(time.Minute)
		if k.gets() == k.access {
			t.Error("a provider that renews again is not asked")
		}
	})
}

// TestSettingOfKeeping: off, nothing is kept or answered; switched off, what was
// kept goes.
func TestSettingOfKeeping(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("gitlab")
		k := w.keeper("gitlab")
		rows := func() int64 { return count(t, w, "SELECT count(*) FROM oauth_provider_tokens") }
		k.ask(w.Server).Refused(400, "missing_oauth_refresh_token")
		if rows() != 0 {
			t.Error("tokens are kept unasked")
		}
		w.Configure("oauth.keep_provider_tokens", "true")
		k.ask(w.Server).Refused(400, "missing_oauth_refresh_token") // of a sign-in before
		k = w.keeper("gitlab")
		k.gets()
		w.Configure("oauth.keep_provider_tokens", "false")
		k.ask(w.Server).Refused(400, "missing_oauth_refresh_token")
		if _, err := w.Purge(t.Context(), 1000); err != nil || rows() != 0 {
			t.Errorf("%d rows are left: %v", rows(), err)
		}
		w.Configure("oauth.keep_provider_tokens", "true")
		k = w.keeper("gitlab")
		if _, err := w.Purge(t.Context(), 1000); err != nil || rows() != 1 {
			t.Errorf("%d rows are kept: %v", rows(), err)
		}
		if err := w.OAuth.Enable(t.Context(), w.Env, "gitlab", false); err != nil {
			t.Fatal(err)
		}
		k.ask(w.Server).Refused(404, "oauth_config_not_found")
	})
}

// TestSecurity35RefreshTokens: a refresh token is used for its own account, in
// its own environment and as the client that it was issued to, dies with the
// account, and is nowhere to be read.
func TestSecurity35RefreshTokens(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := w.keeping("gitlab")
		other := w.Environment("Staging")
		other.Configure("oauth.keep_provider_tokens", "true")
		k.ask(other).Refused(404, "user_not_found")
		eve := w.member("eve@example.com")
		for path, verdict := range map[string]string{
			"/v1/users/" + eve.UserID + "/oauth_providers/" + k.id:                                             "oauth_user_registration_not_found",
			"/v1/users/" + k.userID + "/oauth_providers/" + id.New(id.OAuth, id.Test, w.Clock.Now()):           "oauth_user_registration_not_found",
			"/v1/users/" + id.New(id.User, id.Test, w.Clock.Now()) + "/oauth_providers/" + k.id:                "user_not_found",
			"/v1/users/" + k.userID + "/oauth_providers/gitlab":                                                "invalid_oauth_user_registration_id",
			"/v1/users/" + k.userID + "/oauth_providers/" + strings.Replace(k.id, "oauth-user", "email", 1):    "invalid_oauth_user_registration_id",
			"/v1/users/" + k.userID + "/oauth_providers/" + strings.Replace(k.id, "user-test", "user-live", 1): "live_id_used_in_test_environment",
		} {
			if a := w.Call(http.MethodGet, path, nil); a.Get("error_type") != verdict {
				t.Errorf("%s: %s", path, a.Text)
			}
		}
		// A row that is moved to another account opens nothing.
		who := providertest.Ada()
		who.Subject, who.Email = "777", "mallory@example.com"
		w.idp.SignIn("gitlab", who)
		mallory := w.keeper("gitlab")
		swap := func() {
			err := w.DB.Update(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(`UPDATE oauth_provider_tokens SET sealed = (SELECT sealed FROM oauth_provider_tokens WHERE registration_id = $1)
					WHERE registration_id = $2`, k.id, mallory.id)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		swap()
		if a := mallory.ask(w.Server); a.Status != http.StatusInternalServerError {
			t.Errorf("a moved row: %d %s", a.Status, a.Text)
		}

		w.Clock.Advance(2 * time.Hour)
		before := k.asked()
		for what, change := range map[string]func(*provider.Credentials){
			"another client":   func(c *provider.Credentials) { c.ClientID = "another" },
			"another host":     func(c *provider.Credentials) { c.Tenant = "evil.example" },
			"another endpoint": func(c *provider.Credentials) { c.Endpoints.Token += "?evil" },
		} {
			c := *w.idp.Credentials("gitlab")
			change(&c)
			w.set("gitlab", &c)
			if k.ask(w.Server).Refused(401, "unable_to_refresh_oauth_token"); k.asked() != before {
				t.Errorf("%s is shown the refresh token", what)
			}
		}
		w.set("gitlab", w.idp.Credentials("gitlab"))
		k.gets()

		w.Call(http.MethodDelete, "/v1/users/oauth/"+k.id, nil).OK()
		k.ask(w.Server).Refused(404, "oauth_user_registration_not_found")
		w.Call(http.MethodDelete, "/v1/users/"+mallory.userID, nil).OK()
		mallory.ask(w.Server).Refused(404, "user_not_found")
		if n := count(t, w, "SELECT count(*) FROM oauth_provider_tokens"); n != 0 {
			t.Errorf("%d rows outlive their accounts", n)
		}
	})
}

// TestSecurity35RefreshTokensAtRest: no dump of the database, no answer and no
// log holds a refresh token, and a new master key takes the place of the old.
func TestSecurity35RefreshTokensAtRest(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.Configure("oauth.keep_provider_tokens", "true")
		w.setUp("gitlab")
		a := w.signIn("gitlab", nil).OK()
		k := &keeper{w, "gitlab", a.String("user_id"), a.String("oauth_user_registration_id"), a.String("provider_values", "access_token")}
		secrets := []string{k.access, a.String("provider_values", "refresh_token")}
		w.Clock.Advance(2 * time.Hour)
		secrets = append(secrets, k.gets(), "refresh-gitlab-")
		seen := w.Logs.String()
		err := w.DB.View(t.Context(), func(tx *store.Tx) error {
			var sealed []byte
			err := tx.QueryRow("SELECT sealed FROM oauth_provider_tokens").Scan(&sealed)
			seen += string(sealed)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if w.DB.Engine() == store.SQLite {
			files, err := filepath.Glob(w.DatabaseFile() + "*")
			if err != nil || len(files) == 0 {
				t.Fatal(files, err)
			}
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				seen += string(text)
			}
			if !strings.Contains(seen, k.id) {
				t.Error("the files do not hold what was just written, so this test proves nothing")
			}
		}
		for _, s := range secrets {
			if strings.Contains(seen, s) || strings.Contains(seen, url.QueryEscape(s)) {
				t.Errorf("%s can be read", s)
			}
		}
		fresh := secret.NewMasterKey()
		both := w.With(fresh + "," + w.MasterKey())
		if _, err := both.Reseal.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		ring, err := secret.ParseKeyring(fresh)
		if err != nil {
			t.Fatal(err)
		}
		counts, err := reseal.New(w.DB, ring, slog.New(slog.DiscardHandler), oauth.Sealed()).Count(t.Context())
		if err != nil || len(counts) != 2 || counts[1].First != 1 || counts[1].Lost != 0 {
			t.Errorf("the new key alone: %+v, %v", counts, err)
		}
	})
}

// TestLockedUsersKeepTheirTokens: guesses at somebody's code end no work that an
// app's server does for them.
func TestLockedUsersKeepTheirTokens(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		k := w.keeping("gitlab")
		err := w.DB.Update(t.Context(), func(tx *store.Tx) error {
			for {
				row, err := user.ForUpdate(tx, w.Env, k.userID)
				if err != nil {
					return err
				}
				if locked, err := user.CountFailure(tx, w.Env, row); err != nil || locked {
					return err
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if k.gets() != k.access {
			t.Error("another token")
		}
	})
}

// TestSecurity29TokenTruthTable: what a browser brings back works with all of
// its environment, its time, its verifier and its one use right, and with none
// of them wrong.
func TestSecurity29TokenTruthTable(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google")
		other := w.Environment("Staging")
		w.addURLs(other)
		if err := other.OAuth.Set(t.Context(), other.Env, "google", w.idp.Credentials("google")); err != nil {
			t.Fatal(err)
		}
		for row := range 16 {
			foreign, late, wrong, used := row&1 != 0, row&2 != 0, row&4 != 0, row&8 != 0
			_, token := w.tab().token("google", url.Values{"code_challenge": {challenge}})
			if used {
				w.finish(token, body{"code_verifier": verifier}).OK()
			}
			if late {
				w.Clock.Advance(5 * time.Minute)
			}
			at, shown := w.Server, verifier
			if foreign {
				at = other
			}
			if wrong {
				shown = flip(verifier)
			}
			a := at.Call(http.MethodPost, "/v1/oauth/authenticate", body{"token": token, "code_verifier": shown})
			switch {
			case foreign || late || used:
				a.Refused(400, "oauth_token_not_found")
			case wrong:
				a.Refused(400, "pkce_mismatch")
			default:
				a.OK()
			}
		}
	})
}
