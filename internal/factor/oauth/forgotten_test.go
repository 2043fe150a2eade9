package oauth_test

import (
	"fmt"
	"testing"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// crowd lets n other accounts have tokens kept of a provider.
func (w *world) crowd(envID, name string, n int) {
	w.t.Helper()
	err := w.DB.Update(w.t.Context(), func(tx *store.Tx) error {
		for range n {
			_, err := tx.Exec(`INSERT INTO oauth_provider_tokens (environment_id, registration_id, user_id, provider, sealed, expires_at,
				busy_until, refused_until, used, version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, 0, 0, 0, $6, 1, 0, 0)`,
				envID, id.New(id.OAuth, id.Test, tx.Now), id.New(id.User, id.Test, tx.Now), name, []byte("sealed"), false)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// kept counts the rows of an environment and a provider.
func (w *world) kept(envID, name string) int64 {
	w.t.Helper()
	return count(w.t, w, "SELECT count(*) FROM oauth_provider_tokens WHERE environment_id = $1 AND provider = $2", envID, name)
}

// TestTokensGoWithTheirProvider: all of them, however many, and no others.
func TestTokensGoWithTheirProvider(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		k := w.keeping("gitlab")
		w.setUp("google", "apple")
		other := w.Environment("Staging")
		other.Configure("oauth.keep_provider_tokens", "true")
		w.setUpAt(other, "gitlab")
		w.crowd(w.Env.ID, "gitlab", 1200)
		w.crowd(w.Env.ID, "google", 7)
		w.crowd(other.Env.ID, "gitlab", 3)
		if _, err := w.Purge(t.Context(), 10_000); err != nil {
			t.Fatal(err)
		}
		if mine, google := w.kept(w.Env.ID, "gitlab"), w.kept(w.Env.ID, "google"); mine != 1201 || google != 7 {
			t.Fatalf("of providers that are set up %d and %d are left", mine, google)
		}
		if err := w.OAuth.Remove(t.Context(), w.Env, "gitlab"); err != nil {
			t.Fatal(err)
		}
		mine, google, staging := w.kept(w.Env.ID, "gitlab"), w.kept(w.Env.ID, "google"), w.kept(other.Env.ID, "gitlab")
		if mine != 0 || google != 7 || staging != 3 {
			t.Errorf("%d are left, %d of another provider, %d of another environment", mine, google, staging)
		}
		k.ask(w.Server).Refused(400, "missing_oauth_refresh_token")
		// Set up again, the provider has to be signed in with again.
		w.setUp("gitlab")
		k.ask(w.Server).Refused(400, "missing_oauth_refresh_token")
		w.keeper("gitlab").gets()
	})
}

// TestTokensOfAProviderThatIsGoneArePurged: what a removal did not come to, the
// background takes, within its budget; also of several providers, in several
// environments.
func TestTokensOfAProviderThatIsGoneArePurged(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.Configure("oauth.keep_provider_tokens", "true")
		w.setUp("google")
		other := w.Environment("Staging")
		other.Configure("oauth.keep_provider_tokens", "true")
		for name, n := range map[string]int{"amazon": 600, "google": 600, "yahoo": 600} {
			w.crowd(w.Env.ID, name, n)
			w.crowd(other.Env.ID, name, 50)
		}
		gone := func() string {
			all := count(t, w, "SELECT count(*) FROM oauth_provider_tokens")
			return fmt.Sprint(all-w.kept(w.Env.ID, "google"), w.kept(w.Env.ID, "google"))
		}
		for _, c := range []struct {
			budget int
			want   string
		}{{1, "1349 600"}, {649, "700 600"}, {10_000, "0 600"}, {10_000, "0 600"}} {
			if _, err := w.Purge(t.Context(), c.budget); err != nil {
				t.Fatal(err)
			}
			if got := gone(); got != c.want {
				t.Errorf("after a purge of %d at most, %s are left, want %s", c.budget, got, c.want)
			}
		}
	})
}
