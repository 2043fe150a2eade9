package totp

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
)

var testEnv = &project.Environment{ID: "project-test-1", Kind: id.Test}

func TestNewEnrolments(t *testing.T) {
	now := time.Unix(1111111111, 0)
	e, other := newEnrolment(testEnv, now), newEnrolment(testEnv, now)
	if len(e.base32()) != 32 || strings.Trim(e.base32(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" || e.base32() == other.base32() {
		t.Errorf("the secrets are %s and %s", e.base32(), other.base32())
	}
	ids, codes := map[string]bool{}, map[string]bool{}
	for _, c := range e.Codes {
		ids[c.ID], codes[c.Code] = true, true
		if !id.Check(id.RecoveryCode, id.Test, c.ID) || c.used() || e.find(c.Code).ID != c.ID {
			t.Errorf("a code is %+v", c)
		}
	}
	if len(ids) != 10 || len(codes) != 10 || len(e.unused()) != 10 || !id.Check(id.TOTP, id.Test, e.ID) {
		t.Errorf("the enrolment is %+v", e)
	}
	e.Codes[3].use(now)
	if got := e.unused(); len(got) != 9 || !e.find(e.Codes[3].Code).used() || e.find("0000-0000-0000") != nil {
		t.Errorf("after one is used %v are left", got)
	}
}

// What is sealed opens as itself, for its own app in its own environment and
// nowhere else.
func TestSecurity24SecretsAreBound(t *testing.T) {
	keys, err := secret.ParseKeyring(secret.NewMasterKey())
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{keys: keys}
	e := newEnrolment(testEnv, time.Unix(1111111111, 0))
	sealed, err := s.seal(testEnv, e)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.open(testEnv, &record{id: e.ID, sealed: sealed}); err != nil || got.base32() != e.base32() || got.unused()[9] != e.unused()[9] {
		t.Errorf("it opens as %+v, %v", got, err)
	}
	if _, err := s.open(testEnv, &record{id: newEnrolment(testEnv, time.Unix(1, 0)).ID, sealed: sealed}); !errors.Is(err, errEnrolment) {
		t.Errorf("in the place of another one: %v", err)
	}
	if _, err := s.open(&project.Environment{ID: "project-test-2"}, &record{id: e.ID, sealed: sealed}); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("in another environment: %v", err)
	}
}

// Whatever is changed, cut off or added, nothing opens.
func TestSecurity53SealedSecretsAreNotMalleable(t *testing.T) {
	keys, err := secret.ParseKeyring(secret.NewMasterKey())
	if err != nil {
		t.Fatal(err)
	}
	s := &Service{keys: keys}
	e := newEnrolment(testEnv, time.Unix(1111111111, 0))
	sealed, err := s.seal(testEnv, e)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, changed []byte) {
		if _, err := s.open(testEnv, &record{id: e.ID, sealed: changed}); !errors.Is(err, secret.ErrSealed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range sealed {
		flipped := append([]byte{}, sealed...)
		flipped[i] ^= 1
		refused("a flipped bit", flipped)
	}
	for _, n := range []int{0, 1, 28, 44, len(sealed) - 1} {
		refused("cut off", sealed[:n])
	}
	refused("extended", append(append([]byte{}, sealed...), 0))
}

// Nothing that could be read from the database makes the server stop, or stands
// for an app that it is not.
func FuzzReadEnrolment(f *testing.F) {
	e := newEnrolment(testEnv, time.Unix(1111111111, 0))
	text, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{string(text), "", "null", "{}", "[]", `{"totp_id":1}`, strings.Replace(string(text), "-", "", 1), strings.Repeat("[", 1000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readEnrolment(text, e.ID)
		if err != nil {
			return
		}
		if got.ID != e.ID || len(got.base32()) != 32 || len(got.Codes) != 10 {
			t.Errorf("%q was read as %+v", text, got)
		}
		for _, c := range got.unused() {
			if form, err := parseRecoveryCode(c); err != nil || form != c {
				t.Errorf("nobody could type the recovery code %q", c)
			}
		}
	})
}
