package mailbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
	"gatehouse/internal/id"
)

const messages = "/v1/mailbox/messages"

// kept puts messages into the mailbox of the server's test environment.
func kept(t *testing.T, s *authtest.Server, list ...*delivery.Envelope) {
	t.Helper()
	for _, m := range list {
		m.EnvironmentID = s.Env.ID
		send(t, s.Mailbox, m)
	}
}

// ids names the messages of an answer, by number.
func ids(a *authtest.Answer) string {
	var list []string
	for _, m := range a.OK().Get("messages").([]any) {
		var n int
		text := m.(map[string]any)["message_id"].(string)
		_, _ = fmt.Sscanf(text[len(text)-12:], "%x", &n)
		list = append(list, fmt.Sprint(n))
	}
	return strings.Join(list, " ")
}

func TestReadingAndDeletingOverHTTP(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		if a := s.Call(http.MethodGet, messages, nil); ids(a) != "" {
			t.Errorf("a new mailbox has %s", a.Text)
		}
		kept(t, s, mail(1, ada), text(2, "+14155552671"), mail(3, "grace+test@example.com"))

		one := s.Call(http.MethodGet, messages+"/"+messageID(1), nil).OK()
		listed := s.Call(http.MethodGet, messages+"?to=ada@example.com", nil).OK()
		for name, want := range map[string]string{
			"message_id": messageID(1), "channel": "email", "type": "LOGIN", "to": ada, "subject": "Message 1",
			"text": "Click: https://acme.example/?token=abc", "html": "<p>Click</p>", "link": "https://acme.example/?token=abc",
			"code": "", "locale": "en", "created_at": "2026-01-02T03:04:05Z",
		} {
			if one.String(name) != want || listed.String("messages", 0, name) != want {
				t.Errorf("%s is %q and %q, want %q", name, one.String(name), listed.String("messages", 0, name), want)
			}
		}

		for query, want := range map[string]string{
			"":                               "3 2 1",
			"?to=%2B14155552671":             "2",
			"?to=+14155552671":               "2", // a plus that nobody escaped
			"?to=Grace+Test@Example.com":     "3",
			"?channel=sms":                   "2",
			"?type=ONE_TIME_PASSCODE":        "2",
			"?limit=2":                       "3 2",
			"?limit=2&after=" + messageID(2): "1",
		} {
			if got := ids(s.Call(http.MethodGet, messages+query, nil)); got != want {
				t.Errorf("%s lists %q, want %q", query, got, want)
			}
		}

		if a := s.Call(http.MethodDelete, messages+"?to=grace+test@example.com", nil).OK(); a.Get("deleted") != 1.0 {
			t.Error(a.Text)
		}
		if a := s.Call(http.MethodDelete, messages, nil).OK(); a.Get("deleted") != 2.0 {
			t.Error(a.Text)
		}
		s.Call(http.MethodGet, messages+"/"+messageID(1), nil).Refused(404, "mailbox_message_not_found")
	})
}

func TestWhatTheMailboxRefuses(t *testing.T) {
	s := authtest.New(t)
	for query, errorType := range map[string]string{
		"?limit=0":        "bad_request",
		"?limit=1001":     "bad_request",
		"?channel=pigeon": "bad_request",
	} {
		s.Call(http.MethodGet, messages+query, nil).Refused(400, errorType)
	}
	s.Call(http.MethodGet, messages+"?after="+messageID(1), nil).Refused(404, "mailbox_message_not_found")
}

func TestLiveEnvironmentsHaveNoMailbox(t *testing.T) {
	s := authtest.New(t)
	_, key, err := s.Projects.CreateSecret(t.Context(), s.Live.ID)
	if err != nil {
		t.Fatal(err)
	}
	m := mail(1, ada)
	m.EnvironmentID = s.Live.ID
	send(t, s.Mailbox, m)
	live := func(method, path string) {
		t.Helper()
		s.Request(method, path, nil, func(r *http.Request) { r.SetBasicAuth(s.Live.ID, key) }).Refused(403, "mailbox_is_for_test_environments")
	}
	live(http.MethodGet, messages)
	live(http.MethodGet, messages+"/"+messageID(1))
	live(http.MethodDelete, messages)
	if got := listed(t, s.Mailbox, s.Live.ID, all); got != "1" {
		t.Errorf("a refused call deleted: %q is left", got)
	}
}

func TestAnotherEnvironmentSeesNothingOverHTTP(t *testing.T) {
	s := authtest.New(t)
	kept(t, s, mail(1, ada))
	other := s.Environment("staging")
	if got := ids(other.Call(http.MethodGet, messages, nil)); got != "" {
		t.Errorf("it lists %s", got)
	}
	other.Call(http.MethodGet, messages+"/"+messageID(1), nil).Refused(404, "mailbox_message_not_found")
	other.Call(http.MethodDelete, messages, nil).OK()
	if got := s.Mail(ada); got.ID != messageID(1) {
		t.Errorf("the message became %+v", got)
	}
}

func TestMailOfATest(t *testing.T) {
	s := authtest.New(t)
	kept(t, s, mail(1, ada), mail(2, "grace@example.com"), mail(3, ada))
	if m := s.Mail(ada); m.ID != messageID(3) || m.EnvironmentID != s.Env.ID {
		t.Errorf("the newest is %+v", m)
	}
	if list := s.Messages(ada); len(list) != 2 || list[1].ID != messageID(1) {
		t.Errorf("all are %+v", list)
	}
	if list := s.Messages("nobody@example.com"); len(list) != 0 {
		t.Errorf("nobody has %+v", list)
	}
	if !id.Check(id.Message, id.Test, messageID(1)) {
		t.Error("the ids of these tests are none")
	}
}
