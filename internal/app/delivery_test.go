package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	netmail "net/mail"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/mailbox"
	"gatehouse/internal/delivery/smtp/smtptest"
	"gatehouse/internal/event"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

const backOff = 3 * time.Second // what the first is at most

// usual is how many seconds a mail may take where no test waits for its end.
const usual = 30

// eachWithMail runs a test on every engine, in an environment whose mail goes
// to a server that has so many seconds for each.
func eachWithMail(t *testing.T, patience int, test func(t *testing.T, s *authtest.Server, mails *smtptest.Server)) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, "http://localhost:3000/authenticate", project.RedirectTypes, false); err != nil {
			t.Fatal(err)
		}
		mails := smtptest.Start(t)
		if _, err := s.App.Messages.AddSender(t.Context(), s.Env, smtpSender(mails, patience)); err != nil {
			t.Fatal(err)
		}
		test(t, s, mails)
	})
}

func smtpSender(mails *smtptest.Server, patience int) delivery.NewSender {
	values := fmt.Sprintf(`{"host": %q, "port": %d, "security": "none", "from": "login@example.com", "from_name": "Shop", "timeout_seconds": %d}`, mails.Host, mails.Port, patience)
	return delivery.NewSender{Channel: delivery.Email, Kind: "smtp", Settings: delivery.Settings{Values: json.RawMessage(values)}}
}

const askForLink = "/v1/magic_links/email/login_or_create"

// drainMail does what is due and returns all mails that arrived so far.
func drainMail(t *testing.T, s *authtest.Server, mails *smtptest.Server) []smtptest.Message {
	t.Helper()
	if err := s.Outbox.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	return mails.Messages()
}

func waiting(t *testing.T, s *authtest.Server) outbox.Stats {
	t.Helper()
	stats, err := s.Outbox.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

// opened is a mail as a program for mail shows it.
type opened struct {
	netmail.Header
	text, html string
}

func openMail(t *testing.T, m smtptest.Message) opened {
	t.Helper()
	parsed, err := netmail.ReadMessage(bytes.NewReader(m.Data))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("the mail is %s (%v)", kind, err)
	}
	o := opened{Header: parsed.Header}
	parts := multipart.NewReader(parsed.Body, params["boundary"])
	for _, want := range []struct {
		kind string
		to   *string
	}{{"text/plain", &o.text}, {"text/html", &o.html}} {
		part, err := parts.NextPart() // decodes quoted-printable
		if err != nil || !strings.HasPrefix(part.Header.Get("Content-Type"), want.kind) {
			t.Fatalf("no part %s: %v", want.kind, err)
		}
		text, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		*want.to = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("a third part: %v", err)
	}
	return o
}

// linkOf is the link that both parts of a mail ask to click.
func linkOf(t *testing.T, s *authtest.Server, m smtptest.Message) *url.URL {
	t.Helper()
	o := openMail(t, m)
	for _, word := range strings.Fields(o.text) {
		if !strings.HasPrefix(word, s.URL+"/v1/magic_links/redirect?") {
			continue
		}
		if !strings.Contains(html.UnescapeString(o.html), `href="`+word+`"`) {
			t.Errorf("the link %s is not in the HTML: %s", word, o.html)
		}
		u, err := url.Parse(word)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	t.Fatalf("no link in %s", o.text)
	return nil
}

func TestALinkArrivesOnceAndSignsIn(t *testing.T) {
	eachWithMail(t, usual, func(t *testing.T, s *authtest.Server, mails *smtptest.Server) {
		made := s.Call(http.MethodPost, askForLink, fields{"email": "Ada@Example.com"}).OK()
		drainMail(t, s, mails)
		got := drainMail(t, s, mails)
		if len(got) != 1 || len(got[0].To) != 1 || got[0].To[0] != "ada@example.com" || got[0].From != "login@example.com" {
			t.Fatalf("arrived: %+v", got)
		}
		o := openMail(t, got[0])
		if o.Get("To") != "<ada@example.com>" || o.Get("From") != `"Shop" <login@example.com>` || o.Get("Subject") == "" || !strings.HasPrefix(o.Get("Message-Id"), "<message-test-") {
			t.Errorf("the header is %v", o.Header)
		}
		link := linkOf(t, s, got[0])
		if q := link.Query(); q.Get("public_token") != s.Env.PublicTokens[0].Token || q.Get("stytch_token_type") != "magic_links" {
			t.Errorf("the link is %s", link)
		}
		in := s.Call(http.MethodPost, "/v1/magic_links/authenticate", fields{"token": link.Query().Get("token"), "session_duration_minutes": 60}).OK()
		if in.String("user_id") != made.String("user_id") || in.String("session_token") == "" {
			t.Errorf("signed in: %s", in.Text)
		}
		if kept, err := s.Mailbox.List(t.Context(), s.Env.ID, mailbox.Filter{}); err != nil || len(kept) != 0 {
			t.Errorf("the mailbox has %d messages, %v", len(kept), err)
		}
	})
}

func TestARefusedRecipientIsNotAskedForTwice(t *testing.T) {
	eachWithMail(t, usual, func(t *testing.T, s *authtest.Server, mails *smtptest.Server) {
		mails.On(smtptest.Recipient, func(to string) error {
			return smtptest.Refuse(550, [3]int{5, 1, 1}, "No such user <"+to+">")(to)
		})
		s.Call(http.MethodPost, askForLink, fields{"email": "nobody@example.com"}).OK()
		drainMail(t, s, mails)
		dead, err := s.Outbox.List(t.Context(), outbox.Dead, 10)
		if err != nil || len(dead) != 1 || dead[0].Attempts != 1 || !strings.Contains(dead[0].LastError, "550") || strings.Contains(dead[0].LastError, "nobody") {
			t.Fatalf("dead: %+v, %v", dead, err)
		}
		if strings.Contains(s.Logs.String(), "nobody@") {
			t.Error("the log names the recipient")
		}
		told, err := event.List(t.Context(), s.DB, s.Env.ID, "", "job.dead", 10)
		if err != nil || len(told) != 1 || told[0].ObjectID != dead[0].ID || told[0].Details["kind"] != delivery.Job {
			t.Errorf("the audit log says %+v, %v", told, err)
		}
		s.Clock.Advance(2 * time.Hour)
		if got := drainMail(t, s, mails); len(got) != 0 {
			t.Errorf("arrived: %+v", got)
		}

		// Somebody mends the mailbox, and somebody else has the job done again.
		mails.On(smtptest.Recipient, nil)
		if err := s.Outbox.Retry(t.Context(), dead[0].ID); err != nil {
			t.Fatal(err)
		}
		if got := drainMail(t, s, mails); len(got) != 1 || waiting(t, s) != (outbox.Stats{}) {
			t.Errorf("arrived: %+v", got)
		}
	})
}

// Whatever goes wrong on the way for a moment, the mail arrives once.
func TestPassingFaultsOnlyDelayAMail(t *testing.T) {
	eachWithMail(t, 2, func(t *testing.T, s *authtest.Server, mails *smtptest.Server) {
		for i, fault := range []struct {
			name  string
			stage smtptest.Stage
			reply smtptest.Reply
		}{
			{"greylisting", smtptest.Recipient, smtptest.Refuse(450, [3]int{4, 2, 0}, "Try again later")},
			{"a full disk", smtptest.Data, smtptest.Refuse(452, [3]int{4, 3, 1}, "Insufficient storage")},
			{"a server that goes away in the middle of a mail", smtptest.Data, smtptest.Drop()},
			{"a server that never answers", smtptest.Data, smtptest.Hang()},
			{"a server that is closed", smtptest.From, smtptest.Refuse(421, [3]int{4, 3, 2}, "Shutting down")},
		} {
			to := fmt.Sprintf("user-%d@example.com", i)
			mails.On(fault.stage, fault.reply)
			s.Call(http.MethodPost, askForLink, fields{"email": to}).OK()
			if got := drainMail(t, s, mails); len(got) != i || waiting(t, s) != (outbox.Stats{Waiting: 1}) {
				t.Fatalf("%s: %d arrived, %+v", fault.name, len(got)-i, waiting(t, s))
			}
			failed, err := s.Outbox.List(t.Context(), outbox.Pending, 1)
			if err != nil || failed[0].Attempts != 1 || !strings.HasPrefix(failed[0].LastError, "smtp: ") || strings.Contains(failed[0].LastError, to) {
				t.Errorf("%s: %+v, %v", fault.name, failed, err)
			}
			mails.On(fault.stage, nil)
			s.Clock.Advance(backOff)
			got := drainMail(t, s, mails)
			if len(got) != i+1 || got[i].To[0] != to || waiting(t, s) != (outbox.Stats{}) {
				t.Fatalf("%s: arrived %+v", fault.name, got)
			}
			token := linkOf(t, s, got[i]).Query().Get("token")
			s.Call(http.MethodPost, "/v1/magic_links/authenticate", fields{"token": token}).OK()
		}
		// Nor did the half of one that was cut off, or one given up, come after all.
		if n := len(mails.Messages()); n != 5 {
			t.Errorf("%d mails arrived", n)
		}
	})
}

func TestAServerThatStaysDownKillsTheJobAndNotTheMail(t *testing.T) {
	eachWithMail(t, usual, func(t *testing.T, s *authtest.Server, mails *smtptest.Server) {
		mails.On(smtptest.From, smtptest.Refuse(451, [3]int{4, 3, 0}, "Not now"))
		s.Call(http.MethodPost, askForLink, fields{"email": "ada@example.com"}).OK()
		for range 12 {
			drainMail(t, s, mails)
			s.Clock.Advance(2 * time.Hour)
		}
		told, err := event.List(t.Context(), s.DB, s.Env.ID, "", "job.dead", 10)
		if err != nil || len(told) != 1 || fmt.Sprint(told[0].Details["attempts"]) != "12" || waiting(t, s) != (outbox.Stats{Dead: 1}) {
			t.Fatalf("after twelve attempts: %+v, %v, %+v", told, err, waiting(t, s))
		}
		mails.On(smtptest.From, nil)
		if n, err := s.Outbox.RetryAll(t.Context()); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if got := drainMail(t, s, mails); len(got) != 1 {
			t.Errorf("arrived: %+v", got)
		}
	})
}

// serveQueue does the jobs of a server beside the test, and stops at its end.
func serveQueue(t *testing.T, s *authtest.Server) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ticks, done := make(chan time.Time), make(chan struct{})
	go func() {
		defer close(done)
		s.Outbox.Run(ctx, ticks)
	}()
	go func() {
		for {
			select {
			case <-done:
				return
			case ticks <- time.Time{}:
			}
		}
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

func TestTwoServersSendEachMailOnce(t *testing.T) {
	eachWithMail(t, usual, func(t *testing.T, s *authtest.Server, mails *smtptest.Server) {
		const all = 200
		if s.DB.Engine() == store.SQLite {
			t.Skip("one server has a SQLite database for itself")
		}
		other := s.Node()
		err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
			for i := range all {
				m := delivery.Message{Channel: delivery.Email, Type: delivery.Passcode, To: fmt.Sprintf("user-%d@example.com", i), Code: "481516"}
				if err := s.App.Messages.Enqueue(tx, s.Env, m); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		// The first mails are held until both servers have some.
		both := make(chan struct{})
		begun := 0
		var mu sync.Mutex
		mails.On(smtptest.Data, func(string) error {
			mu.Lock()
			if begun++; begun == 9 { // one server has eight connections
				close(both)
			}
			mu.Unlock()
			<-both
			return nil
		})
		stops := []func(){serveQueue(t, s), serveQueue(t, other)}
		mails.Wait(t, all)
		for _, stop := range stops {
			stop()
		}
		drainMail(t, s, mails)
		to, ids := map[string]bool{}, map[string]bool{}
		got := mails.Messages()
		for _, m := range got {
			to[m.To[0]], ids[openMail(t, m).Get("Message-Id")] = true, true
		}
		if len(got) != all || len(to) != all || len(ids) != all || waiting(t, s) != (outbox.Stats{}) {
			t.Errorf("%d mails to %d people, %d ids; %+v", len(got), len(to), len(ids), waiting(t, s))
		}
	})
}

func TestLiveEnvironmentsRefuseToMailWithoutSender(t *testing.T) {
	eachWithMail(t, usual, func(t *testing.T, s *authtest.Server, mails *smtptest.Server) {
		live := s.LiveServer()
		if _, err := s.Projects.AddRedirectURL(t.Context(), live.Env.ID, "https://app.example.com/authenticate", project.RedirectTypes, false); err != nil {
			t.Fatal(err)
		}
		live.Call(http.MethodPost, askForLink, fields{"email": "ada@example.com"}).Refused(400, "sender_not_configured")
		if n := len(live.Call(http.MethodPost, "/v1/users/search", fields{}).OK().Get("results").([]any)); n != 0 {
			t.Errorf("a refused mail left %d users", n)
		}
		if _, err := s.App.Messages.AddSender(t.Context(), live.Env, smtpSender(mails, usual)); err != nil {
			t.Fatal(err)
		}
		live.Call(http.MethodPost, askForLink, fields{"email": "ada@example.com"}).OK()
		if got := drainMail(t, s, mails); len(got) != 1 {
			t.Errorf("arrived: %+v", got)
		}
	})
}

func TestTheSettingsOfSendersAreChecked(t *testing.T) {
	s := authtest.New(t)
	for _, c := range []struct {
		channel                           delivery.Channel
		kind, values, password, says, typ string
	}{
		{delivery.Email, "smtp", `{"host": "mail.example.com", "from": "a@example.com", "hots": 1}`, "", `unknown field "hots"`, "invalid_sender"},
		{delivery.Email, "smtp", `{"host": "mail.example.com", "from": "a@example.com", "port": "25"}`, "", "cannot unmarshal string into Go struct field Config.port", "invalid_sender"},
		{delivery.Email, "smtp", `{"host": "mail.example.com", "from": "a@example.com"} {}`, "", "more than one JSON value", "invalid_sender"},
		{delivery.Email, "smtp", ``, "", "cannot be read: EOF.", "invalid_sender"},
		{delivery.Email, "smtp", `{"from": "a@example.com"}`, "", "host is missing", "invalid_sender"},
		{delivery.Email, "smtp", `{"host": "mail.example.com", "from": "a@example.com", "username": "u"}`, "", "password is missing", "invalid_sender"},
		{delivery.SMS, "smtp", `{}`, "", `no way to send sms messages called "smtp". There are: twilio, webhook.`, "invalid_sender_kind"},
		{delivery.Email, "twilio", `{}`, "", `There are: smtp, webhook.`, "invalid_sender_kind"},
		{delivery.SMS, "twilio", `{"account_sid": "AC1"}`, "t", "account_sid is not the SID", "invalid_sender"},
		{delivery.SMS, "twilio", `{"account_sid": "AC0123456789abcdef0123456789abcdef", "from": "+15005550006"}`, "", "auth token is missing", "invalid_sender"},
		{delivery.Email, "webhook", `{"url": "ftp://example.com"}`, "", "url is not valid", "invalid_sender"},
		{delivery.Email, "webhook", `{"url": "https://example.com/m"}`, "short", "whsec_", "invalid_sender"},
	} {
		n := delivery.NewSender{Channel: c.channel, Kind: c.kind, Settings: delivery.Settings{Values: json.RawMessage(c.values), Password: c.password}}
		_, err := s.App.Messages.AddSender(t.Context(), s.Env, n)
		if e := apierr.From(err); e == nil || e.Status != 400 || e.Type != c.typ || !strings.Contains(e.Message, c.says) {
			t.Errorf("%s with %s: %v, want the words %q", c.kind, c.values, err, c.says)
		}
	}
}

// What an operator tries is sent past the queue, and what the server says is
// told.
func TestASenderIsTriedThroughItsServer(t *testing.T) {
	eachWithMail(t, usual, func(t *testing.T, s *authtest.Server, mails *smtptest.Server) {
		senders, err := s.App.Messages.Senders(t.Context(), s.Env)
		if err != nil || len(senders) != 1 || senders[0].Summary != "127.0.0.1 from login@example.com" {
			t.Fatalf("%+v, %v", senders, err)
		}
		m := delivery.Message{Type: delivery.Passcode, To: "ada@example.com", Code: "000000"}
		if err := s.App.Messages.Test(t.Context(), s.Env, senders[0].ID, m); err != nil {
			t.Fatal(err)
		}
		if got := mails.Messages(); len(got) != 1 || !strings.Contains(openMail(t, got[0]).text, "000000") {
			t.Errorf("arrived: %+v", got)
		}
		mails.On(smtptest.From, smtptest.Refuse(553, [3]int{5, 7, 1}, "Not your address"))
		err = s.App.Messages.Test(t.Context(), s.Env, senders[0].ID, m)
		if err == nil || !strings.Contains(err.Error(), "553") || !strings.Contains(err.Error(), "check from") {
			t.Errorf("the server's refusal gave %v", err)
		}
	})
}
