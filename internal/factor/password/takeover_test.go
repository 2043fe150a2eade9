package password_test

import (
	"net/http"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// A password that has to be set anew because its owner came opens no way to set
// another one from the session that it started.
func TestSecurity16AForcedResetIsNotLiftedByTheSessionOfTheOldPassword(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Call(http.MethodPost, migrate, body{
			"email": "victim@example.com", "hash": bcryptOf(t, first), "hash_type": "bcrypt",
			"phone_number": "+14155552671", "set_phone_number_verified": true,
		}).OK()
		old := login(s, "victim@example.com", first).OK().String("session_token")
		s.Call(http.MethodPost, "/v1/magic_links/email/login_or_create", body{"email": "victim@example.com"}).OK()
		a := s.Call(http.MethodPost, "/v1/magic_links/authenticate", with(hour, body{"token": token(t, s.Mail("victim@example.com").Link)})).OK()
		s.Call(http.MethodPost, bySession, body{"session_token": old, "password": second}).Refused(400, "session_too_old_to_reset_password")
		login(s, "victim@example.com", first).Refused(400, "reset_password")
		s.Call(http.MethodPost, bySession, body{"session_token": a.String("session_token"), "password": second}).OK()
		login(s, "victim@example.com", second).OK()
	})
}

// A session that ends while it waits to set a password sets none.
func TestSecurity52ASessionThatEndsMeanwhileSetsNoPassword(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		in := signUp(s, "ada@example.com", first)
		thief := s.Browser()
		thief.Token = in.String("session_token")
		answered := make(chan *authtest.Answer, 1)
		err := s.DB.Update(t.Context(), func(tx *store.Tx) error {
			if tx.ForUpdate() == "" {
				return nil // SQLite has one writer: nobody waits in the middle
			}
			if _, err := user.ForUpdate(tx, s.Env, in.String("user_id")); err != nil {
				return err
			}
			go func() {
				answered <- thief.Call(http.MethodPost, "/sdk/v1/passwords/session/reset", with(hour, body{"password": second}))
			}()
			if err := blocked(t, s.DB); err != nil {
				return err
			}
			s.Call(http.MethodPost, "/v1/sessions/revoke", body{"session_id": in.Get("session", "session_id")}).OK()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if s.DB.Engine() == store.Postgres {
			(<-answered).Refused(404, "session_not_found")
		}
		login(s, "ada@example.com", first).OK()
	})
}

// blocked waits until somebody waits for a row.
func blocked(t *testing.T, db *store.DB) error {
	for n := 0; n == 0; {
		err := db.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(`SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
