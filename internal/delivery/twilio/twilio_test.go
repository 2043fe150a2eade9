package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/outbound"
	"gatehouse/internal/outbox"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

const (
	account   = "AC0123456789abcdef0123456789abcdef"
	apiKey    = "SK0123456789abcdef0123456789abcdef"
	service   = "MG0123456789abcdef0123456789abcdef"
	template  = "HX0123456789abcdef0123456789abcdef"
	token     = "fedcba9876543210fedcba9876543210"
	from      = "+15005550006"
	recipient = "+15551234567"
)

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// api is Twilio as far as https://www.twilio.com/docs/messaging/api/message-resource
// and https://www.twilio.com/docs/iam/test-credentials describe it: the numbers
// that fail are those of its test credentials, and a few more in their manner.
type api struct {
	*httptest.Server
	t     *testing.T
	forms []url.Values
	users []string
	busy  string // Retry-After of the next answer
	fails func(w http.ResponseWriter) bool
}

func newAPI(t *testing.T) *api {
	a := &api{t: t}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

type failure struct {
	status, code int
	message      string
}

var failures = map[string]failure{
	"+15005550001": {400, 21211, "The 'To' number %s is not a valid phone number."},
	"+15005550002": {400, 21612, "The 'To' phone number: %s, is not currently reachable."},
	"+15005550003": {400, 21408, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: %s."},
	"+15005550004": {400, 21610, "Attempt to send to unsubscribed recipient %s"},
	"+15005550009": {400, 21614, "To number: %s, is not a mobile number"},
	"+15005550021": {400, 21217, "Phone number %s does not appear to be valid"},
	"+15005550022": {400, 21635, "'To' number %s cannot be a landline"},
	"+15005550023": {429, 20429, "Too Many Requests"},
	"+15005550024": {400, 21611, "This 'From' number has exceeded the maximum number of queued messages"},
	"+15005550025": {503, 20503, "Service Unavailable"},
	"+15005550026": {500, 20500, "Internal Server Error"},
	"+15005550027": {400, 63024, "Invalid message recipient"},
	"+15005550028": {400, 63016, "Failed to send freeform message because you are outside the allowed window."},
	"+15005550029": {400, 63003, "Channel could not find To address"},
	"+15005550030": {400, 63018, "Rate limit exceeded for Channel"},
}

func (a *api) fail(w http.ResponseWriter, f failure, to string) {
	message := f.message
	if strings.Contains(message, "%s") {
		message = fmt.Sprintf(message, to)
	}
	if a.busy != "" {
		w.Header().Set("Retry-After", a.busy)
	}
	a.write(w, f.status, map[string]any{
		"code": f.code, "message": message, "more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", f.code), "status": f.status,
	})
}

func (a *api) write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		a.t.Error(err)
	}
}

// ServeHTTP makes a message.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.fails != nil && a.fails(w) {
		return
	}
	user, password, _ := r.BasicAuth()
	if user != account && user != apiKey || password != token {
		w.Header().Set("WWW-Authenticate", `Basic realm="Twilio API"`)
		a.fail(w, failure{401, 20003, "Authenticate"}, "")
		return
	}
	if r.Method != "POST" || r.URL.Path != "/2010-04-01/Accounts/"+account+"/Messages.json" {
		a.fail(w, failure{404, 20404, "The requested resource " + r.URL.Path + " was not found"}, "")
		return
	}
	if err := r.ParseForm(); err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		a.t.Errorf("%v: %s", err, r.Header.Get("Content-Type"))
	}
	form := r.PostForm
	a.forms, a.users = append(a.forms, form), append(a.users, user)
	to := strings.TrimPrefix(form.Get("To"), "whatsapp:")
	f, failing := failures[to]
	switch {
	case form.Get("From") == "" && form.Get("MessagingServiceSid") == "":
		a.fail(w, failure{400, 21603, "A 'From' phone number is required."}, "")
	case form.Get("Body") == "" && form.Get("ContentSid") == "":
		a.fail(w, failure{400, 21619, "A text message body or media urls must be specified."}, "")
	case strings.HasPrefix(form.Get("To"), "whatsapp:") != strings.HasPrefix(form.Get("From"), "whatsapp:") && form.Get("From") != "":
		a.fail(w, failure{400, 63007, "Twilio could not find a Channel with the specified From address"}, "")
	case strings.TrimPrefix(form.Get("From"), "whatsapp:") == "+15005550007":
		a.fail(w, failure{400, 21606, "The 'From' phone number provided is not a valid message-capable Twilio phone number"}, "")
	case failing:
		a.fail(w, f, to)
	default:
		a.write(w, 201, map[string]any{
			"account_sid": account, "api_version": "2010-04-01", "body": form.Get("Body"), "date_created": "Fri, 02 Jan 2026 03:04:05 +0000",
			"date_sent": nil, "direction": "outbound-api", "error_code": nil, "error_message": nil, "from": form.Get("From"), "num_segments": "1",
			"price": nil, "sid": "SM0123456789abcdef0123456789abcdef", "status": "queued", "to": form.Get("To"),
		})
	}
}

func (a *api) sender(c Config, token string) *Sender {
	a.t.Helper()
	if c.AccountSID == "" {
		c.AccountSID = account
	}
	if c.From == "" && c.MessagingServiceSID == "" {
		c.From = from
	}
	c.BaseURL = a.URL + "/"
	client := outbound.New(outbound.Policy{AllowHTTP: true, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	a.t.Cleanup(func() { _ = client.Close() })
	s, err := New(c, token, client, now)
	if err != nil {
		a.t.Fatal(err)
	}
	return s
}

func message(channel delivery.Channel, to string) *delivery.Envelope {
	return &delivery.Envelope{
		ID: "message-test-0192f1aa-0000-7000-8000-000000000001", Channel: channel, Type: delivery.Passcode, To: to,
		Text: "384951 is your code for Über & Co.", Code: "384951", CreatedAt: now(),
	}
}

func TestWhatIsSent(t *testing.T) {
	text := "384951 is your code for Über & Co."
	noCode := message(delivery.WhatsApp, recipient)
	noCode.Code = ""
	for name, c := range map[string]struct {
		config Config
		m      *delivery.Envelope
		want   url.Values
	}{
		"SMS":                     {Config{}, message(delivery.SMS, recipient), url.Values{"To": {recipient}, "From": {from}, "Body": {text}}},
		"SMS from a name":         {Config{From: "My Shop"}, message(delivery.SMS, recipient), url.Values{"To": {recipient}, "From": {"My Shop"}, "Body": {text}}},
		"SMS by a service":        {Config{MessagingServiceSID: service, ContentSID: template}, message(delivery.SMS, recipient), url.Values{"To": {recipient}, "MessagingServiceSid": {service}, "Body": {text}}},
		"SMS, shared sender":      {Config{From: "whatsapp:" + from}, message(delivery.SMS, recipient), url.Values{"To": {recipient}, "From": {from}, "Body": {text}}},
		"WhatsApp":                {Config{}, message(delivery.WhatsApp, recipient), url.Values{"To": {"whatsapp:" + recipient}, "From": {"whatsapp:" + from}, "Body": {text}}},
		"WhatsApp template":       {Config{From: "whatsapp:" + from, ContentSID: template}, message(delivery.WhatsApp, recipient), url.Values{"To": {"whatsapp:" + recipient}, "From": {"whatsapp:" + from}, "ContentSid": {template}, "ContentVariables": {`{"1":"384951"}`}}},
		"WhatsApp by a service":   {Config{MessagingServiceSID: service, ContentSID: template}, message(delivery.WhatsApp, recipient), url.Values{"To": {"whatsapp:" + recipient}, "MessagingServiceSid": {service}, "ContentSid": {template}, "ContentVariables": {`{"1":"384951"}`}}},
		"WhatsApp without a code": {Config{ContentSID: template}, noCode, url.Values{"To": {"whatsapp:" + recipient}, "From": {"whatsapp:" + from}, "Body": {text}}},
	} {
		a := newAPI(t)
		if err := a.sender(c.config, token).Send(t.Context(), c.m); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(a.forms) != 1 || a.forms[0].Encode() != c.want.Encode() || a.users[0] != account {
			t.Errorf("%s: sent %v as %v, want %v", name, a.forms, a.users, c.want)
		}
	}
	a := newAPI(t)
	if err := a.sender(Config{APIKeySID: apiKey}, token).Send(t.Context(), message(delivery.SMS, recipient)); err != nil || a.users[0] != apiKey {
		t.Errorf("with an API key: %v, %v", err, a.users)
	}
	if err := a.sender(Config{}, token).Send(t.Context(), message(delivery.Email, "bo@example.com")); err == nil || len(a.forms) != 1 {
		t.Errorf("an e-mail: %v", err)
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

func TestErrorsSayWhatToDo(t *testing.T) {
	classify := classifier(t)
	a := newAPI(t)
	s := a.sender(Config{}, token)
	for _, c := range []struct {
		to, busy, want, text string
	}{
		{"+15005550001", "", "permanent", "21211"}, {"+15005550003", "", "permanent", "21408"}, {"+15005550004", "", "permanent", "21610"},
		{"+15005550009", "", "permanent", "21614"}, {"+15005550021", "", "permanent", "21217"}, {"+15005550022", "", "permanent", "21635"},
		{"+15005550027", "", "permanent", "63024"}, {"+15005550028", "", "permanent", "63016"}, {"+15005550029", "", "permanent", "63003"},
		{"+15005550002", "", "again", "21612"}, {"+15005550026", "", "again", "20500"}, {"+15005550026", "30", "again", "20500"}, {"+15005550025", "", "again", "20503"},
		{"+15005550023", "", "after 10s", "20429"}, {"+15005550023", "45", "after 45s", "20429"}, {"+15005550024", "", "after 10s", "21611"},
		{"+15005550025", "30", "after 30s", "20503"}, {"+15005550030", "", "after 10s", "63018"},
	} {
		a.busy = c.busy
		for _, channel := range []delivery.Channel{delivery.SMS, delivery.WhatsApp} {
			err := s.Send(t.Context(), message(channel, c.to))
			if err == nil || !strings.Contains(err.Error(), "error "+c.text+": see https://www.twilio.com/docs/errors/"+c.text) {
				t.Errorf("%s: %v", c.to, err)
				continue
			}
			if strings.Contains(err.Error(), c.to[1:]) || strings.Contains(err.Error(), "384951") || strings.Contains(err.Error(), token) {
				t.Errorf("%v tells the number, the code or the token", err)
			}
			if got := classify(err); got != c.want {
				t.Errorf("%s: %s, want %s", c.text, got, c.want)
			}
			reason := map[string]delivery.Reason{
				"21610": delivery.Unsubscribed, "21211": delivery.Carrier, "21614": delivery.Carrier, "21217": delivery.Carrier,
				"21635": delivery.Carrier, "63024": delivery.Carrier, "63003": delivery.Carrier,
			}[c.text]
			if got := delivery.ReasonOf(err); got != reason {
				t.Errorf("%s keeps later texts back as %q, want %q", c.text, got, reason)
			}
		}
	}
	a.busy = ""
	for name, one := range map[string]*Sender{
		"20003": a.sender(Config{}, "wrong"), "21606": a.sender(Config{From: "+15005550007"}, token),
		"20404": a.sender(Config{AccountSID: strings.ToUpper(account), APIKeySID: apiKey}, token),
	} {
		err := one.Send(t.Context(), message(delivery.SMS, recipient))
		if err == nil || !strings.Contains(err.Error(), name) || classify(err) != "again" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is not Twilio's own answer: a proxy before it, an outage, another host.
func TestOtherAnswers(t *testing.T) {
	classify := classifier(t)
	a := newAPI(t)
	s := a.sender(Config{}, token)
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{502, "<html>Bad gateway</html>", "again"}, {429, "slow down", "after 10s"}, {400, "", "again"}, {400, `{"code": "21211"}`, "again"},
		{302, "", "again"}, {201, "not JSON", "taken"}, {200, `{"status": "accepted", "error_code": null}`, "taken"},
		{201, `{"status": "failed", "error_code": 21610}`, "permanent"}, {201, `{"status": "failed", "error_code": null}`, "again"},
	} {
		a.fails = func(w http.ResponseWriter) bool {
			w.WriteHeader(c.status)
			_, err := w.Write([]byte(c.body))
			return err == nil || c.body == ""
		}
		err := s.Send(t.Context(), message(delivery.SMS, recipient))
		if got := classify(err); got != c.want {
			t.Errorf("%d %s: %s (%v), want %s", c.status, c.body, got, err, c.want)
		}
	}
	a.Close()
	if err := s.Send(t.Context(), message(delivery.SMS, recipient)); err == nil || classify(err) != "again" || strings.Contains(err.Error(), token) {
		t.Errorf("nobody there: %v", err)
	}
	strict, err := New(s.config, token, outbound.New(outbound.Policy{}), now)
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Send(t.Context(), message(delivery.SMS, recipient)); apierr.From(err) == nil {
		t.Errorf("a forbidden address: %v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []Config{
		{}, {From: from}, {AccountSID: account}, {AccountSID: account, From: from, MessagingServiceSID: service},
		{AccountSID: account[:33], From: from}, {AccountSID: "../../" + account, From: from}, {AccountSID: service, From: from}, {AccountSID: account + "\n", From: from},
		{AccountSID: account, From: from, APIKeySID: account}, {AccountSID: account, MessagingServiceSID: account}, {AccountSID: account, From: from, ContentSID: "HX1"},
		{AccountSID: account, From: "+05005550006"}, {AccountSID: account, From: "15551234567890"}, {AccountSID: account, From: "a name too long"},
		{AccountSID: account, From: "Shop\r\n"}, {AccountSID: account, From: "whatsapp:"}, {AccountSID: account, From: "--"},
		{AccountSID: account, From: from, BaseURL: "api.twilio.com"}, {AccountSID: account, From: from, BaseURL: "https://a:b@example.com"},
		{AccountSID: account, From: from, BaseURL: "https://example.com?x="}, {AccountSID: account, From: from, BaseURL: "https://example.com/#x"},
	} {
		if e := apierr.From(c.Check()); e == nil || e.Type != "invalid_sender" || e.Status != 400 {
			t.Errorf("%+v: %v", c, e)
		}
	}
	for _, c := range []Config{
		{AccountSID: account, From: from}, {AccountSID: account, From: "whatsapp:" + from}, {AccountSID: account, From: "12345"}, {AccountSID: account, From: "Shop 24"},
		{AccountSID: account, APIKeySID: apiKey, MessagingServiceSID: service, ContentSID: template, BaseURL: "https://api.dublin.ie1.twilio.com"},
	} {
		if err := c.Check(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	ok := Config{AccountSID: account, From: from}
	if got := ok.messages(); got != "https://api.twilio.com/2010-04-01/Accounts/"+account+"/Messages.json" {
		t.Error(got)
	}
	for _, bad := range []string{"", "a b", "a\r\nb", "ä", strings.Repeat("a", 257)} {
		if _, err := New(ok, bad, outbound.New(outbound.Policy{}), now); apierr.From(err) == nil {
			t.Errorf("%q is a token", bad)
		}
	}
	if _, err := New(Config{}, token, outbound.New(outbound.Policy{}), now); apierr.From(err) == nil {
		t.Error("no account, and a sender")
	}
}

var _ delivery.Sender = (*Sender)(nil)
