package mailbox_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/mailbox"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

const (
	env   = "project-test-0194f0a2-7c1e-7abc-8def-0123456789ab"
	other = "project-test-0194f0a2-7c1e-7abc-8def-0123456789ac"
	ada   = "ada@example.com"
)

var all mailbox.Filter

func keyring(t *testing.T, keys string) *secret.Keyring {
	t.Helper()
	k, err := secret.ParseKeyring(keys)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// each runs a test with a mailbox on every engine.
func each(t *testing.T, test func(t *testing.T, s *mailbox.Service, db *store.DB, clock *storetest.Clock)) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		test(t, mailbox.New(db, keyring(t, secret.NewMasterKey())), db, clock)
	})
}

// messageID is the id of the nth message. They do not sort by n: a mailbox
// goes by arrival.
func messageID(n int) string {
	return fmt.Sprintf("message-test-0194f0a2-7c1e-7%03x-8def-%012x", 0xfff-n%0x1000, n)
}

func mail(n int, to string) *delivery.Envelope {
	return &delivery.Envelope{
		ID: messageID(n), EnvironmentID: env, Channel: delivery.Email, Type: delivery.Login, Locale: "en", To: to,
		From: delivery.Address{Name: "Acme", LocalPart: "login"}, Subject: fmt.Sprintf("Message %d", n), Text: "Click: https://acme.example/?token=abc",
		HTML: "<p>Click</p>", Link: "https://acme.example/?token=abc", CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func text(n int, to string) *delivery.Envelope {
	return &delivery.Envelope{
		ID: messageID(n), EnvironmentID: env, Channel: delivery.SMS, Type: delivery.Passcode, To: to, Text: "Your code is 123456.", Code: "123456",
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func send(t *testing.T, s *mailbox.Service, messages ...*delivery.Envelope) {
	t.Helper()
	for _, m := range messages {
		if err := s.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// listed names the messages of a list by their subjects' or texts' numbers.
func listed(t *testing.T, s *mailbox.Service, envID string, f mailbox.Filter) string {
	t.Helper()
	list, err := s.List(t.Context(), envID, f)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range list {
		var n int
		if _, err := fmt.Sscanf(m.ID[len(m.ID)-12:], "%x", &n); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, fmt.Sprint(n))
	}
	return strings.Join(ids, " ")
}

func TestWhatIsSentIsKeptWhole(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, _ *store.DB, _ *storetest.Clock) {
		var sender delivery.Sender = s
		want := mail(1, ada)
		want.ReplyTo = delivery.Address{Name: "Ünïcode \x00 and all", LocalPart: "help", Domain: "acme.example"}
		if err := sender.Send(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got, err := s.Get(t.Context(), env, want.ID)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
		list, err := s.List(t.Context(), env, mailbox.Filter{})
		if err != nil || len(list) != 1 || !reflect.DeepEqual(&list[0], want) {
			t.Errorf("listed %+v, %v", list, err)
		}
	})
}

func TestNewestFirstAndNarrowed(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, _ *store.DB, clock *storetest.Clock) {
		// All in one millisecond, as whoever stops the clock sends them.
		send(t, s, mail(1, ada), text(2, "+14155552671"), mail(3, "grace@example.com"), mail(4, ada))
		clock.Advance(time.Second)
		invite := mail(5, ada)
		invite.Type = delivery.Invite
		send(t, s, invite)
		for _, c := range []struct {
			f    mailbox.Filter
			want string
		}{
			{mailbox.Filter{}, "5 4 3 2 1"},
			{mailbox.Filter{Limit: 2}, "5 4"},
			{mailbox.Filter{Limit: 2, After: messageID(4)}, "3 2"},
			{mailbox.Filter{Limit: 2, After: messageID(2)}, "1"},
			{mailbox.Filter{After: messageID(1)}, ""},
			{mailbox.Filter{To: " ADA@example.com "}, "5 4 1"},
			{mailbox.Filter{To: ada, After: messageID(3)}, "1"},
			{mailbox.Filter{To: "ada"}, ""},
			{mailbox.Filter{Channel: delivery.SMS}, "2"},
			{mailbox.Filter{Type: delivery.Invite}, "5"},
			{mailbox.Filter{Type: delivery.Login, To: ada, Limit: 1}, "4"},
		} {
			if got := listed(t, s, env, c.f); got != c.want {
				t.Errorf("List(%+v) = %s, want %s", c.f, got, c.want)
			}
		}
	})
}

func TestAnotherEnvironmentSeesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, _ *store.DB, _ *storetest.Clock) {
		send(t, s, mail(1, ada))
		if got := listed(t, s, other, mailbox.Filter{}); got != "" {
			t.Errorf("it lists %s", got)
		}
		if _, err := s.Get(t.Context(), other, messageID(1)); !is(err, "mailbox_message_not_found") {
			t.Errorf("it reads a message: %v", err)
		}
		if _, err := s.List(t.Context(), other, mailbox.Filter{After: messageID(1)}); !is(err, "mailbox_message_not_found") {
			t.Errorf("it pages by a message: %v", err)
		}
		if n, err := s.Clear(t.Context(), other, ""); n != 0 || err != nil {
			t.Errorf("it clears %d, %v", n, err)
		}
		// The same id in two environments is two messages.
		foreign := mail(1, "grace@example.com")
		foreign.EnvironmentID = other
		send(t, s, foreign)
		for envID, want := range map[string]string{env: ada, other: "grace@example.com"} {
			if m, err := s.Get(t.Context(), envID, messageID(1)); err != nil || m.To != want {
				t.Errorf("%s has %+v, %v", envID, m, err)
			}
		}
	})
}

func is(err error, errorType string) bool {
	e := apierr.From(err)
	return e != nil && e.Type == errorType
}

func TestTheSameMessageTwiceIsOne(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, _ *store.DB, _ *storetest.Clock) {
		first := mail(1, ada)
		again := mail(1, ada)
		again.Subject = "Rendered anew"
		send(t, s, first, mail(2, ada), again)
		if got := listed(t, s, env, mailbox.Filter{}); got != "2 1" {
			t.Errorf("listed %s", got)
		}
		if m, err := s.Get(t.Context(), env, first.ID); err != nil || m.Subject != first.Subject {
			t.Errorf("got %+v, %v", m, err)
		}
	})
}

func TestManyAtOnceAreAllKept(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, _ *store.DB, _ *storetest.Clock) {
		const senders, each = 8, 5
		failed := make(chan error, senders)
		for i := range senders {
			go func() {
				var err error
				for j := range each {
					if err == nil {
						err = s.Send(context.Background(), mail(i*each+j+1, ada))
					}
				}
				failed <- err
			}()
		}
		for range senders {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		seen := map[string]bool{}
		for after := ""; ; {
			page, err := s.List(t.Context(), env, mailbox.Filter{After: after, Limit: 7})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, m := range page {
				seen[m.ID] = true
			}
			after = page[len(page)-1].ID
		}
		if len(seen) != senders*each {
			t.Errorf("the pages hold %d of %d", len(seen), senders*each)
		}
	})
}

func TestClear(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, _ *store.DB, _ *storetest.Clock) {
		send(t, s, mail(1, ada), mail(2, "grace@example.com"), mail(3, "Ada@Example.com"))
		if n, err := s.Clear(t.Context(), env, ada); n != 2 || err != nil {
			t.Errorf("cleared %d, %v", n, err)
		}
		if got := listed(t, s, env, mailbox.Filter{}); got != "2" {
			t.Errorf("left: %s", got)
		}
		if n, err := s.Clear(t.Context(), env, ""); n != 1 || err != nil {
			t.Errorf("cleared %d, %v", n, err)
		}
	})
}

// A version that stayed would hide news; one that always changes would be no
// use.
func TestVersionTellsContentsApart(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, _ *store.DB, _ *storetest.Clock) {
		seen := map[string]string{}
		step := func(name string, change func()) {
			t.Helper()
			change()
			v, err := s.Version(t.Context(), env)
			if err != nil {
				t.Fatal(err)
			}
			if was, ok := seen[v]; ok {
				t.Errorf("%s: the version is that of %s", name, was)
			}
			seen[v] = name
			if again, err := s.Version(t.Context(), env); again != v || err != nil {
				t.Errorf("%s: %s became %s, %v", name, v, again, err)
			}
		}
		clearFor := func(to string) func() {
			return func() {
				if _, err := s.Clear(t.Context(), env, to); err != nil {
					t.Fatal(err)
				}
			}
		}
		step("empty", func() {})
		step("one", func() { send(t, s, mail(1, ada)) })
		step("two", func() { send(t, s, mail(2, "grace@example.com")) })
		step("the older one gone", clearFor(ada))
		step("another in its place", func() { send(t, s, mail(3, ada)) })
		step("four", func() { send(t, s, mail(4, ada), mail(5, ada)) })
	})
}

func purge(t *testing.T, db *store.DB, budget int) (n int) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
		n, err = mailbox.Purge(tx, budget)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPurgeTakesWhatIsOld(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, db *store.DB, clock *storetest.Clock) {
		send(t, s, mail(1, ada), mail(2, ada), mail(3, ada))
		clock.Advance(time.Second)
		send(t, s, mail(4, ada))
		clock.Advance(7*24*time.Hour - time.Second)
		if n := purge(t, db, 100); n != 0 {
			t.Errorf("%d were taken before their time", n)
		}
		clock.Advance(time.Millisecond)
		if a, b, c := purge(t, db, 2), purge(t, db, 2), purge(t, db, 2); a != 2 || b != 1 || c != 0 {
			t.Errorf("purged %d, %d, %d", a, b, c)
		}
		if got := listed(t, s, env, mailbox.Filter{}); got != "4" {
			t.Errorf("left: %s", got)
		}
	})
}

func TestPurgeKeepsTheNewestOfEachEnvironment(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, db *store.DB, _ *storetest.Clock) {
		foreign := mail(1, ada)
		foreign.EnvironmentID = other
		send(t, s, foreign)
		for n := range 1005 {
			send(t, s, mail(n+1, ada))
		}
		if a, b, c := purge(t, db, 3), purge(t, db, 100), purge(t, db, 100); a != 3 || b != 2 || c != 0 {
			t.Errorf("purged %d, %d, %d", a, b, c)
		}
		list, err := s.List(t.Context(), env, mailbox.Filter{})
		if err != nil || len(list) != 1000 || list[0].ID != messageID(1005) || list[999].ID != messageID(6) {
			t.Errorf("%d are left, %v", len(list), err)
		}
		if got := listed(t, s, other, mailbox.Filter{}); got != "1" {
			t.Errorf("the other environment has %s left", got)
		}
	})
}

// Links and codes work, so nobody may read them in a copy of the database.
func TestContentIsSealed(t *testing.T) {
	db, _ := storetest.Open(t, store.SQLite)
	s := mailbox.New(db, keyring(t, secret.NewMasterKey()))
	send(t, s, mail(1, ada), text(2, "+14155552671"))
	copied := t.TempDir() + "/copy.db"
	if err := db.Backup(t.Context(), copied); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(copied)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte(ada)) {
		t.Fatal("the file lacks the recipient, so finding nothing else in it proves nothing")
	}
	for _, text := range []string{"token=abc", "123456.", "Message 1", "<p>"} {
		if bytes.Contains(file, []byte(text)) {
			t.Errorf("the database holds %q", text)
		}
	}
}

func TestMessagesOfALostMasterKeyAreGone(t *testing.T) {
	each(t, func(t *testing.T, s *mailbox.Service, db *store.DB, _ *storetest.Clock) {
		send(t, s, mail(1, ada))
		later := mailbox.New(db, keyring(t, secret.NewMasterKey()))
		send(t, later, mail(2, ada))
		if got := listed(t, later, env, mailbox.Filter{}); got != "2" {
			t.Errorf("listed %s", got)
		}
		if _, err := later.Get(t.Context(), env, messageID(1)); !is(err, "mailbox_message_not_found") {
			t.Errorf("got %v", err)
		}
	})
}
