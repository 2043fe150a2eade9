package user

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/wire"
)

func TestCreate(t *testing.T) {
	each(t, func(f *fixture) {
		a := f.ok("POST", "/v1/users", `{"email":" Ada@Example.COM ","phone_number":"+1 (415) 555-2671",
			"name":{"first_name":" Ada ","last_name":"Lovelace"},"attributes":{"ip_address":"203.0.113.7","user_agent":"x"},
			"trusted_metadata":{"n":9007199254740993,"gone":null},"untrusted_metadata":{"theme":"<dark>"},"external_id":"customer|1","roles":[],
			"nobody_knows_this":1}`)
		for path, want := range map[string]string{
			"user_id": a.text("user.user_id"), "status": "active", "email_id": a.text("user.emails.0.email_id"), "phone_id": a.text("user.phone_numbers.0.phone_id"),
			"user.emails.0.email": "ada@example.com", "user.phone_numbers.0.phone_number": "+14155552671", "user.name.first_name": "Ada",
			"user.name.last_name": "Lovelace", "user.name.middle_name": "", "user.external_id": "customer|1", "user.created_at": "2026-01-02T03:04:05.000Z",
			"user.untrusted_metadata.theme": "<dark>", "user.status": "active",
		} {
			if got := a.text(path); got != want {
				f.Errorf("%s = %q, want %q", path, got, want)
			}
		}
		if n, _ := a.at("user.trusted_metadata.n").(json.Number); n != "9007199254740993" {
			f.Errorf("a number was rounded to %s", n)
		}
		for _, k := range []struct {
			kind id.Kind
			path string
		}{{id.User, "user_id"}, {id.Email, "email_id"}, {id.Phone, "phone_id"}} {
			if !id.Check(k.kind, id.Test, a.text(k.path)) {
				f.Errorf("%s = %q", k.path, a.text(k.path))
			}
		}
		b := f.ok("POST", "/v1/users", `{"email":"b@example.com","create_user_as_pending":true}`)
		if b.text("status") != "pending" || b.at("phone_id") != "" || b.at("user.external_id") != nil {
			f.Errorf("pending user: %v", b.body)
		}
		c := f.ok("POST", "/v1/users", `{"phone_number":"+14155552672","email":null}`)
		if c.at("email_id") != "" || c.text("phone_id") == "" {
			f.Errorf("user with a phone: %v", c.body)
		}
	})
}

func TestCreateRefusals(t *testing.T) {
	each(t, func(f *fixture) {
		f.create(`{"email":"taken@example.com","phone_number":"+14155552671","external_id":"taken"}`)
		for _, c := range []struct {
			body      string
			errorType string
		}{
			{`{}`, "invalid_create_user_request"},
			{``, "invalid_create_user_request"},
			{`{"email":"","phone_number":""}`, "invalid_create_user_request"},
			{`{"name":{"first_name":"Ada"}}`, "invalid_create_user_request"},
			{`{"email":"ada"}`, "invalid_email"},
			{`{"email":"ok@example.com","phone_number":"4155552671"}`, "invalid_phone_number"},
			{`{"email":"TAKEN@example.com"}`, "duplicate_email"},
			{`{"email":"new@example.com","phone_number":"+1 415 555 2671"}`, "duplicate_phone_number"},
			{`{"email":"new@example.com","external_id":"taken"}`, "duplicate_user_external_id"},
			{`{"email":"new@example.com","external_id":"not ok"}`, "bad_request"},
			{`{"email":"new@example.com","external_id":""}`, "bad_request"},
			{`{"email":"new@example.com","trusted_metadata":[]}`, "metadata_invalid_format"},
			{`{"email":"new@example.com","untrusted_metadata":"x"}`, "metadata_invalid_format"},
			{`{"email":"new@example.com","trusted_metadata":{"k":"` + strings.Repeat("x", 4096) + `"}}`, "metadata_too_large"},
			{`{"email":"new@example.com","roles":["stytch_user"]}`, "cannot_assign_default_rbac_role_id"},
			{`{"email":"new@example.com","roles":["nobody"]}`, "invalid_rbac_role_assignment"},
			{`{"email":"new@example.com","name":{"first_name":"a\nb"}}`, "bad_request"},
			{`{"email":"new@example.com","name":"Ada"}`, "bad_request"},
			{`{"email":7}`, "bad_request"},
			{`{"email":"new@example.com","create_user_as_pending":"yes"}`, "bad_request"},
			{`{"email":"new@example.com","roles":"x"}`, "bad_request"},
			{`not json`, "bad_request"},
		} {
			f.refused("POST", "/v1/users", c.body, 400, c.errorType)
		}
		// Nothing of a refused user stays: each part can still be claimed.
		f.create(`{"email":"new@example.com","phone_number":"+14155552672","external_id":"new"}`)
	})
}

func TestGetIsFlat(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com","external_id":"customer-1"}`)
		for _, path := range []string{"/v1/users/" + userID, "/v1/users/customer-1", "/v1/users/customer%2D1"} {
			a := f.ok("GET", path, "")
			if a.text("user_id") != userID || a.text("emails.0.email") != "ada@example.com" || a.at("user") != nil {
				f.Errorf("%s: %v", path, a.body)
			}
		}
	})
}

// The names and no others that a user shows: never a secret, a hash or a column
// of the table (security case 61).
func TestNoSecretsInOutput(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com","phone_number":"+14155552671"}`)
		f.must(func(tx *store.Tx) error {
			_, err := f.users.Change(tx, f.env, userID, everyFactor(f, tx))
			return err
		})
		want := map[string]string{
			"": "biometric_registrations created_at crypto_wallets emails external_id is_locked lock_created_at lock_expires_at name password " +
				"phone_numbers providers roles status totps trusted_metadata untrusted_metadata user_id webauthn_registrations",
			"name":                      "first_name last_name middle_name",
			"emails.0":                  "email email_id verified",
			"emails.1":                  "email email_id verified",
			"phone_numbers.0":           "phone_id phone_number verified",
			"webauthn_registrations.0":  "authenticator_type domain name user_agent verified webauthn_registration_id",
			"providers.0":               "locale oauth_user_registration_id profile_picture_url provider_subject provider_type",
			"totps.0":                   "totp_id verified",
			"crypto_wallets.0":          "crypto_wallet_address crypto_wallet_id crypto_wallet_type verified",
			"biometric_registrations.0": "biometric_registration_id verified",
			"password":                  "password_id requires_reset",
		}
		check := func(a answer, prefix string) {
			f.Helper()
			for path, names := range want {
				object, ok := a.at(strings.Trim(prefix+"."+path, ".")).(map[string]any)
				if !ok {
					f.Errorf("%s%s is missing", prefix, path)
				}
				var got []string
				for name := range object {
					if prefix+path != "" || name != "status_code" && name != "request_id" {
						got = append(got, name)
					}
				}
				slices.Sort(got)
				if strings.Join(got, " ") != names {
					f.Errorf("%s%s shows %v, want %s", prefix, path, got, names)
				}
			}
		}
		check(f.ok("GET", "/v1/users/"+userID, ""), "")
		check(f.ok("PUT", "/v1/users/"+userID, "{}"), "user")
		check(f.ok("POST", "/v1/users/search", "{}"), "results.0")
	})
}

// everyFactor gives a user one more factor of every kind.
func everyFactor(f *fixture, tx *store.Tx) func(u *User) error {
	return func(u *User) error {
		mail, err := u.AddEmail(f.env, "second-"+u.UserID[len(u.UserID)-12:]+"@example.com")
		if err != nil {
			return err
		}
		mail.Verified = true
		unique := u.UserID
		u.WebAuthnRegistrations = append(u.WebAuthnRegistrations, WebAuthnRegistration{WebAuthnRegistrationID: id.New(id.WebAuthn, id.Test, tx.Now), Domain: "example.com", Verified: true})
		u.Providers = append(u.Providers, OAuthProvider{OAuthUserRegistrationID: id.New(id.OAuth, id.Test, tx.Now), ProviderType: "Google", ProviderSubject: unique})
		u.TOTPs = append(u.TOTPs, TOTP{TOTPID: id.New(id.TOTP, id.Test, tx.Now), Verified: true})
		u.CryptoWallets = append(u.CryptoWallets, CryptoWallet{CryptoWalletID: id.New(id.CryptoWallet, id.Test, tx.Now), CryptoWalletType: "ethereum", CryptoWalletAddress: "0xAB" + unique})
		u.BiometricRegistrations = append(u.BiometricRegistrations, BiometricRegistration{BiometricRegistrationID: id.New(id.Biometric, id.Test, tx.Now)})
		u.Password = &Password{PasswordID: id.New(id.Password, id.Test, tx.Now)}
		return nil
	}
}

func TestUserIDs(t *testing.T) {
	each(t, func(f *fixture) {
		inLive := f.send(f.live, "POST", "/v1/users", `{"email":"ada@example.com"}`).text("user_id")
		for _, c := range []struct {
			userID    string
			status    int
			errorType string
		}{
			{id.Random(id.User, id.Test), 404, "user_not_found"},
			{"nobody", 404, "user_not_found"},
			{inLive, 400, "live_id_used_in_test_environment"},
			{id.Random(id.Session, id.Test), 400, "invalid_user_id"},
			{id.Random(id.Session, id.Live), 400, "invalid_user_id"},
			{"user-test-123", 400, "invalid_user_id"},
			{strings.ToUpper(id.Random(id.User, id.Test)), 404, "user_not_found"}, // an external id, if anything
			{id.Random(id.User, id.Test) + "0", 400, "invalid_user_id"},
			{"a%20b", 400, "invalid_user_id"},
			{"%27%20OR%201=1", 400, "invalid_user_id"},
			{strings.Repeat("a", 128), 404, "user_not_found"},
			{strings.Repeat("a", 129), 400, "invalid_user_id"},
		} {
			for _, call := range [][2]string{{"GET", ""}, {"PUT", ""}, {"DELETE", ""}, {"DELETE", "/external_id"}} {
				f.refused(call[0], "/v1/users/"+c.userID+call[1], "", c.status, c.errorType)
			}
			f.refused("PUT", "/v1/users/"+c.userID+"/exchange_primary_factor", `{"email_address":"a@b.co"}`, c.status, c.errorType)
		}
		if a := f.send(f.live, "GET", "/v1/users/"+id.Random(id.User, id.Test), ""); a.errorType() != "test_id_used_in_live_environment" {
			f.Errorf("a test id in live: %v", a.body)
		}
	})
}

func TestUpdate(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com","name":{"first_name":"Ada","last_name":"Byron"},"external_id":"one","trusted_metadata":{"a":1,"b":2}}`)
		a := f.ok("PUT", "/v1/users/one", `{"name":{"last_name":"Lovelace","middle_name":""},"trusted_metadata":{"a":null,"c":{"x":[]}},"untrusted_metadata":{"u":true},"roles":[],"external_id":"two"}`)
		if a.text("user_id") != userID || a.text("emails.0.email") != "ada@example.com" || a.at("phone_numbers") == nil || a.at("crypto_wallets") == nil {
			f.Errorf("update: %v", a.body)
		}
		if got, _ := json.Marshal(a.at("user.trusted_metadata")); string(got) != `{"b":2,"c":{"x":[]}}` {
			f.Errorf("merged metadata %s", got)
		}
		if a.text("user.name.first_name") != "Ada" || a.text("user.name.last_name") != "Lovelace" || a.text("user.external_id") != "two" {
			f.Errorf("update: %v", a.at("user"))
		}
		f.refused("GET", "/v1/users/one", "", 404, "user_not_found") // the old value stops working
		f.ok("GET", "/v1/users/two", "")
		f.create(`{"email":"eve@example.com","external_id":"eve"}`)
		for body, errorType := range map[string]string{
			`{"external_id":"eve"}`:                               "duplicate_user_external_id",
			`{"external_id":"user-test-x"}`:                       "bad_request",
			`{"emails":[{"email":"x@example.com"}]}`:              "update_user_auth_method_not_allowed",
			`{"phone_numbers":[{"phone_number":"+14155552671"}]}`: "update_user_auth_method_not_allowed",
			`{"crypto_wallets":[{}]}`:                             "update_user_auth_method_not_allowed",
			`{"trusted_metadata":1}`:                              "metadata_invalid_format",
			`{"roles":["stytch_user"]}`:                           "cannot_assign_default_rbac_role_id",
		} {
			f.refused("PUT", "/v1/users/"+userID, body, 400, errorType)
		}
		before := f.row(userID)
		f.ok("PUT", "/v1/users/"+userID, `{"external_id":"two","name":{"first_name":"Ada"},"trusted_metadata":{"b":2},"emails":[]}`)
		if after := f.row(userID); after.Version != before.Version {
			f.Errorf("an update that changes nothing moved the version from %d to %d", before.Version, after.Version)
		}
		if a := f.ok("DELETE", "/v1/users/two/external_id", ""); a.text("user_id") != userID || a.at("user.external_id") != nil {
			f.Errorf("external id: %v", a.body)
		}
		f.ok("DELETE", "/v1/users/"+userID+"/external_id", "") // again: nothing to delete is no error
	})
}

func TestExchangePrimaryFactor(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com"}`)
		f.create(`{"email":"taken@example.com","phone_number":"+14155552679"}`)
		path := "/v1/users/" + userID + "/exchange_primary_factor"
		must := func(err error) {
			f.Helper()
			if err != nil {
				f.Fatal(err)
			}
		}
		must(f.change(userID, func(u *User) error { u.Emails[0].Verified = true; return nil }))
		for _, body := range []string{`{}`, `{"email_address":"a@b.co","phone_number":"+14155552671"}`, `{"email_address":""}`} {
			f.refused("PUT", path, body, 400, "invalid_exchange_primary_factor_fields")
		}
		for body, errorType := range map[string]string{
			`{"email_address":"taken@example.com"}`: "duplicate_email",
			`{"email_address":"ADA@example.com"}`:   "duplicate_email_for_user",
			`{"email_address":"nonsense"}`:          "invalid_email",
			`{"phone_number":"+14155552679"}`:       "duplicate_phone_number",
			`{"phone_number":"nonsense"}`:           "invalid_phone_number",
		} {
			f.refused("PUT", path, body, 400, errorType)
		}
		old := f.user(userID).Emails[0].EmailID
		a := f.ok("PUT", path, `{"email_address":"Grace@example.com"}`)
		if a.text("user.emails.0.email") != "grace@example.com" || a.at("user.emails.0.verified") != false || a.text("user.emails.0.email_id") == old {
			f.Errorf("exchanged: %v", a.at("user.emails"))
		}
		a = f.ok("PUT", path, `{"phone_number":"+1 415 555 2671"}`) // may change the kind
		if a.text("user.phone_numbers.0.phone_number") != "+14155552671" || a.at("user.emails.0") != nil {
			f.Errorf("exchanged: %v", a.at("user"))
		}
		f.create(`{"email":"ada@example.com"}`) // free again
		must(f.change(userID, func(u *User) error {
			u.Password = &Password{PasswordID: id.Random(id.Password, id.Test)}
			return nil
		}))
		f.refused("PUT", path, `{"email_address":"x@example.com"}`, 400, "invalid_exchange_primary_factor_user")
		must(f.change(userID, func(u *User) error { u.PhoneNumbers = nil; return nil }))
		f.refused("PUT", path, `{"email_address":"x@example.com"}`, 400, "invalid_exchange_primary_factor_user")
	})
}

func TestDeleteFactors(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com","phone_number":"+14155552671"}`)
		f.must(func(tx *store.Tx) error {
			_, err := f.users.Change(tx, f.env, userID, everyFactor(f, tx))
			return err
		})
		u := f.user(userID)
		for _, c := range []struct {
			path, factorID string
			kind           id.Kind
			notFound       string
			badID          string
		}{
			{"emails", u.Emails[1].EmailID, id.Email, "email_not_found", "invalid_email_id"},
			{"emails", u.Emails[0].EmailID, id.Email, "email_not_found", "invalid_email_id"},
			{"phone_numbers", u.PhoneNumbers[0].PhoneID, id.Phone, "phone_number_not_found", "invalid_phone_id"},
			{"webauthn_registrations", u.WebAuthnRegistrations[0].WebAuthnRegistrationID, id.WebAuthn, "webauthn_registration_not_found", "invalid_webauthn_registration_id"},
			{"biometric_registrations", u.BiometricRegistrations[0].BiometricRegistrationID, id.Biometric, "biometric_registration_not_found", "invalid_biometric_registration_id"},
			{"totps", u.TOTPs[0].TOTPID, id.TOTP, "totp_not_found", "invalid_totp_id"},
			{"crypto_wallets", u.CryptoWallets[0].CryptoWalletID, id.CryptoWallet, "crypto_wallet_not_found", "invalid_crypto_wallet_id"},
			{"passwords", u.Password.PasswordID, id.Password, "password_not_found", "invalid_password_id"},
			{"oauth", u.Providers[0].OAuthUserRegistrationID, id.OAuth, "oauth_user_registration_not_found", "invalid_oauth_user_registration_id"},
		} {
			path := "/v1/users/" + c.path + "/"
			if a := f.send(f.live, "DELETE", path+c.factorID, ""); a.errorType() != "test_id_used_in_live_environment" {
				f.Errorf("%s in live: %v", c.path, a.body)
			}
			a := f.ok("DELETE", path+c.factorID, "")
			if a.text("user_id") != userID || strings.Contains(fmt.Sprint(a.at("user")), c.factorID) {
				f.Errorf("%s: %v", c.path, a.body)
			}
			f.refused("DELETE", path+c.factorID, "", 404, c.notFound)
			f.refused("DELETE", path+id.Random(c.kind, id.Test), "", 404, c.notFound)
			f.refused("DELETE", path+id.Random(c.kind, id.Live), "", 400, "live_id_used_in_test_environment")
			for _, bad := range []string{"x", id.Random(id.Session, id.Test), c.factorID + "0", c.factorID[:len(c.factorID)-1]} {
				f.refused("DELETE", path+bad, "", 400, c.badID)
			}
		}
		if left := f.user(userID).Factors(); len(left) != 0 {
			f.Errorf("factors left: %v", left)
		}
		f.create(`{"email":"ada@example.com","phone_number":"+14155552671"}`)
	})
}

func TestDeleteUser(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com","phone_number":"+14155552671","external_id":"one"}`)
		f.must(func(tx *store.Tx) error {
			_, err := f.users.Change(tx, f.env, userID, everyFactor(f, tx))
			return err
		})
		a := f.ok("DELETE", "/v1/users/one", "")
		if a.text("user_id") != userID || a.at("user") != nil {
			f.Errorf("delete: %v", a.body)
		}
		f.refused("DELETE", "/v1/users/"+userID, "", 404, "user_not_found")
		f.refused("GET", "/v1/users/one", "", 404, "user_not_found")
		if again := f.create(`{"email":"ada@example.com","phone_number":"+14155552671","external_id":"one"}`); again == userID {
			f.Error("an id came back")
		}
	})
}

// Security case 24: what one environment frees or reuses never leads into
// another.
func TestRecycledExternalIDStaysInItsEnvironment(t *testing.T) {
	each(t, func(f *fixture) {
		body := `{"email":"ada@example.com","phone_number":"+14155552671","external_id":"shared","trusted_metadata":{"secret":1}}`
		first := f.create(body)
		other := f.send(f.live, "POST", "/v1/users", strings.Replace(body, `"secret":1`, `"secret":2`, 1)).text("user_id")
		if other == "" || other == first {
			t.Fatal("the other environment has no user of its own")
		}
		f.ok("DELETE", "/v1/users/shared", "")
		f.refused("GET", "/v1/users/shared", "", 404, "user_not_found")
		f.refused("GET", "/v1/users/"+other, "", 400, "live_id_used_in_test_environment")
		second := f.create(strings.Replace(body, `"secret":1`, `"secret":3`, 1))
		for env, want := range map[string]string{f.env.ID: second, f.live.ID: other} {
			e := f.env
			if env == f.live.ID {
				e = f.live
			}
			if a := f.send(e, "GET", "/v1/users/shared", ""); a.text("user_id") != want {
				f.Errorf("external id in %s leads to %v", env, a.body)
			}
			for _, filter := range []string{`"user_id","filter_value":["shared"]`, `"email_address","filter_value":["ada@example.com"]`, `"phone_number_fuzzy","filter_value":"4155"`} {
				a := f.send(e, "POST", "/v1/users/search", `{"query":{"operator":"OR","operands":[{"filter_name":`+filter+`}]}}`)
				if a.text("results.0.user_id") != want || a.at("results.1") != nil {
					f.Errorf("search in %s by %s: %v", env, filter, a.body)
				}
			}
		}
		emailID := f.user(second).Emails[0].EmailID
		if a := f.send(f.live, "DELETE", "/v1/users/emails/"+emailID, ""); a.status == http.StatusOK {
			t.Error("a factor was deleted from another environment")
		}
		f.ok("DELETE", "/v1/users/shared", "")
		if a := f.send(f.live, "GET", "/v1/users/shared", ""); a.text("user_id") != other {
			f.Errorf("the other environment lost its user: %v", a.body)
		}
	})
}

// The interface describes itself: a user is a User wherever it appears, flat in
// the answer of GET, and a timestamp is a date and time.
func TestDescription(t *testing.T) {
	db, clock := storetest.Open(t, store.SQLite)
	f := newFixture(t, db, clock)
	text, err := wire.OpenAPI(wire.Info{Title: "x", Version: "1"}, f.users.Endpoints())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct{ Type, Format any }
			}
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	u := doc.Components.Schemas["User"].Properties
	if len(u) != 19 || u["created_at"].Format != "date-time" {
		t.Errorf("User is described as %v", u)
	}
	if strings.Contains(string(text), "ExpiresAt") || strings.Contains(string(text), "contentEncoding") {
		t.Error("the description shows what the wire does not")
	}
}

// Security case 22: a body that names a user is no credential.
func TestNobodyIsWhoTheBodySays(t *testing.T) {
	each(t, func(f *fixture) {
		userID := f.create(`{"email":"ada@example.com"}`)
		for _, e := range f.server.Endpoints() {
			path := e.Path
			for strings.Contains(path, "{") {
				before, rest, _ := strings.Cut(path, "{")
				_, after, _ := strings.Cut(rest, "}")
				path = before + userID + after
			}
			r := httptest.NewRequest(e.Method, path, strings.NewReader(`{"user_id":"`+userID+`","email_address":"eve@example.com"}`))
			w := httptest.NewRecorder()
			f.server.ServeHTTP(w, r)
			if w.Code != http.StatusUnauthorized {
				f.Errorf("%s %s without credentials: %d", e.Method, path, w.Code)
			}
		}
		if f.user(userID).Emails[0].Email != "ada@example.com" {
			f.Error("the user changed")
		}
	})
}

// Security case 21: nothing that a request says makes a factor verified.
func TestNoRequestSetsVerified(t *testing.T) {
	each(t, func(f *fixture) {
		poison := `"verified":true,"email_verified":true,"emails":null,"status":"active","is_locked":true,"user_id":"x","created_at":"2020-01-01T00:00:00Z","version":9,"failed_attempts":9,"expires_at":1`
		a := f.ok("POST", "/v1/users", `{"email":"ada@example.com","create_user_as_pending":true,`+poison+`,"name":{"first_name":"x",`+poison+`}}`)
		userID := a.text("user_id")
		f.ok("PUT", "/v1/users/"+userID, `{`+poison+`}`)
		f.ok("PUT", "/v1/users/"+userID+"/exchange_primary_factor", `{"email_address":"b@example.com",`+poison+`}`)
		u := f.user(userID)
		if u.Emails[0].Verified || u.Status != Pending || u.IsLocked || u.UserID == "x" || time.Time(u.CreatedAt).Year() != 2026 {
			f.Errorf("a request set what it may not: %+v", u)
		}
	})
}
