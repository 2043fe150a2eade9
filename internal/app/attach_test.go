package app_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"gatehouse/internal/authtest"
)

// TestFactorsAccumulate attaches every way to sign in to a session of every
// other: session and token stay, the factors stand in the order in which they
// were last proven, and answer and JWT show both.
func TestFactorsAccumulate(t *testing.T) {
	s := openly(t, authtest.New(t, calling))
	for _, first := range methods {
		m := newMember(t, s)
		for _, second := range methods {
			if second.name == first.name {
				continue
			}
			pair := first.name + " and " + second.name
			b, one := m.session(first)
			s.Clock.Advance(time.Minute)
			two := second.prove(m, fields{"session_token": b.Token, "session_duration_minutes": lasting}).OK()
			same(t, pair, one, two)
			order(t, pair, two, first, second)
			if age := s.Clock.Now().Sub(factorsIn(t, two.Get("session"))[0].LastAuthenticatedAt); age < time.Minute {
				t.Errorf("%s: the first factor was not proven %s ago", pair, age)
			}

			// The first once more: it is one factor still, now the last to be proven,
			// and as old as it was. Each recovery code is one of its own.
			three := first.prove(m, fields{"session_token": b.Token, "session_duration_minutes": lasting}).OK()
			same(t, pair, one, three)
			if first.name == "a recovery code" {
				order(t, pair+", and another", three, first, second, first)
				continue
			}
			order(t, pair+", the first again", three, second, first)
			if created := three.String("session", "authentication_factors", 1, "created_at"); created != one.String("session", "authentication_factors", 0, "created_at") {
				t.Errorf("%s: created_at became %s", pair, created)
			}
		}
	}
}

// same fails unless both answers show one session.
func same(t *testing.T, what string, one, two *authtest.Answer) {
	t.Helper()
	for _, field := range []string{"session_id", "user_id", "started_at"} {
		if one.Get("session", field) != two.Get("session", field) {
			t.Errorf("%s: %s became %v", what, field, two.Get("session", field))
		}
	}
	if one.String("session_token") != two.String("session_token") {
		t.Errorf("%s: the session has another token", what)
	}
}

// order fails unless answer and JWT show exactly these factors.
func order(t *testing.T, what string, a *authtest.Answer, want ...method) {
	t.Helper()
	var expected [][2]string
	for _, m := range want {
		expected = append(expected, m.factor)
	}
	for place, session := range map[string]any{"answer": a.Get("session"), "JWT": claims(t, a.String("session_jwt"))} {
		var got [][2]string
		for _, f := range factorsIn(t, session) {
			got = append(got, [2]string{f.Type, f.DeliveryMethod})
		}
		if !slices.Equal(got, expected) {
			t.Errorf("%s: the %s shows %v, want %v", what, place, got, expected)
		}
	}
}

// TestFactorsJoinLivingSessionsOfTheirOwnUserOnly: a session of another user is
// refused, and so is one that has ended, at its instant.
func TestFactorsJoinLivingSessionsOfTheirOwnUserOnly(t *testing.T) {
	s := openly(t, authtest.New(t, calling))
	mine, hers := newMember(t, s), newMember(t, s)
	for _, w := range methods {
		foreign, _ := hers.session(named(t, "a passkey"))
		w.prove(mine, fields{"session_token": foreign.Token, "session_duration_minutes": lasting}).Refused(400, "user_id_mismatch")
		if a := ask(s, "session_token", foreign.Token).OK(); len(factorsIn(t, a.Get("session"))) != 1 || a.String("user_id") != hers.UserID {
			t.Errorf("%s changed a foreign session: %s", w.name, a.Text)
		}
		dead, _ := mine.session(named(t, "a passkey"))
		s.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_token": dead.Token, "session_duration_minutes": 5}).OK()
		s.Clock.Advance(5 * time.Minute)
		a := w.prove(mine, fields{"session_token": dead.Token, "session_duration_minutes": lasting})
		if w.name == "biometrics" { // behind the browser's door a dead session is replaced
			if a.OK(); a.String("session_token") == dead.Token {
				t.Errorf("%s revived a dead session", w.name)
			}
			continue
		}
		a.Refused(404, "session_not_found")
	}
}
