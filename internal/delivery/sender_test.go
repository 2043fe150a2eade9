package delivery_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

func keyring(t *testing.T) *secret.Keyring {
	t.Helper()
	k, err := secret.ParseKeyring(secret.NewMasterKey())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// listed is the senders of the test environment, in order.
func (w *world) listed() string {
	w.t.Helper()
	list, err := w.Senders(w.t.Context(), w.test)
	w.must(err)
	var all []string
	for _, i := range list {
		all = append(all, string(i.Channel)+" "+strings.TrimPrefix(i.Summary, "carrier "))
	}
	return strings.Join(all, ", ")
}

func TestSendersAreListedInTheirOrder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if got := w.listed(); got != "" {
			t.Errorf("at first: %s", got)
		}
		a := w.add(w.test, "a", false)
		w.add(w.test, "b", false)
		w.add(w.test, "c", true)
		w.add(w.test, "d", true)
		for _, name := range []string{"y", "z"} {
			_, err := w.AddSender(t.Context(), w.test, carrierOf(delivery.SMS, name, name == "z"))
			w.must(err)
		}
		if got := w.listed(); got != "email d, email c, email a, email b, sms z, sms y" {
			t.Errorf("the senders are %s", got)
		}
		for _, name := range []string{"a", "b", "c", "d"} {
			w.office.fail(name, errBusy)
		}
		if by := w.send(w.test, mail()); by != "d c a b" {
			t.Errorf("asked %q", by)
		}
		w.must(w.RemoveSender(t.Context(), w.test, a.ID))
		w.add(w.test, "e", false)
		if got := w.listed(); got != "email d, email c, email b, email e, sms z, sms y" {
			t.Errorf("the senders are %s", got)
		}
		w.refused(w.RemoveSender(t.Context(), w.test, a.ID), "sender_not_found", "environment")
		if a.Kind != "carrier" || a.Channel != delivery.Email || !a.CreatedAt.Equal(w.clock.Now()) || !strings.HasPrefix(a.ID, "sender-test-") {
			t.Errorf("added %+v", a)
		}
		shown, err := json.Marshal(a)
		if err != nil || strings.Contains(string(shown), password) || strings.Contains(strings.ToLower(string(shown)), "sealed") {
			t.Errorf("shown as %s, %v", shown, err)
		}
	})
}

func TestSettingsAreChecked(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			change           func(n *delivery.NewSender)
			errorType, words string
		}{
			{func(n *delivery.NewSender) { n.Kind = "pigeon" }, "invalid_sender_kind", `no way to send email messages called "pigeon". There are: carrier, runner.`},
			{func(n *delivery.NewSender) { n.Kind = "drummer" }, "invalid_sender_kind", `called "drummer". There are: carrier, runner.`},
			{func(n *delivery.NewSender) { n.Channel = delivery.WhatsApp }, "invalid_sender_kind", `no way to send whatsapp messages called "carrier". There are: drummer.`},
			{func(n *delivery.NewSender) { n.Channel = "pipe" }, "invalid_sender_kind", `"carrier"`},
			{func(n *delivery.NewSender) { n.Settings.Values = json.RawMessage(`""`) }, "invalid_sender", "has a name"},
			{func(n *delivery.NewSender) { n.Settings.Values = nil }, "invalid_sender", "has a name"},
		} {
			n := carrierOf(delivery.Email, "a", false)
			c.change(&n)
			_, err := w.AddSender(t.Context(), w.test, n)
			w.refused(err, c.errorType, c.words)
		}
		if got := w.listed(); got != "" {
			t.Errorf("refused senders were kept: %s", got)
		}
	})
}

// setSettings changes a sender's row as nothing of ours does yet.
func (w *world) setSettings(senderID string, sealed []byte) {
	w.t.Helper()
	w.must(w.config.Projects.Configure(w.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE senders SET sealed = $1 WHERE id = $2`, sealed, senderID)
		return err
	}))
}

func (w *world) seal(keys *secret.Keyring, name string) []byte {
	w.t.Helper()
	settings, err := json.Marshal(carrierOf(delivery.Email, name, false).Settings)
	w.must(err)
	sealed, err := keys.Seal("sender", w.test.ID, settings)
	w.must(err)
	return sealed
}

func TestConnectionsEndWithTheirSender(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		info := w.add(w.test, "first", false)
		w.send(w.test, mail())
		w.setSettings(info.ID, w.seal(w.keys, "changed"))
		if by := w.send(w.test, mail()); by != "changed" || w.office.gone() != "first" {
			t.Errorf("after a change asked %q, closed %q", by, w.office.gone())
		}
		w.send(w.test, mail())
		w.must(w.RemoveSender(t.Context(), w.test, info.ID))
		if got := w.office.gone(); got != "changed first" {
			t.Errorf("after the removal closed %q", got)
		}

		// Another process removes it.
		other, _ := w.process()
		second := w.add(w.test, "second", false)
		w.add(w.test, "third", false)
		_, err := w.AddSender(t.Context(), w.test, carrierOf(delivery.SMS, "texter", false))
		w.must(err)
		w.send(w.test, text())
		w.send(w.test, mail())
		w.must(other.RemoveSender(t.Context(), w.test, second.ID))
		if by := w.send(w.test, mail()); by != "third" || w.office.gone() != "changed first second" {
			t.Errorf("after a removal elsewhere asked %q, closed %q", by, w.office.gone())
		}
		w.must(w.Close())
		if got := w.office.gone(); got != "changed first second texter third" {
			t.Errorf("at the end closed %q", got)
		}
	})
}

// A sender whose settings nobody can read any more is passed over.
func TestASenderThatCannotBeOpenedIsPassedOver(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first := w.add(w.test, "first", false)
		second := w.add(w.test, "second", false)
		w.setSettings(first.ID, w.seal(keyring(t), "first"))
		if by := w.send(w.test, mail()); by != "second" {
			t.Errorf("asked %q", by)
		}
		// Without another one the message waits, and is kept from the mailbox.
		w.must(w.RemoveSender(t.Context(), w.test, second.ID))
		if by := w.send(w.test, mail()); by != "" || w.kept(w.test) != 0 || w.stats() != (outbox.Stats{Waiting: 1}) {
			t.Errorf("asked %q, kept %d; %+v", by, w.kept(w.test), w.stats())
		}
		w.setSettings(first.ID, w.seal(w.keys, "first"))
		w.clock.Advance(3 * time.Second)
		if by := w.drain(); by != "first" {
			t.Errorf("asked %q", by)
		}
	})
}

func TestASenderCanBeTried(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.add(w.test, "first", false)
		second := w.add(w.test, "second", false)
		m := text()
		m.To = ada
		w.must(w.Test(t.Context(), w.test, second.ID, m))
		by, asked := w.office.take()
		if by != "second" || asked[0].Channel != delivery.Email || asked[0].To != ada || !strings.Contains(asked[0].Text, code) ||
			asked[0].EnvironmentID != w.test.ID || !strings.HasPrefix(asked[0].ID, "message-test-") || !asked[0].CreatedAt.Equal(w.clock.Now()) {
			t.Errorf("asked %q for %+v", by, asked)
		}
		for _, fault := range []error{errBusy, errUnknown} {
			w.office.fail("second", fault)
			if err := w.Test(t.Context(), w.test, second.ID, m); !errors.Is(err, fault) {
				t.Errorf("a sender that says %v gave %v", fault, err)
			}
		}
		if w.stats() != (outbox.Stats{}) || w.kept(w.test) != 0 {
			t.Errorf("trying left %+v and %d in the mailbox", w.stats(), w.kept(w.test))
		}
		w.refused(w.Test(t.Context(), w.test, "sender-test-0192f1aa-0000-7000-8000-000000000001", m), "sender_not_found", "environment")
	})
}
