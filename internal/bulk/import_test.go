package bulk_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/bulk"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

const (
	password = "correct horse battery staple"
	hash     = "$2a$04$IliJVJdzsjpLHgEQzsxxFejWEgDPbM3O/bBDWbhPFXdA.3ucMiZrC"
)

var plain = bulk.Options{From: "gatehouse", Format: bulk.FormatAuto}

// in imports a text, and returns the result with the lines of the report.
func in(t *testing.T, s *authtest.Server, text string, o bulk.Options) (bulk.Result, []bulk.Refusal) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report.jsonl")
	report, err := bulk.OpenReport(path)
	if err != nil {
		t.Fatal(err)
	}
	o.Report = report
	r, err := s.Bulk().Import(t.Context(), s.Env, bulk.Source{Name: "users.jsonl", From: strings.NewReader(text), Size: int64(len(text)), Resumable: true}, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Close(); err != nil {
		t.Fatal(err)
	}
	return r, refusals(t, path)
}

func refusals(t *testing.T, path string) (list []bulk.Refusal) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var r bulk.Refusal
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

// out exports everything.
func out(t *testing.T, s *authtest.Server, env *project.Environment) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := s.Bulk().Export(t.Context(), env, &b, true, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func count(t *testing.T, s *authtest.Server) (n int64) {
	t.Helper()
	err := s.DB.View(t.Context(), func(tx *store.Tx) (err error) {
		n, err = user.Count(tx, s.Env)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func counts(r bulk.Result) string {
	return fmt.Sprintf("%d: %d created, %d updated, %d existed, %d refused", r.Rows, r.Created, r.Updated, r.Existing, r.Refused)
}

func want(t *testing.T, r bulk.Result, text string) {
	t.Helper()
	if counts(r) != text {
		t.Errorf("got %s (%v)\nwant %s", counts(r), r.Reasons, text)
	}
}

func login(s *authtest.Server, email, password string) *authtest.Answer {
	return s.Call("POST", "/v1/passwords/authenticate", map[string]any{"email": email, "password": password, "session_duration_minutes": 60})
}

func TestImportedUsersSignInWithTheirPasswords(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		r, _ := in(t, s, `{"email":"Ada@Example.com","email_verified":true,"external_id":"a-1","name":{"first_name":"Ada"},"created_at":"2020-01-02T03:04:05.678Z","phone_number":"+1 415 555 2671","password":{"hash_type":"bcrypt","hash":"`+hash+`"},"trusted_metadata":{"n":12345678901234567890}}`, plain)
		want(t, r, "1: 1 created, 0 updated, 0 existed, 0 refused")
		a := login(s, "ada@example.com", password).OK()
		for path, want := range map[string]any{"external_id": "a-1", "created_at": "2020-01-02T03:04:05.678Z", "status": "active"} {
			if got := a.Get("user", path); got != want {
				t.Errorf("%s is %v", path, got)
			}
		}
		// Searches go by time of creation, which is in the id.
		found := s.Call("POST", "/v1/users/search", map[string]any{"query": map[string]any{"operator": "AND", "operands": []any{
			map[string]any{"filter_name": "created_at_less_than", "filter_value": "2020-01-02T03:04:06Z"}}}}).OK()
		if found.Get("results", 0, "external_id") != "a-1" {
			t.Errorf("not found by time: %v", found.Get("results"))
		}
	})
}

func TestOneBadRowLosesNoNeighbour(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		taken := `"emails":[{"email":"%s","email_id":"email-test-81bf03a8-86e1-4d95-bd44-bb3495224953"}]`
		rows := []string{
			`{"email":"one@example.com"}`,
			`{"email":"not an address"}`,
			`{` + fmt.Sprintf(taken, "two@example.com") + `}`,
			`{` + fmt.Sprintf(taken, "three@example.com") + `}`, // spoils the transaction
			"{\"email\":\"\xff@example.com\"}",
			`{"email":"four@example.com","password":{"hash_type":"bcrypt","hash":"nonsense"}}`,
			`{"email":"ONE@example.com"}`, // twice in the file
			`{"email":"five@example.com","roles":["king"]}`,
			`{"email":"six@example.com","untrusted_metadata":"` + strings.Repeat("x", 1<<20) + `"}`,
			`{"user_id":"user-live-01930e2c-4c7a-7c1e-9a51-0b6a3d1f2e4c","email":"live@example.com"}`,
			`{"external_id":"nobody"}`,
			`{"email":"seven@example.com","created_at":"1969-01-01T00:00:00Z"}`,
			`{"email":"eight@example.com","status":"gone"}`,
			`{"email":"` + "sandbox@stytch.com" + `"}`,
			`{"email":"last@example.com"}`,
		}
		r, refused := in(t, s, "\xef\xbb\xbf"+strings.Join(rows, "\r\n\r\n"), plain)
		want(t, r, "15: 3 created, 0 updated, 1 existed, 11 refused")
		var got []string
		for _, f := range refused {
			got = append(got, fmt.Sprintf("%d %s %s", f.Row, f.Identifier, f.Type))
			if f.Reason == "" || !strings.HasSuffix(f.Reason, ".") {
				t.Errorf("row %d has the reason %q", f.Row, f.Reason)
			}
		}
		if text := strings.Join(got, "\n"); text != strings.Join([]string{
			"2 not an address invalid_email", "4 three@example.com duplicate", "5  invalid_encoding", "6 four@example.com invalid_bcrypt_hash",
			"8 five@example.com invalid_rbac_role_assignment", "9  row_too_long", "10 live@example.com live_id_used_in_test_environment",
			"11 nobody no_identifier", "12 seven@example.com invalid_created_at", "13 eight@example.com invalid_status",
			"14 sandbox@stytch.com invalid_email_sandbox",
		}, "\n") {
			t.Errorf("refused:\n%s", text)
		}
		// The same file again changes nothing.
		r, _ = in(t, s, "\xef\xbb\xbf"+strings.Join(rows, "\r\n\r\n"), plain)
		want(t, r, "15: 0 created, 0 updated, 4 existed, 11 refused")
		if n := count(t, s); n != 3 {
			t.Errorf("there are %d users", n)
		}
	})
}

func TestADryRunWritesNothing(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		o := plain
		o.DryRun, o.Batch = true, 1
		text := "{\"email\":\"a@example.com\"}\n{\"email\":\"A@example.com\"}\n{\"email\":\"?\"}\n"
		for range 2 {
			r, _ := in(t, s, text, o)
			want(t, r, "3: 1 created, 0 updated, 1 existed, 1 refused")
		}
		if n := count(t, s); n != 0 {
			t.Errorf("there are %d users", n)
		}
		r, _ := in(t, s, text, plain)
		want(t, r, "3: 1 created, 0 updated, 1 existed, 1 refused")
	})
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{\"email\":\"user%d@example.com\"}\n", i)
	}
	return b.String()
}

func TestAnImportGoesOnWhereItStopped(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		text := lines(50) + "{}\n" + lines(0)
		ctx, stop := context.WithCancel(t.Context())
		o := plain
		o.Batch = 10
		o.Progress = func(p bulk.Progress) {
			if p.Rows == 20 {
				stop()
			}
		}
		source := func() bulk.Source {
			return bulk.Source{Name: "users.jsonl", From: strings.NewReader(text), Size: int64(len(text)), Resumable: true}
		}
		r, err := s.Bulk().Import(ctx, s.Env, source(), o)
		if err != nil || !r.Stopped || r.Rows != 20 {
			t.Fatalf("stopped at %+v, %v", r, err)
		}
		// With other options it is another import.
		other := plain
		other.Update = true
		r, err = s.Bulk().Import(t.Context(), s.Env, source(), other)
		if err != nil || r.Resumed != 0 || counts(r) != "51: 30 created, 0 updated, 20 existed, 1 refused" {
			t.Errorf("%+v, %v", r, err)
		}
		o.Progress = nil
		r, err = s.Bulk().Import(t.Context(), s.Env, source(), o)
		if err != nil || r.Resumed != 20 || counts(r) != "51: 20 created, 0 updated, 30 existed, 1 refused" {
			t.Errorf("%+v, %v", r, err)
		}
		// What is finished starts again.
		r, err = s.Bulk().Import(t.Context(), s.Env, source(), o)
		if err != nil || r.Resumed != 0 || counts(r) != "51: 0 created, 0 updated, 50 existed, 1 refused" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestRestartBeginsAtTheBeginning(t *testing.T) {
	s := authtest.New(t)
	text := lines(30)
	ctx, stop := context.WithCancel(t.Context())
	o := plain
	o.Batch, o.Progress = 10, func(bulk.Progress) { stop() }
	source := bulk.Source{Name: "-", From: strings.NewReader(text), Size: int64(len(text)), Resumable: true}
	if r, err := s.Bulk().Import(ctx, s.Env, source, o); err != nil || r.Rows != 10 {
		t.Fatal(r, err)
	}
	o.Progress, o.Restart = nil, true
	r, _ := in(t, s, text, o)
	want(t, r, "30: 20 created, 0 updated, 10 existed, 0 refused")
}

// The report has each refused row once, wherever the last run ended.
func TestTheReportIsContinued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.jsonl")
	// Row 9 was refused, and the process died before that was committed.
	kept := `{"row":3,"error_type":"invalid_email","reason":"It was."}` + "\n"
	if err := os.WriteFile(path, []byte(kept+`{"row":9,"error_type":"x","reason":"y"}`+"\n"+`{"row":`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := authtest.New(t)
	text := lines(8) + "{}\n" + "{}\n"
	ctx, stop := context.WithCancel(t.Context())
	o := plain
	o.Batch, o.Progress = 8, func(bulk.Progress) { stop() }
	source := bulk.Source{Name: "-", From: strings.NewReader(text), Size: int64(len(text)), Resumable: true}
	if r, err := s.Bulk().Import(ctx, s.Env, source, o); err != nil || r.Rows != 8 {
		t.Fatal(r, err)
	}
	report, err := bulk.OpenReport(path)
	if err != nil {
		t.Fatal(err)
	}
	o.Report, o.Progress, source.From = report, nil, strings.NewReader(text)
	if _, err := s.Bulk().Import(t.Context(), s.Env, source, o); err != nil {
		t.Fatal(err)
	}
	if err := report.Close(); err != nil {
		t.Fatal(err)
	}
	var rows []int64
	for _, r := range refusals(t, path) {
		rows = append(rows, r.Row)
	}
	if fmt.Sprint(rows) != "[3 9 10]" {
		t.Errorf("the report has the rows %v", rows)
	}
}

func TestCompressedFilesAndOtherFormats(t *testing.T) {
	s := authtest.New(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, "email,email_verified\r\ngz@example.com,true\r\n")
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, _ := in(t, s, packed.String(), plain)
	want(t, r, "1: 1 created, 0 updated, 0 existed, 0 refused")
	r, _ = in(t, s, "[\n {\"email\":\"x@example.com\"},\n {\"email\": 7},\n {\"email\":\"y@example.com\"}\n]", plain)
	want(t, r, "3: 2 created, 0 updated, 0 existed, 1 refused")
	for text, why := range map[string]string{
		"\xff\xfee\x00":                          "UTF-16",
		"email,shoe_size\n":                      `"shoe_size"`,
		"email,email\n":                          "twice",
		"\x1f\x8b nonsense":                      "gzip",
		"[{\"email\":\"cut@example.com\"},{\"em": "reading row 2",
	} {
		_, err := s.Bulk().Import(t.Context(), s.Env, bulk.Source{Name: "file", From: strings.NewReader(text)}, plain)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %s", text, err, why)
		}
	}
	if n := count(t, s); n != 4 { // what was before the cut is there
		t.Errorf("there are %d users", n)
	}
}

func TestUpdateAddsWhatIsMissing(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		in(t, s, `{"email":"ada@example.com","email_verified":true,"external_id":"a-1","trusted_metadata":{"plan":"pro"}}`, plain)
		row := `{"email":"ada@example.com","email_verified":true,"name":{"first_name":"Ada"},"phone_number":"+14155552671","password":{"hash_type":"bcrypt","hash":"` + hash + `"},"trusted_metadata":{"plan":"free","seats":3}}`
		r, _ := in(t, s, row, plain)
		want(t, r, "1: 0 created, 0 updated, 1 existed, 0 refused")
		login(s, "ada@example.com", password).Refused(400, "no_user_password")
		o := plain
		o.Update = true
		r, _ = in(t, s, row, o)
		want(t, r, "1: 0 created, 1 updated, 0 existed, 0 refused")
		a := login(s, "ada@example.com", password).OK()
		if got := a.Get("user", "trusted_metadata", "plan"); got != "pro" {
			t.Errorf("the plan was replaced: %v", got)
		}
		if a.Get("user", "name", "first_name") != "Ada" || a.Get("user", "phone_numbers", 0, "phone_number") != "+14155552671" {
			t.Errorf("not added: %v", a.Get("user"))
		}
		if mails := s.Messages("ada@example.com"); len(mails) != 0 {
			t.Errorf("the owner was told of an import: %v", mails)
		}
		r, _ = in(t, s, row, o)
		want(t, r, "1: 0 created, 0 updated, 1 existed, 0 refused")
		// Hashes that know their owner by the other product's id alone.
		in(t, s, `{"email":"grace@example.com","external_id":"g-1"}`, plain)
		r, _ = in(t, s, `{"external_id":"g-1","password":{"hash_type":"bcrypt","hash":"`+hash+`"}}`, o)
		want(t, r, "1: 0 created, 1 updated, 0 existed, 0 refused")
		r, refused := in(t, s, `{"email":"ada@example.com","external_id":"g-1"}`, o)
		if r.Refused != 1 || refused[0].Type != "matches_several_users" {
			t.Errorf("%+v", refused)
		}
	})
}

// An import is slow, the lock is short: whoever signs in meanwhile is in time.
func TestPauseIsCalledBetweenTransactions(t *testing.T) {
	s := authtest.New(t)
	n := 0
	o := plain
	o.Batch, o.Pause = 5, func(time.Duration) { n++ }
	in(t, s, lines(12), o)
	if n != 3 {
		t.Errorf("%d pauses", n)
	}
}
