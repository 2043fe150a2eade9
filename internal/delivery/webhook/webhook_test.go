package webhook

import (
	"context"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/outbound"
	"gatehouse/internal/outbox"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

var instant = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)

func now() time.Time { return instant }

var envelope = delivery.Envelope{
	ID: "message-test-0192f1aa-0000-7000-8000-000000000001", EnvironmentID: "project-test-0192f1aa-0000-7000-8000-000000000002",
	Channel: delivery.SMS, Type: delivery.Passcode, Locale: "en", To: "+15551234567", Text: "384951 is your code for Shop <&>.", Code: "384951",
	Link: "https://shop.example/authenticate?token=DOYoip3rvIMMW5lgItikFK-Ak1CfMsgjuiCyI7uuU94=", CreatedAt: instant,
}

// receiver is the server of an operator, who verifies what comes.
type receiver struct {
	*httptest.Server
	t      *testing.T
	secret string
	got    []*http.Request
	bodies [][]byte
	answer func(w http.ResponseWriter)
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t, secret: NewSecret(), answer: func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// ServeHTTP verifies as the standard describes it for receivers.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		r.t.Error(err)
	}
	r.got, r.bodies = append(r.got, req), append(r.bodies, body)
	key, err := parseSecret(r.secret)
	if err != nil {
		r.t.Error(err)
	}
	id, at := req.Header.Get("webhook-id"), req.Header.Get("webhook-timestamp")
	valid := false
	for one := range strings.FieldsSeq(req.Header.Get("webhook-signature")) {
		valid = valid || hmac.Equal([]byte(one), []byte(sign(key, id, at, body)))
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || !valid || time.Unix(seconds, 0).Sub(instant).Abs() > time.Minute {
		r.t.Errorf("a message that does not verify: %v", req.Header)
	}
	r.answer(w)
}

func (r *receiver) sender(config Config) *Sender {
	r.t.Helper()
	if config.URL == "" {
		config.URL = r.URL + "/messages?key=hidden"
	}
	s, err := New(config, r.secret, r.client(outbound.Policy{}), now)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *receiver) client(p outbound.Policy) *outbound.Client {
	p.AllowHTTP, p.AllowPrivate = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	c := outbound.New(p)
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

func (r *receiver) answers(status int, header, value, body string) {
	r.answer = func(w http.ResponseWriter) {
		if header != "" {
			w.Header().Set(header, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// The vector of the reference implementations.
func TestSignaturesAreThoseOfStandardWebhooks(t *testing.T) {
	key, err := parseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestAMessageArrivesAsItIs(t *testing.T) {
	r := newReceiver(t)
	s := r.sender(Config{Headers: map[string]string{"Authorization": "Bearer abc", "x-tenant": "shop"}})
	for range 2 {
		if err := s.Send(t.Context(), &envelope); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.got) != 2 {
		t.Fatalf("%d calls", len(r.got))
	}
	for i, req := range r.got {
		h := req.Header
		if req.Method != "POST" || req.URL.String() != "/messages?key=hidden" || h.Get("Content-Type") != "application/json" ||
			h.Get("Authorization") != "Bearer abc" || h.Get("X-Tenant") != "shop" || h.Get("Webhook-Id") != envelope.ID || h.Get("Webhook-Timestamp") != "1767323045" {
			t.Errorf("%s %s %v", req.Method, req.URL, h)
		}
		var m delivery.Envelope
		if err := json.Unmarshal(r.bodies[i], &m); err != nil || m != envelope {
			t.Errorf("%v: %s", err, r.bodies[i])
		}
	}
}

// classifier puts errors through an outbox and tells what becomes of the job.
func classifier(t *testing.T) func(err error) string {
	t.Helper()
	db, clock := storetest.Open(t, store.SQLite)
	q := outbox.New(outbox.Config{DB: db})
	var verdict error
	q.Handle("message", func(context.Context, json.RawMessage) error { return verdict }, outbox.Backoff(time.Second, time.Second))
	return func(err error) string {
		t.Helper()
		if outbox.IsPermanent(err) {
			return "permanent"
		}
		verdict = err
		err = db.Update(t.Context(), func(tx *store.Tx) error { return outbox.Enqueue(tx, "message", nil) })
		if err == nil {
			err = q.Drain(t.Context())
		}
		jobs, listed := q.List(t.Context(), outbox.Pending, 1)
		if err = errors.Join(err, listed); err != nil {
			t.Fatal(err)
		}
		if len(jobs) == 0 {
			return "taken"
		}
		wait := jobs[0].RunAt.Sub(clock.Now())
		verdict = nil
		clock.Set(jobs[0].RunAt)
		if err := q.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		if wait > 2*time.Second {
			return "after " + wait.String()
		}
		return "again"
	}
}

func TestAnswersSayWhatToDo(t *testing.T) {
	classify := classifier(t)
	r := newReceiver(t)
	s := r.sender(Config{})
	for _, c := range []struct {
		status        int
		header, value string
		want          string
	}{
		{200, "", "", "taken"}, {201, "", "", "taken"}, {202, "Retry-After", "60", "taken"}, {204, "", "", "taken"}, {299, "", "", "taken"},
		{400, "", "", "permanent"}, {404, "", "", "permanent"}, {410, "", "", "permanent"}, {413, "", "", "permanent"}, {422, "", "", "permanent"},
		{429, "Retry-After", "60", "after 1m0s"}, {503, "Retry-After", "90", "after 1m30s"}, {503, "Retry-After", instant.Add(3 * time.Minute).Format(http.TimeFormat), "after"},
		{429, "", "", "again"}, {503, "", "", "again"}, {503, "Retry-After", "soon", "again"}, {500, "Retry-After", "60", "again"},
		{301, "Location", "/elsewhere", "again"}, {307, "Location", "/elsewhere", "again"}, {302, "Location", "http://169.254.169.254/", "again"}, {304, "", "", "again"},
		{401, "", "", "again"}, {403, "", "", "again"}, {405, "", "", "again"}, {408, "", "", "again"}, {500, "", "", "again"}, {502, "", "", "again"}, {599, "", "", "again"},
	} {
		calls := len(r.got)
		r.answers(c.status, c.header, c.value, "")
		r.answer = dated(r.answer)
		err := s.Send(t.Context(), &envelope)
		if got := classify(err); got != c.want && (c.want != "after" || !strings.HasPrefix(got, "after 3m")) {
			t.Errorf("%d %s: %s (%v), want %s", c.status, c.value, got, err, c.want)
		}
		if len(r.got) != calls+1 {
			t.Errorf("%d: %d calls", c.status, len(r.got)-calls)
		}
	}
}

// dated makes the receiver's clock that of the test.
func dated(answer func(http.ResponseWriter)) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Date", instant.Format(http.TimeFormat))
		answer(w)
	}
}

// Whatever follows a 2xx, a second attempt would be a second message.
func TestAnEndlessThankYouIsAThankYou(t *testing.T) {
	r := newReceiver(t)
	r.answers(200, "", "", strings.Repeat("thanks ", 1000))
	s, err := New(Config{URL: r.URL}, r.secret, r.client(outbound.Policy{MaxBody: 100}), now)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), &envelope); err != nil {
		t.Error(err)
	}
}

func TestErrorsHoldNothingOfTheMessage(t *testing.T) {
	r := newReceiver(t)
	s := r.sender(Config{})
	sent, err := json.Marshal(envelope)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		string(sent), envelope.Text, "no such number: " + envelope.To, "to=%2B15551234567&code=384951", "ref 384951x", envelope.Link, "TOKEN=doyoip3rvimmw5lgitikfk",
		strings.Repeat("a", 195) + " " + envelope.Code, strings.Repeat("a", 3990) + envelope.Link, "token " + envelope.Link[45:60] + "\x00\x1b[31m\u202e",
	} {
		r.answers(500, "", "", body)
		err := s.Send(t.Context(), &envelope)
		if err == nil {
			t.Fatal("no error")
		}
		text := strings.ToLower(err.Error())
		for _, part := range []string{"5551234567", "384951", "doyoip3rv", "ak1cfmsg", "hidden", "shop.example"} {
			if strings.Contains(text, part) {
				t.Errorf("%q is in %q", part, text)
			}
		}
		if words, _ := strings.CutPrefix(text, "the webhook answered 500: "); len([]rune(words)) > maxExcerpt || strings.ContainsFunc(words, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%q", words)
		}
	}
	r.answers(500, "", "", "{\"error\":\n  \"the provider's   account is empty\"}")
	if err := s.Send(t.Context(), &envelope); err == nil || err.Error() != `the webhook answered 500: {"error": "the provider's account is empty"}` {
		t.Errorf("%v", err)
	}
	mail := delivery.Envelope{To: "bo@x.io"}
	if got := excerpt("550 <bo@x.io> is unknown, Bo", &mail); got != "550 <…@….…> is unknown, …" {
		t.Errorf("%q", got)
	}
}

// A gateway of the customer's own says why a number gets no texts.
func TestReceiversNameNumbersThatRefuseTexts(t *testing.T) {
	r := newReceiver(t)
	s := r.sender(Config{})
	for _, c := range []struct {
		status int
		body   string
		want   delivery.Reason
	}{
		{422, `{"error_type": "unsubscribed_phone_number"}`, delivery.Unsubscribed}, {403, `{"error_type": "downstream_carrier_error", "x": 1}`, delivery.Carrier},
		{422, `{"error_type": "another"}`, ""}, {422, `unsubscribed_phone_number`, ""}, {500, `{"error_type": "unsubscribed_phone_number"}`, ""},
	} {
		r.answers(c.status, "", "", c.body)
		err := s.Send(t.Context(), &envelope)
		if got := delivery.ReasonOf(err); got != c.want || c.want != "" && !outbox.IsPermanent(err) {
			t.Errorf("%d %s: %q (%v), want %q", c.status, c.body, got, err, c.want)
		}
	}
}

func TestFailedCalls(t *testing.T) {
	classify := classifier(t)
	r := newReceiver(t)
	s := r.sender(Config{})
	strict, err := New(Config{URL: r.URL}, r.secret, outbound.New(outbound.Policy{}), now)
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Send(t.Context(), &envelope); apierr.From(err) == nil || classify(err) != "again" {
		t.Errorf("a forbidden address: %v", err)
	}
	if len(r.got) != 0 {
		t.Error("it was called")
	}
	r.answer = func(w http.ResponseWriter) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "FOUL 384951 hello\r\n\r\n")
		_ = conn.Close()
	}
	if err := s.Send(t.Context(), &envelope); err == nil || strings.Contains(err.Error(), "384951") || classify(err) != "again" {
		t.Errorf("a foul answer: %v", err)
	}
	r.Close()
	if err := s.Send(t.Context(), &envelope); err == nil || strings.Contains(err.Error(), "hidden") || classify(err) != "again" {
		t.Errorf("nobody there: %v", err)
	}
}

func TestCheck(t *testing.T) {
	header := func(name, value string) Config {
		return Config{URL: "https://example.com", Headers: map[string]string{name: value}}
	}
	many := map[string]string{}
	for i := range maxHeaders + 1 {
		many["x-"+strconv.Itoa(i)] = ""
	}
	for _, c := range []Config{
		{}, {URL: "example.com"}, {URL: "ftp://example.com"}, {URL: "https://user:pass@example.com"}, {URL: "https://127.1/"},
		{URL: "https://example.com", Headers: many},
		header("", "a"), header("a b", "c"), header("a:", "c"), header("a\r\nb", "c"), header("ä", "c"),
		header("a", "b\r\nc: d"), header("a", "b\nc"), header("a", "\x00"), header("a", "ä"), header("a", " b"), header("a", strings.Repeat("a", maxHeaderValue+1)),
		header("Host", "a"), header("content-length", "1"), header("Content-Type", "a"), header("Transfer-Encoding", "chunked"), header("Connection", "close"),
		header("WEBHOOK-ID", "a"), header("webhook-signature", "a"), header("Proxy-Authorization", "a"),
	} {
		if e := apierr.From(c.Check()); e == nil || e.Type != "invalid_sender" || e.Status != 400 {
			t.Errorf("%+v: %v", c, e)
		}
	}
	for _, c := range []Config{{URL: "https://example.com/a?b=c"}, {URL: "http://10.0.0.1:8080"}, header("X-Api-Key", "a b/c=d"), header("x", "")} {
		if err := c.Check(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	client := outbound.New(outbound.Policy{})
	ok := Config{URL: "https://example.com"}
	for _, secret := range []string{"", "whsec_", "whsec_c2hvcnQ=", NewSecret()[6:], NewSecret() + "=", "whsec_" + strings.Repeat("A", 88)} {
		if _, err := New(ok, secret, client, now); apierr.From(err) == nil {
			t.Errorf("%q is a secret", secret)
		}
	}
	if _, err := New(Config{}, NewSecret(), client, now); apierr.From(err) == nil {
		t.Error("no URL, and a sender")
	}
	if a, b := NewSecret(), NewSecret(); a == b || len(a) != 50 {
		t.Errorf("%q, %q", a, b)
	}
}

var _ delivery.Sender = (*Sender)(nil)
