package bulk_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/bulk"
	"gatehouse/internal/factor/webauthn/virtualkey"
)

// everybody makes users with all that can be carried along.
func everybody(t *testing.T, s *authtest.Server) *authtest.Person {
	t.Helper()
	p := s.Person("passkey@example.com")
	p.SignIn(nil).OK()
	text, err := os.ReadFile("testdata/stytch.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Bulk().Import(t.Context(), s.Env, bulk.Source{Name: "stytch.json", From: bytes.NewReader(text)}, bulk.Options{From: "stytch", Format: bulk.FormatAuto})
	if err != nil || r.Created != 1 || r.LeftOut["webauthn_registrations"] != 1 || r.LeftOut["password"] != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	in(t, s, `{"email":"byron@example.com","email_verified":true,"external_id":"a-1","name":{"first_name":"Ada","last_name":"<Lovelace>"},"created_at":"2020-01-02T03:04:05.678Z","password":{"hash_type":"md_5","hash":"5eb63bbbe01eeed093cb22bb8f5acdc3","md_5_config":{"append_salt":"pepper"},"requires_reset":true},"trusted_metadata":{"b":1.10,"a":"é"},"status":"pending"}
{"phone_number":"+14155550100","phone_number_verified":true,"password":{"hash_type":"bcrypt","hash":"`+hash+`"}}`, plain)
	return p
}

func TestAnExportOfItsImportIsTheSame(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := everybody(t, s)
		device, app := authtest.NewDevice(), s.Mobile()
		app.Token = p.Session().String("session_token")
		app.Enrol(device).OK()
		first := out(t, s, s.Env)
		if strings.Count(first, "\n") < 4 || !strings.Contains(first, `"credential":{"credential_id"`) {
			t.Fatalf("exported:\n%s", first)
		}
		other := authtest.New(t)
		r, refused := in(t, other, first, plain)
		if r.Refused != 0 || len(r.LeftOut) != 0 {
			t.Fatalf("%+v %+v", r, refused)
		}
		if again := out(t, other, other.Env); again != first {
			t.Errorf("exported\n%s\nand then\n%s", first, again)
		}
		login(other, "byron@example.com", "wrong").Refused(401, "unauthorized_credentials")
		other.Mobile().Unlock(device).OK()
		// In an environment of the other kind everybody gets new ids.
		live := bulk.Options{From: "gatehouse", Format: bulk.FormatAuto, NewIDs: true}
		result, err := other.Bulk().Import(t.Context(), other.Live, bulk.Source{Name: "users.jsonl", From: strings.NewReader(first)}, live)
		if err != nil || result.Refused != 0 || result.Created != r.Created {
			t.Errorf("%+v, %v", result, err)
		}
		if text := out(t, other, other.Live); strings.Contains(text, "-test-") {
			t.Errorf("ids of the test environment in the live one:\n%s", text)
		}
	})
}

// A passkey that was carried to another server signs in there.
func TestARestoredPasskeySignsIn(t *testing.T) {
	s := authtest.New(t)
	p := everybody(t, s)
	first := out(t, s, s.Env)
	other := authtest.New(t)
	in(t, other, first, plain)
	options := other.Call("POST", "/v1/webauthn/authenticate/start", map[string]any{
		"domain": authtest.Domain, "return_passkey_credential_options": true, "use_base64_url_encoding": true,
	}).OK().String("public_key_credential_request_options")
	signed, err := p.Key.Get(authtest.Page(), options)
	if err != nil {
		t.Fatal(err)
	}
	a := other.Call("POST", "/v1/webauthn/authenticate", map[string]any{"public_key_credential": signed.JSON(virtualkey.Base64URL)}).OK()
	if a.Get("user_id") != p.UserID {
		t.Errorf("signed in as %v", a.Get("user_id"))
	}
}

func TestAnExportWithoutHashesHasNone(t *testing.T) {
	s := authtest.New(t)
	everybody(t, s)
	var b bytes.Buffer
	done, err := s.Bulk().Export(t.Context(), s.Env, &b, false, nil)
	if err != nil || done.Users != 4 || done.Hashes != 0 || strings.Contains(b.String(), `"hash`) || strings.Contains(b.String(), `"password"`) {
		t.Errorf("%+v, %v:\n%s", done, err, b.String())
	}
	if done.Bytes != int64(b.Len()) {
		t.Errorf("%d bytes were counted, %d written", done.Bytes, b.Len())
	}
}

// More users than fit on one page are there once each, in order.
func TestAnExportHasEverybodyOnce(t *testing.T) {
	s := authtest.New(t)
	in(t, s, lines(1203), plain)
	seen, last := map[string]bool{}, ""
	for line := range strings.Lines(out(t, s, s.Env)) {
		id, _, _ := strings.Cut(strings.TrimPrefix(line, `{"user_id":"`), `"`)
		if seen[id] || id <= last {
			t.Fatalf("%s comes again or out of order", id)
		}
		seen[id], last = true, id
	}
	if len(seen) != 1203 {
		t.Errorf("%d users", len(seen))
	}
}

func TestTheReportIsForItsOwnerAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.jsonl")
	r, err := bulk.OpenReport(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
