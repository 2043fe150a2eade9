package oauth_test

import (
	"net/http"
	"testing"

	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// TestMasterKeysChange: credentials at providers are sealed anew, so that the
// older key can go.
func TestMasterKeysChange(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("github", "google")
		fresh := secret.NewMasterKey()
		both := w.With(fresh + "," + w.MasterKey())
		if _, err := both.Reseal.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		ring, err := secret.ParseKeyring(fresh)
		if err != nil {
			t.Fatal(err)
		}
		alone := oauth.New(oauth.Config{DB: w.DB, Keyring: ring, Projects: w.Projects})
		_, c, err := alone.Credentials(t.Context(), w.Env, "github")
		if err != nil || c.ClientSecret != w.idp.Credentials("github").ClientSecret {
			t.Fatalf("with the fresh key alone: %v", err)
		}
	})
}

// TestUnreadableCredentials are missed at their provider, and at no other.
func TestUnreadableCredentials(t *testing.T) {
	once(t, func(t *testing.T, w *world) {
		w.setUp("github", "google")
		err := w.DB.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec("UPDATE oauth_providers SET sealed = $1 WHERE provider = 'google'", []byte("nothing"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.setUp("github") // as a change that has everything read again
		w.signIn("github", hour).OK()
		if a := w.tab().start("google", nil); a.Status != http.StatusInternalServerError {
			t.Errorf("google: %d %s", a.Status, a.Text)
		}
	})
}
