package oauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/oauth/provider/providertest"
	"gatehouse/internal/id"
	"gatehouse/internal/user"
)

// matrix says whose user an account is, in every case there is
// (docs/decisions/0084). E is the user who has the address that the provider
// names; O another user; F a user without any address.
//
//	new      a new user without an address
//	new+     a new user with the address
//	new<     the same, and E has lost the address that E never proved
//	E, O, F  that user; + where the address is verified now, ! where everything
//	         that nothing vouched for has ended
//
// The columns are what the provider says about the address: that it is
// verified, that it is not, or nothing.
const matrix = `
E's address    add to  account of  | verified   unverified  absent

nobody's       -       nobody      | new+       new         new
nobody's       -       O           | O+         O           O
nobody's       F       nobody      | F+         F           F
nobody's       F       F           | F+         F           F
nobody's       F       O           | duplicate  duplicate   duplicate

verified       -       nobody      | E          new         new
verified       -       E           | E          E           E
verified       -       O           | O          O           O
verified       E       nobody      | E          E           E
verified       E       E           | E          E           E
verified       E       O           | duplicate  duplicate   duplicate
verified       F       nobody      | F          F           F

unverified     -       nobody      | E!         new         new
unverified     -       E           | E+         E           E
unverified     -       O           | O          O           O
unverified     E       nobody      | E!         unproven    unproven
unverified     E       E           | E+         E           E
unverified     E       O           | duplicate  duplicate   duplicate
unverified     F       nobody      | F          F           F

beside_others  -       nobody      | new<       new         new
beside_others  -       E           | E+         E           E
beside_others  -       O           | O          O           O
beside_others  E       nobody      | E+         E           E
beside_others  E       E           | E+         E           E
beside_others  E       O           | duplicate  duplicate   duplicate
beside_others  F       nobody      | F          F           F
`

var verdicts = map[string]string{"duplicate": "duplicate_oauth_registration", "unproven": "too_many_unverified_factors"}

// cell is one case of the matrix.
type cell struct {
	existing, addTo, owned, says, want string
	password                           bool
}

func (c cell) String() string {
	return fmt.Sprintf("address %s, added to %s, account of %s, provider says %s, password %t", c.existing, c.addTo, c.owned, c.says, c.password)
}

func cells(t *testing.T) []cell {
	t.Helper()
	var list []cell
	for line := range strings.Lines(matrix) {
		left, right, ok := strings.Cut(line, "|")
		row, wants := strings.Fields(left), strings.Fields(right)
		if !ok || len(row) != 3 || len(wants) != 3 {
			continue
		}
		for i, says := range []string{"verified", "unverified", "absent"} {
			for _, password := range []bool{false, true} {
				if password && row[0] == "nobody's" {
					continue
				}
				list = append(list, cell{row[0], row[1], row[2], says, wants[i], password})
			}
		}
	}
	if len(list) != 5*3+20*3*2+3*2 {
		t.Fatalf("the matrix has %d cells", len(list))
	}
	return list
}

// TestSecurity14And15Linking is the matrix: an address that the provider does
// not vouch for links nobody, and whoever waits at an address that they never
// proved is gone, or alone, when its reader arrives.
func TestSecurity14And15Linking(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.setUp(providertest.OpenID)
		w.Configure("passwords.argon2id.memory_kib", "8192")
		w.Configure("passwords.argon2id.iterations", "1")
		for n, c := range cells(t) {
			newCase(w, n, c).run()
		}
	})
}

// linking is a cell that is tried.
type linking struct {
	cell
	*world
	who     providertest.Person
	ids     map[string]string // of E, O and F
	session string            // of E, from before
}

func newCase(w *world, n int, c cell) *linking {
	w.t.Helper()
	l := &linking{cell: c, world: w, who: providertest.Ada(), ids: map[string]string{}}
	l.who.Subject, l.who.Email = fmt.Sprintf("subject-%d", n), fmt.Sprintf("cell%d@example.com", n)
	if c.existing != "nobody's" {
		fields := body{"email": l.who.Email}
		if c.password {
			fields["password"] = "mauve tractor sings 41"
			l.ids["E"] = w.Call(http.MethodPost, "/v1/passwords", fields).OK().String("user_id")
		} else {
			l.ids["E"] = w.Call(http.MethodPost, "/v1/users", fields).OK().String("user_id")
		}
		w.change(l.ids["E"], func(u *user.User) {
			u.Emails[0].Verified = c.existing == "verified"
			if c.existing == "beside_others" {
				p, err := u.AddPhone(w.Env, fmt.Sprintf("+1202555%04d", n))
				if err != nil {
					w.t.Fatal(err)
				}
				p.Verified = true
			}
		})
		link := w.Call(http.MethodPost, "/v1/magic_links", body{"user_id": l.ids["E"]}).OK().String("token")
		l.session = w.Call(http.MethodPost, "/v1/magic_links/authenticate", with(hour, body{"token": link})).OK().String("session_token")
	}
	for _, name := range []string{"O", "F"} {
		l.ids[name] = w.nobody()
	}
	if known, _ := provider.Find(providertest.OpenID); c.owned != "nobody" {
		w.change(l.ids[c.owned], func(u *user.User) {
			u.Providers = append(u.Providers, user.OAuthProvider{
				ProviderType: known.Type, ProviderSubject: l.who.Subject, OAuthUserRegistrationID: id.New(id.OAuth, id.Test, w.Clock.Now()),
			})
		})
	}
	switch c.says {
	case "unverified":
		l.who.Verified = false
	case "absent":
		l.who.Email = ""
	}
	return l
}

func (l *linking) run() {
	l.t.Helper()
	l.idp.SignIn(providertest.OpenID, l.who)
	query := url.Values{}
	if l.addTo != "-" {
		query.Set("oauth_attach_token", l.Call(http.MethodPost, "/v1/oauth/attach", body{"provider": providertest.OpenID, "user_id": l.ids[l.addTo]}).OK().String("oauth_attach_token"))
	}
	b := l.tab()
	back := b.back(providertest.OpenID, b.ask(providertest.OpenID, query))
	if verdict := verdicts[l.want]; verdict != "" {
		b.refused(back, verdict)
		return
	}
	address, got := l.arrives(back)
	if wantURL := map[bool]string{true: signupURL, false: loginURL}[strings.HasPrefix(l.want, "new")]; address != wantURL {
		l.t.Errorf("%s: the browser is sent to %s", l.cell, address)
	}
	l.check(l.finish(got.Get("token"), hour))
}

func (l *linking) check(a *authtest.Answer) {
	l.t.Helper()
	if a.Status != http.StatusOK {
		l.t.Errorf("%s: %d %s", l.cell, a.Status, a.Text)
		return
	}
	name := strings.TrimRight(l.want, "+!<")
	known := false
	for _, one := range l.ids {
		known = known || one == a.String("user_id")
	}
	if name == "new" && known || name != "new" && a.String("user_id") != l.ids[name] {
		l.t.Errorf("%s: signs in %s, want %s of %v", l.cell, a.String("user_id"), l.want, l.ids)
	}
	if list := a.Get("user", "providers").([]any); len(list) != 1 {
		l.t.Errorf("%s: the user has %d accounts", l.cell, len(list))
	}
	// The address: the user's and verified, or not the user's.
	wantAddress := strings.ContainsAny(l.want, "+!<") || l.want == "E" && l.existing == "verified"
	verified := false
	for _, e := range a.Get("user", "emails").([]any) {
		verified = verified || e.(map[string]any)["verified"] == true
	}
	if verified != wantAddress {
		l.t.Errorf("%s: the addresses are %v", l.cell, a.Get("user", "emails"))
	}
	// What was there before.
	ends := strings.HasSuffix(l.want, "!")
	if a.Get("reset_sessions") != ends {
		l.t.Errorf("%s: reset_sessions is %v", l.cell, a.Get("reset_sessions"))
	}
	if l.session == "" {
		return
	}
	if old := l.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_token": l.session}); (old.Status == http.StatusOK) == ends {
		l.t.Errorf("%s: the session from before is answered %d", l.cell, old.Status)
	}
	e := l.user(l.ids["E"])
	if left := len(e.Get("emails").([]any)); left != map[bool]int{true: 0, false: 1}[strings.HasSuffix(l.want, "<")] {
		l.t.Errorf("%s: E is left with %d addresses", l.cell, left)
	}
	// A password that was chosen before anybody proved to read the mail.
	if l.password {
		distrusted := ends || l.want == "E+"
		if e.Get("password", "requires_reset") != distrusted {
			l.t.Errorf("%s: requires_reset is %v", l.cell, e.Get("password", "requires_reset"))
		}
	}
}
