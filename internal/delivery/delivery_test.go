package delivery_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errBusy    = errors.New("come back later")
	errUnknown = outbox.Permanent(errors.New("nobody of that name"))
)

func TestSendersAreTriedInOrderUntilOneTakesTheMessage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.test, "first", false)
		w.add(w.test, "second", false)
		if by := w.send(w.test, mail()); by != "first" {
			t.Errorf("asked %q", by)
		}
		w.office.fail("first", errBusy)
		w.must(w.enqueue(w.test, mail()))
		w.must(w.queue.Drain(t.Context()))
		by, asked := w.office.take()
		if by != "first second" || asked[0].ID != asked[1].ID || w.stats() != (outbox.Stats{}) {
			t.Errorf("asked %q about %v; %+v", by, asked, w.stats())
		}
		e := asked[1]
		if e.EnvironmentID != w.test.ID || e.Channel != delivery.Email || e.To != ada || e.Link != link || !strings.Contains(e.Text, link) ||
			!strings.Contains(e.HTML, "token=0123456789abcdef") || !e.CreatedAt.Equal(w.clock.Now()) || !strings.HasPrefix(e.ID, "message-test-") {
			t.Errorf("sent %+v", e)
		}

		// Neither: all are asked once more, about the same message.
		w.office.fail("second", errBusy)
		w.must(w.enqueue(w.test, mail()))
		w.must(w.queue.Drain(t.Context()))
		_, before := w.office.take()
		w.clock.Advance(3 * time.Second)
		w.office.fail("second", nil)
		w.must(w.queue.Drain(t.Context()))
		by, asked = w.office.take()
		if by != "first second" || len(before) != 2 || asked[0].ID != before[0].ID {
			t.Errorf("asked %q", by)
		}
		const seen = "email carrier sent, email carrier failed, email carrier sent, email carrier failed, email carrier failed, email carrier failed, email carrier sent"
		if got := w.office.observed(); got != seen {
			t.Errorf("observed %s", got)
		}
	})
}

// A recipient whom one provider refuses is not shown to the next.
func TestARefusedRecipientEndsIt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.test, "first", false)
		w.add(w.test, "second", false)
		w.office.fail("first", errUnknown)
		if by := w.send(w.test, mail()); by != "first" || w.stats() != (outbox.Stats{Dead: 1}) {
			t.Errorf("asked %q; %+v", by, w.stats())
		}
		// The second may refuse after the first has failed.
		w.office.fail("first", errBusy)
		w.office.fail("second", errUnknown)
		if by := w.send(w.test, mail()); by != "first second" || w.stats() != (outbox.Stats{Dead: 2}) {
			t.Errorf("asked %q; %+v", by, w.stats())
		}
		if got := w.office.observed(); got != "email carrier refused, email carrier failed, email carrier refused" {
			t.Errorf("observed %s", got)
		}
	})
}

// One provider that wants to be left alone for an hour does not keep the
// message from another that will be well in a moment.
func TestTheNextAttemptIsDueWhenTheFirstSenderIsReady(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.test, "first", false)
		w.add(w.test, "second", false)
		w.office.fail("first", outbox.After(time.Hour, errBusy))
		w.office.fail("second", errBusy)
		w.send(w.test, mail())
		w.clock.Advance(3 * time.Second)
		if by := w.drain(); by != "first second" {
			t.Errorf("after a moment asked %q", by)
		}
		w.office.fail("second", outbox.After(time.Minute, errBusy))
		w.clock.Advance(6 * time.Second)
		if by := w.drain(); by != "first second" {
			t.Errorf("after a moment asked %q", by)
		}
		w.clock.Advance(time.Minute - time.Millisecond)
		if by := w.drain(); by != "" {
			t.Errorf("before the minute is over asked %q", by)
		}
		w.clock.Advance(time.Millisecond)
		if by := w.drain(); by != "first second" {
			t.Errorf("after the minute asked %q", by)
		}
	})
}

func TestExpiredMessagesAreNotSent(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.test, "first", false)
		w.office.fail("first", errBusy)
		m := mail()
		m.ExpiresAt = w.clock.Now().Add(time.Minute)
		if by := w.send(w.test, m); by != "first" {
			t.Fatalf("asked %q", by)
		}
		w.office.fail("first", nil)
		w.clock.Advance(time.Minute)
		if by := w.drain(); by != "" || w.stats() != (outbox.Stats{}) {
			t.Errorf("asked %q; %+v", by, w.stats())
		}
		if got := w.office.observed(); got != "email carrier failed, email none expired" {
			t.Errorf("observed %s", got)
		}
	})
}

// What is written down holds nothing that signs anybody in, names a recipient
// or opens a provider's account.
func TestWhatWaitsIsSealed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.test, "first", false)
		_, err := w.AddSender(t.Context(), w.test, carrierOf(delivery.SMS, "texter", false))
		w.must(err)
		w.office.fail("first", errBusy)
		w.office.fail("texter", errUnknown)
		m := mail()
		m.Code, m.LoginLink, m.UserID = code, link+"2", "user-test-0192f1aa-0000-7000-8000-000000000001"
		w.must(w.enqueue(w.test, m))
		w.must(w.enqueue(w.test, text()))
		waiting := w.rows("SELECT kind, payload, last_error FROM outbox")
		w.drain()
		tables := waiting + w.rows("SELECT kind, payload, last_error FROM outbox") + w.rows("SELECT kind, summary, sealed FROM senders")
		if !strings.Contains(waiting, "message") || !strings.Contains(tables, errBusy.Error()) || !strings.Contains(tables, "carrier texter") {
			t.Fatalf("the tables hold nothing: %s", tables)
		}
		for _, hidden := range []string{ada, "lovelace", "0123456789abcdef", "magic_links", code, "5005550006", password, "user-test-0192f1aa"} {
			for _, form := range []string{hidden, hex.EncodeToString([]byte(hidden)), inBase64(hidden, 0), inBase64(hidden, 1), inBase64(hidden, 2)} {
				if strings.Contains(tables, form) {
					t.Errorf("the tables hold %s as %q", hidden, form)
				}
			}
		}
	})
}

// inBase64 is what base64 makes of a text that begins at some place.
func inBase64(s string, at int) string {
	b := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", at) + s))
	return b[(at*8+5)/6 : len(b)-1]
}

// rows is the text of a table.
func (w *world) rows(query string) string {
	w.t.Helper()
	var out strings.Builder
	w.must(w.db.View(w.t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var a, b string
			var c []byte
			if err := rows.Scan(&a, &b, &c); err != nil {
				return err
			}
			fmt.Fprintf(&out, "%s %s %s\n", a, b, c)
		}
		return rows.Err()
	}))
	return out.String()
}

func TestLiveEnvironmentsNeedASender(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.refused(w.enqueue(w.live, mail()), "sender_not_configured", "email")
		_, err := w.AddSender(t.Context(), w.live, carrierOf(delivery.SMS, "texter", false))
		w.must(err)
		w.refused(w.enqueue(w.live, mail()), "sender_not_configured", "email")
		if w.stats() != (outbox.Stats{}) {
			t.Errorf("a refused message left %+v", w.stats())
		}
		if by := w.send(w.live, text()); by != "texter" {
			t.Errorf("asked %q", by)
		}

		// A sender that is gone when its message's time has come: it waits, and
		// never ends in a mailbox.
		first := w.add(w.live, "first", false)
		w.must(w.enqueue(w.live, mail()))
		w.must(w.RemoveSender(t.Context(), w.live, first.ID))
		if by := w.drain(); by != "" || w.stats() != (outbox.Stats{Waiting: 1}) || w.kept(w.live) != 0 {
			t.Errorf("asked %q; %+v, %d kept", by, w.stats(), w.kept(w.live))
		}
		w.add(w.live, "second", false)
		w.clock.Advance(3 * time.Second)
		if by := w.drain(); by != "second" {
			t.Errorf("asked %q", by)
		}
	})
}

// What goes wrong in the database is not told as a sender that is missing.
func TestEnqueueTellsAnAccidentFromAMissingSender(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.must(w.db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`ALTER TABLE senders RENAME TO gone`)
			return err
		}))
		if err := w.enqueue(w.live, mail()); err == nil || apierr.From(err) != nil {
			t.Errorf("a broken database gave %v", err)
		}
	})
}

func TestTestEnvironmentsWithoutSenderKeepTheirMessages(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if by := w.send(w.test, mail()); by != "" || w.kept(w.test) != 1 {
			t.Errorf("asked %q, kept %d", by, w.kept(w.test))
		}
		// A sender takes the messages of its channel alone.
		first := w.add(w.test, "first", false)
		if by := w.send(w.test, text()); by != "" || w.kept(w.test) != 2 {
			t.Errorf("asked %q, kept %d", by, w.kept(w.test))
		}
		// What the sender fails at is not kept instead.
		w.office.fail("first", errBusy)
		if by := w.send(w.test, mail()); by != "first" || w.kept(w.test) != 2 {
			t.Errorf("asked %q, kept %d", by, w.kept(w.test))
		}
		w.must(w.RemoveSender(t.Context(), w.test, first.ID))
		w.clock.Advance(3 * time.Second)
		if by := w.drain(); by != "" || w.kept(w.test) != 3 {
			t.Errorf("asked %q, kept %d", by, w.kept(w.test))
		}
		if got := w.office.observed(); got != "email mailbox sent, sms mailbox sent, email carrier failed, email mailbox sent" {
			t.Errorf("observed %s", got)
		}
	})
}

func TestEnvironmentsUseTheirOwnSenders(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		second, err := w.config.Projects.CreateEnvironment(t.Context(), w.test.ProjectID, "test", "Second")
		w.must(err)
		_, strange, err := w.config.Projects.CreateProject(t.Context(), "Strangers")
		w.must(err)
		own := map[string]*project.Environment{"test": w.test, "live": w.live, "second": second, "strange": strange}
		senders := map[string]*delivery.SenderInfo{}
		for name, env := range own {
			senders[name] = w.add(env, name, false)
		}
		for name, env := range own {
			if by := w.send(env, mail()); by != name {
				t.Errorf("the message of %s went through %q", name, by)
			}
			for other, info := range senders {
				if other == name {
					continue
				}
				w.refused(w.RemoveSender(t.Context(), env, info.ID), "sender_not_found", "environment")
				w.refused(w.Test(t.Context(), env, info.ID, mail()), "sender_not_found", "environment")
			}
			list, err := w.Senders(t.Context(), env)
			if err != nil || len(list) != 1 || list[0].Summary != "carrier "+name {
				t.Errorf("the senders of %s are %+v, %v", name, list, err)
			}
		}
		if w.office.gone() != "" {
			t.Errorf("closed %s", w.office.gone())
		}
	})
}

func TestMessagesDieAndAreRevived(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.test, "first", false)
		w.office.fail("first", errBusy)
		w.must(w.enqueue(w.test, mail()))
		attempts := 0
		for w.stats().Dead == 0 && attempts < 100 {
			attempts += len(strings.Fields(w.drain()))
			w.clock.Advance(2 * time.Hour)
		}
		jobs, err := w.queue.List(t.Context(), outbox.Dead, 10)
		if err != nil || len(jobs) != 1 || attempts != 12 || jobs[0].Attempts != 12 || jobs[0].EnvironmentID != w.test.ID || jobs[0].LastError != "carrier: "+errBusy.Error() {
			t.Fatalf("after %d attempts: %+v, %v", attempts, jobs, err)
		}
		if by := w.drain(); by != "" {
			t.Errorf("for a dead message %q was asked", by)
		}
		w.office.fail("first", nil)
		w.must(w.queue.Retry(t.Context(), jobs[0].ID))
		if by := w.drain(); by != "first" || w.stats() != (outbox.Stats{}) {
			t.Errorf("revived: asked %q; %+v", by, w.stats())
		}
	})
}

// A message is never lost to a key that is away for a while.
func TestMessagesWaitForTheirKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.test, "first", false)
		w.must(w.enqueue(w.test, mail()))
		right := w.config.Keyring
		w.config.Keyring = keyring(t)
		_, wrong := w.process()
		w.must(wrong.Drain(t.Context()))
		if w.stats() != (outbox.Stats{Waiting: 1}) {
			t.Fatalf("%+v", w.stats())
		}
		w.config.Keyring = right
		w.clock.Advance(3 * time.Second)
		if by := w.drain(); by != "first" {
			t.Errorf("asked %q", by)
		}
	})
}

func TestOneProcessOnlySendsAMessage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.test, "first", false)
		for range 20 {
			w.must(w.enqueue(w.test, mail()))
		}
		done := make(chan error)
		for range 3 {
			s, q := w.process()
			go func() { done <- errors.Join(q.Drain(context.WithoutCancel(t.Context())), s.Close()) }()
		}
		for range 3 {
			w.must(<-done)
		}
		_, asked := w.office.take()
		ids := map[string]bool{}
		for _, e := range asked {
			ids[e.ID] = true
		}
		if len(asked) != 20 || len(ids) != 20 {
			t.Errorf("%d messages were sent %d times", len(ids), len(asked))
		}
	})
}
