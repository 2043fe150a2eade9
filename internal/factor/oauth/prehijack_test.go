package oauth_test

import (
	"net/http"
	"net/url"
	"testing"

	"gatehouse/internal/factor/oauth/provider/providertest"
)

// TestSecurity14AttachmentsEndWithTheFirstProof: somebody makes a user with
// another's address, asks by way of a server that names the user for an account
// to be added, and waits until the owner has proven the address.
func TestSecurity14AttachmentsEndWithTheFirstProof(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp("google", "github")
		eve, owner := providertest.Ada(), providertest.Ada()
		eve.Subject, eve.Email = "666", "eve@example.com"
		owner.Subject, owner.Email = "1", "victim@example.com"
		w.idp.SignIn("github", eve)
		w.idp.SignIn("google", owner)
		id := w.Call(http.MethodPost, "/v1/users", body{"email": "victim@example.com"}).OK().String("user_id")
		attach := func() url.Values {
			return attached(w.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": "github", "user_id": id}))
		}
		asked, underWay := attach(), w.tab()
		answer := underWay.ask("github", attach())

		if a := w.signIn("google", hour).OK(); a.String("user_id") != id {
			t.Fatalf("the owner is %s", a.Text)
		}
		w.tab().start("github", asked).Refused(400, "invalid_oauth_attach_token")
		underWay.back("github", answer).Refused(400, "oauth_invalid_state")
		if list := w.user(id).Get("providers").([]any); len(list) != 1 {
			t.Errorf("the accounts are %v", list)
		}
		// What is asked for afterwards is the owner's wish.
		_, token := w.tab().token("github", attach())
		if a := w.finish(token, hour).OK(); a.String("user_id") != id || len(a.Get("user", "providers").([]any)) != 2 {
			t.Errorf("the account is added to %s", a.Text)
		}
	})
}
