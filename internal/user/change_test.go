package user

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// attach adds an address that nobody proves within five minutes.
func (f *fixture) attach(userID, address string) error {
	f.Helper()
	return f.update(func(tx *store.Tx) error {
		_, err := f.users.Change(tx, f.env, userID, func(u *User) error {
			e, err := u.AddEmail(f.env, address)
			if err == nil {
				e.ExpiresAt = tx.Now.Add(5 * time.Minute)
			}
			return err
		})
		return err
	})
}

func (f *fixture) findEmail(address string) (userID string, err error) {
	f.Helper()
	err = f.db.View(f.Context(), func(tx *store.Tx) error {
		row, err := FindByEmail(tx, f.env, address)
		if err == nil {
			userID = row.UserID
		}
		return err
	})
	return userID, err
}

// An unproven attachment ends by the clock, not by a job: it is gone from
// answers, look-ups and searches at that instant (security case 51).
func TestUnprovenAttachmentEnds(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com"}`)
		if err := f.attach(userID, "new@other.example"); err != nil {
			f.Fatal(err)
		}
		attached := f.user(userID).Emails[1].EmailID
		search := `{"query":{"operator":"AND","operands":[{"filter_name":"email_address","filter_value":["new@other.example"]}]}}`
		byID := `{"query":{"operator":"AND","operands":[{"filter_name":"email_id","filter_value":["` + attached + `"]}]}}`
		fuzzy := `{"query":{"operator":"AND","operands":[{"filter_name":"email_address_fuzzy","filter_value":"new@other"}]}}`

		f.clock.Advance(5*time.Minute - time.Millisecond)
		if a := f.ok("GET", "/v1/users/"+userID, ""); a.text("emails.1.email") != "new@other.example" {
			f.Errorf("gone too soon: %v", a.at("emails"))
		}
		if _, err := f.findEmail("new@other.example"); typeOf(t, err) != "email_not_found" {
			f.Errorf("a login with it finds who only added it: %v", err)
		}
		for _, q := range []string{search, byID, fuzzy} {
			if a := f.ok("POST", "/v1/users/search", q); a.text("results.0.user_id") != userID {
				f.Errorf("not found by %s", q)
			}
		}
		f.clock.Advance(time.Millisecond)
		if a := f.ok("GET", "/v1/users/"+userID, ""); a.at("emails.1") != nil || a.text("emails.0.email") != "ada@example.com" {
			f.Errorf("still there: %v", a.at("emails"))
		}
		if _, err := f.findEmail("new@other.example"); typeOf(t, err) != "email_not_found" {
			f.Errorf("still found: %v", err)
		}
		f.refused("DELETE", "/v1/users/emails/"+attached, "", 404, "email_not_found")
		byDomain := `{"query":{"operator":"AND","operands":[{"filter_name":"email_domain","filter_value":["other.example"]}]}}`
		for _, q := range []string{search, byID, fuzzy, byDomain} {
			if a := f.ok("POST", "/v1/users/search", q); a.at("results.0") != nil {
				f.Errorf("still found by %s", q)
			}
		}
		f.create(`{"email":"new@other.example"}`) // takes the place of the expired claim
		if a := f.ok("GET", "/v1/users/"+userID, ""); a.at("emails.1") != nil {
			f.Errorf("back again: %v", a.at("emails"))
		}
	})
}

// Whoever adds somebody else's address keeps nobody from it: its owner signs up
// with it, or adds it, while it waits to be proven.
func TestUnprovenAttachmentBlocksNobody(t *testing.T) {
	each(t, func(f *fixture) {
		eve := f.create(`{"email":"eve@example.com"}`)
		for i, claim := range []func() error{
			func() error { return f.attach(f.create(`{"email":"ada@example.com"}`), "NEW0@other.example") },
			func() error { f.create(`{"email":"new1@other.example"}`); return nil },
		} {
			address := fmt.Sprintf("new%d@other.example", i)
			if err := f.attach(eve, address); err != nil {
				f.Fatal(err)
			}
			if err := claim(); err != nil {
				f.Errorf("%s: %v", address, err)
			}
			if a := f.ok("GET", "/v1/users/"+eve, ""); a.at("emails.1") != nil {
				f.Errorf("it is still there: %v", a.at("emails"))
			}
		}
		f.refused("POST", "/v1/users", `{"email":"new1@other.example"}`, 400, "duplicate_email")
	})
}

func TestProvenAttachmentStays(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com"}`)
		if err := f.attach(userID, "new@other.example"); err != nil {
			f.Fatal(err)
		}
		if err := f.change(userID, func(u *User) error { u.Emails[1].Verified = true; return nil }); err != nil {
			f.Fatal(err)
		}
		f.clock.Advance(time.Hour)
		if a := f.ok("GET", "/v1/users/"+userID, ""); a.text("emails.1.email") != "new@other.example" || a.at("emails.1.verified") != true {
			f.Errorf("a proven address went: %v", a.at("emails"))
		}
		if a := f.ok("POST", "/v1/users/search", `{"query":{"operator":"AND","operands":[{"filter_name":"email_domain","filter_value":["other.example"]}]}}`); a.text("results.0.user_id") != userID {
			f.Error("a proven address is not found by its domain")
		}
	})
}

// The same person may attach an address again after it expired, and writing
// down what the clock did frees the rows.
func TestSettle(t *testing.T) {
	each(t, func(f *fixture) {
		var removed []string
		f.users.SetHooks(Hooks{OnFactorRemoved: func(_ *store.Tx, _ *project.Environment, _ *User, kind, id string) error {
			removed = append(removed, kind+" "+id)
			return nil
		}})
		var ids []string
		for i := range 5 {
			userID := f.create(fmt.Sprintf(`{"email":"user%d@example.com"}`, i))
			if err := f.attach(userID, fmt.Sprintf("late%d@example.com", i)); err != nil {
				f.Fatal(err)
			}
			ids = append(ids, "email "+f.user(userID).Emails[1].EmailID)
		}
		if n, err := f.users.Settle(f.Context(), f.env, 10); n != 0 || err != nil {
			f.Errorf("settled %d users too early, %v", n, err)
		}
		f.clock.Advance(5 * time.Minute)
		first := strings.TrimPrefix(ids[0], "email ")
		again, _ := f.findEmail("user0@example.com")
		if err := f.attach(again, "late0@example.com"); err != nil {
			f.Errorf("attaching again: %v", err)
		}
		if e := f.user(again).Emails; len(e) != 2 || e[1].EmailID == first {
			f.Errorf("after attaching again: %v", e)
		}
		for _, want := range []int{3, 1, 0} {
			if n, err := f.users.Settle(f.Context(), f.env, 3); n != want || err != nil {
				f.Errorf("settled %d users, %v, want %d", n, err, want)
			}
		}
		if slices.Sort(removed); !slices.Equal(removed, slices.Sorted(slices.Values(ids))) {
			f.Errorf("hooks were told %v, want %v", removed, ids)
		}
	})
}

func TestHooks(t *testing.T) {
	each(t, func(f *fixture) {
		var told []string
		f.users.SetHooks(
			Hooks{
				OnFirstProof: func(_ *store.Tx, _ *project.Environment, u *User, kind, id string) error {
					told = append(told, "proof "+kind)
					u.Password = nil // what was set before the proof goes
					return nil
				},
				OnDelete: func(_ *store.Tx, _ *project.Environment, userID string) error {
					told = append(told, "delete")
					return nil
				},
			},
			Hooks{OnFactorRemoved: func(_ *store.Tx, _ *project.Environment, u *User, kind, id string) error {
				told = append(told, "removed "+kind)
				if slices.ContainsFunc(u.Factors(), func(x Factor) bool { return x.ID == id }) {
					f.Errorf("the hook sees the factor %s that is gone", id)
				}
				return nil
			}},
			Hooks{},
		)
		expect := func(what string, want ...string) {
			f.Helper()
			if !slices.Equal(told, want) {
				f.Errorf("%s: hooks were told %q, want %q", what, told, want)
			}
			told = nil
		}
		userID := f.create(`{"email":"ada@example.com"}`)
		expect("create")
		f.must(func(tx *store.Tx) error {
			_, err := f.users.Change(tx, f.env, userID, func(u *User) error {
				u.Password = &Password{PasswordID: id.New(id.Password, id.Test, tx.Now)}
				return nil
			})
			return err
		})
		expect("a password, which nobody proves")
		prove := func(u *User) error { u.Emails[0].Verified = true; return nil }
		if err := f.change(userID, prove); err != nil {
			f.Fatal(err)
		}
		expect("the first proof", "proof email", "removed password")
		if f.user(userID).Password != nil {
			f.Error("what the hook took away is still there")
		}
		if err := f.change(userID, prove); err != nil {
			f.Fatal(err)
		}
		expect("the second proof")
		f.must(func(tx *store.Tx) error {
			_, err := f.users.Create(tx, f.env, NewUser{Email: "b@example.com", Fill: prove})
			return err
		})
		expect("verified from the start", "proof email")
		f.ok("PUT", "/v1/users/"+userID+"/exchange_primary_factor", `{"phone_number":"+14155552671"}`)
		expect("exchange", "removed email")
		f.ok("DELETE", "/v1/users/"+userID, "")
		expect("delete", "delete")

		f.users.SetHooks(Hooks{OnDelete: func(*store.Tx, *project.Environment, string) error { return errors.New("no") }})
		other, _ := f.findEmail("b@example.com")
		if a := f.send(f.env, "DELETE", "/v1/users/"+other, ""); a.errorType() != "internal_server_error" {
			f.Errorf("a hook that fails: %v", a.body)
		}
		f.ok("GET", "/v1/users/"+other, "")
	})
}

// A verdict that is kept commits what the caller wrote and not half of a user.
func TestKeptVerdictLeavesUserWhole(t *testing.T) {
	each(t, func(f *fixture) {
		f.create(`{"email":"taken@example.com","external_id":"taken"}`)
		userID := f.create(`{"email":"ada@example.com"}`)
		before := f.row(userID)
		for _, add := range []func(u *User) error{
			func(u *User) error {
				u.ExternalID = new(string)
				*u.ExternalID = "taken"
				_, err := u.AddPhone(f.env, "+14155552671")
				return err
			},
			func(u *User) error {
				if _, err := u.AddPhone(f.env, "+14155552671"); err != nil {
					return err
				}
				_, err := u.AddEmail(f.env, "taken@example.com")
				return err
			},
			func(u *User) error {
				u.Emails = append(u.Emails, u.Emails[0])
				u.Emails[1].EmailID = id.New(id.Email, id.Test, f.db.Now())
				return nil
			},
		} {
			err := f.update(func(tx *store.Tx) error {
				_, err := f.users.Change(tx, f.env, userID, add)
				return store.Keep(err)
			})
			if !strings.HasPrefix(typeOf(t, err), "duplicate_") {
				f.Errorf("no duplicate: %v", err)
			}
		}
		if after := f.row(userID); after.Version != before.Version || string(after.JSON) != string(before.JSON) {
			f.Errorf("the user changed to %s", after.JSON)
		}
	})
}

func TestOneAddressOneUser(t *testing.T) {
	each(t, func(f *fixture) {
		const callers = 50
		answers := make([]answer, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				address := "ada@example.com"
				if i%2 == 0 {
					address = "  ADA@Example.com"
				}
				answers[i] = f.send(f.env, "POST", "/v1/users", fmt.Sprintf(`{"email":%q,"name":{"first_name":"Caller %d"}}`, address, i))
			})
		}
		wg.Wait()
		won := 0
		for _, a := range answers {
			switch {
			case a.status == 200:
				won++
			case a.errorType() != "duplicate_email":
				f.Errorf("lost with %v", a.body)
			}
		}
		if won != 1 {
			f.Errorf("%d callers got the address", won)
		}
	})
}

// The same race for an external id, for a phone number, for the place of an
// expired claim, and between adding and creating.
func TestRacesForOneValue(t *testing.T) {
	each(t, func(f *fixture) {
		holder := f.create(`{"email":"holder@example.com"}`)
		if err := f.attach(holder, "contested@example.com"); err != nil {
			f.Fatal(err)
		}
		f.clock.Advance(5 * time.Minute)
		const callers = 20
		var ids []string
		for i := range callers {
			ids = append(ids, f.create(fmt.Sprintf(`{"email":"caller%d@example.com"}`, i)))
		}
		attempts := map[string]func(i int) error{
			"external_id": func(i int) error {
				return f.change(ids[i], func(u *User) error { u.ExternalID = new(string); *u.ExternalID = "one"; return nil })
			},
			"phone": func(i int) error {
				return f.change(ids[i], func(u *User) error { _, err := u.AddPhone(f.env, "+14155552671"); return err })
			},
			"expired": func(i int) error {
				return f.update(func(tx *store.Tx) error {
					_, err := f.users.Create(tx, f.env, NewUser{Email: "contested@example.com"})
					return err
				})
			},
		}
		for what, attempt := range attempts {
			errs := make([]error, callers)
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() { errs[i] = attempt(i) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if !strings.HasPrefix(typeOf(t, err), "duplicate_") {
					f.Errorf("%s: %v", what, err)
				}
			}
			if won != 1 {
				f.Errorf("%s: %d callers won", what, won)
			}
		}
	})
}

// Parallel changes of one user all count: none works on what it read before
// another wrote.
func TestParallelChanges(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com"}`)
		const callers = 40
		errs := make([]error, callers)
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				errs[i] = f.change(userID, func(u *User) error {
					_, err := u.AddEmail(f.env, fmt.Sprintf("mail%d@example.com", i))
					return err
				})
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			f.Fatal(err)
		}
		if row := f.row(userID); row.Version != callers+1 || len(f.user(userID).Emails) != callers+1 {
			f.Errorf("version %d, %d addresses", row.Version, len(f.user(userID).Emails))
		}
	})
}

func TestFind(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@münchen.de","phone_number":"+14155552671"}`)
		f.must(func(tx *store.Tx) error {
			_, err := f.users.Change(tx, f.env, userID, everyFactor(f, tx))
			return err
		})
		u := f.user(userID)
		err := f.db.View(f.Context(), func(tx *store.Tx) error {
			for what, find := range map[string]func() (*Row, error){
				"email":    func() (*Row, error) { return FindByEmail(tx, f.env, " ADA@xn--mnchen-3ya.de") },
				"phone":    func() (*Row, error) { return FindByPhone(tx, f.env, "+1 (415) 555-2671") },
				"provider": func() (*Row, error) { return FindByProvider(tx, f.env, "google", userID) },
				"wallet":   func() (*Row, error) { return FindByWallet(tx, f.env, "ethereum", "0xab"+userID) },
				"webauthn": func() (*Row, error) {
					return FindByFactor(tx, f.env, KindWebAuthn, u.WebAuthnRegistrations[0].WebAuthnRegistrationID)
				},
				"id":            func() (*Row, error) { return Get(tx, f.env, userID) },
				"id for update": func() (*Row, error) { return Get(tx, f.env, userID) },
			} {
				if row, err := find(); err != nil || row.UserID != userID {
					f.Errorf("by %s: %v", what, err)
				}
			}
			for want, find := range map[string]func() (*Row, error){
				"email_not_found":                   func() (*Row, error) { return FindByEmail(tx, f.env, "x@example.com") },
				"invalid_email":                     func() (*Row, error) { return FindByEmail(tx, f.env, "x") },
				"phone_number_not_found":            func() (*Row, error) { return FindByPhone(tx, f.env, "+14155552672") },
				"invalid_phone_number":              func() (*Row, error) { return FindByPhone(tx, f.env, "1") },
				"oauth_user_registration_not_found": func() (*Row, error) { return FindByProvider(tx, f.env, "github", userID) },
				"crypto_wallet_not_found":           func() (*Row, error) { return FindByWallet(tx, f.env, "solana", "0xab"+userID) },
				"invalid_totp_id":                   func() (*Row, error) { return FindByFactor(tx, f.env, KindTOTP, u.Emails[0].EmailID) },
			} {
				if _, err := find(); typeOf(t, err) != want {
					f.Errorf("want %s, got %v", want, err)
				}
			}
			return nil
		})
		if err != nil {
			f.Fatal(err)
		}
	})
}

// Security case 5: spellings of one identifier are one user, with one counter.
func TestIdentifierSpellingsShareOneCounter(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"jürgen@münchen.de","phone_number":"+14155552671"}`)
		spellings := []string{"jürgen@münchen.de", "JÜRGEN@MÜNCHEN.DE", " ju\u0308rgen@xn--mnchen-3ya.de ", "Jürgen@mu\u0308nchen.DE"}
		numbers := []string{"+14155552671", "+1 415 555 2671", "+1 (415) 555-2671", "+1.415.555.2671"}
		for i := range spellings {
			err := f.update(func(tx *store.Tx) error {
				row, err := FindByEmail(tx, f.env, spellings[i])
				if err != nil {
					return err
				}
				if _, err := CountFailure(tx, f.env, row); err != nil {
					return err
				}
				if row, err = FindByPhone(tx, f.env, numbers[i]); err != nil {
					return err
				}
				_, err = CountFailure(tx, f.env, row)
				return err
			})
			if err != nil {
				f.Fatal(err)
			}
			f.refused("POST", "/v1/users", fmt.Sprintf(`{"email":%q}`, spellings[i]), 400, "duplicate_email")
			f.refused("POST", "/v1/users", fmt.Sprintf(`{"phone_number":%q}`, numbers[i]), 400, "duplicate_phone_number")
		}
		if got := f.row(userID).FailedAttempts; got != 2*len(spellings) {
			f.Errorf("%d failures counted, want %d", got, 2*len(spellings))
		}
	})
}

func TestCount(t *testing.T) {
	each(t, func(f *fixture) {
		counted := func() (n int64) {
			f.must(func(tx *store.Tx) (err error) { n, err = Count(tx, f.env); return err })
			return n
		}
		if n := counted(); n != 0 {
			f.Errorf("%d users in an empty environment", n)
		}
		var ids []string
		for i := range 40 {
			ids = append(ids, f.create(fmt.Sprintf(`{"email":"user%d@example.com"}`, i)))
		}
		f.send(f.live, "POST", "/v1/users", `{"email":"a@example.com"}`)
		f.refused("POST", "/v1/users", `{"email":"user1@example.com"}`, 400, "duplicate_email")
		for _, userID := range ids[:15] {
			f.ok("DELETE", "/v1/users/"+userID, "")
		}
		if n := counted(); n != 25 {
			f.Errorf("%d users, want 25", n)
		}
	})
}
