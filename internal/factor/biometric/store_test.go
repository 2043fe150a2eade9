package biometric

import (
	"bytes"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

const envID = "project-test-1"

// update runs one step in a transaction of its own.
func update(t *testing.T, db *store.DB, step func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), step); err != nil {
		t.Fatal(err)
	}
}

// A challenge is taken once, in time, for its own ceremony and environment, and
// only while no newer one has taken its place: also by whoever has read it before
// that happened.
func TestTakingChallenges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		ends := clock.Now().Add(challengeLifetime)
		made := func(challenge byte, edit func(*pending)) *pending {
			p := &pending{
				RegistrationID: "r1", Ceremony: ceremonyAuthenticate, UserID: "u1", PublicKey: []byte{1},
				Challenge: bytes.Repeat([]byte{challenge}, challengeSize), ExpiresAt: ends,
			}
			if edit != nil {
				edit(p)
			}
			return p
		}
		put := func(p *pending) {
			t.Helper()
			update(t, db, func(tx *store.Tx) error { return putChallenge(tx, envID, p) })
		}
		takes := func(what string, env string, p *pending, want bool) {
			t.Helper()
			update(t, db, func(tx *store.Tx) error {
				got, err := takeChallenge(tx, env, p)
				if got != want {
					t.Errorf("%s: taken %t", what, got)
				}
				return err
			})
		}
		older, newer := made(1, nil), made(2, nil)
		put(older)
		put(newer)
		takes("replaced", envID, older, false)
		takes("another ceremony", envID, made(2, func(p *pending) { p.Ceremony = ceremonyRegister }), false)
		takes("another registration", envID, made(2, func(p *pending) { p.RegistrationID = "r2" }), false)
		takes("another environment", "project-test-2", newer, false)
		update(t, db, func(tx *store.Tx) error {
			for ceremony, want := range map[string]bool{ceremonyAuthenticate: true, ceremonyRegister: false} {
				p, err := challengeOf(tx, envID, "r1", ceremony)
				if err != nil || (p != nil) != want || want && !bytes.Equal(p.Challenge, newer.Challenge) {
					t.Errorf("the challenge of %s is %v (%v)", ceremony, p, err)
				}
			}
			return nil
		})
		clock.Set(ends.Add(-time.Millisecond))
		takes("in time", envID, newer, true)
		takes("again", envID, newer, false)
		put(newer)
		clock.Set(ends)
		takes("late", envID, newer, false)
	})
}

// What is removed of one registration, session or user leaves the others alone.
func TestRemoving(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		update(t, db, func(tx *store.Tx) error {
			for _, r := range []*registration{{"r1", "u1", []byte{1}}, {"r2", "u1", []byte{2}}, {"r3", "u2", []byte{3}}} {
				if added, err := insertRegistration(tx, envID, r); err != nil || !added {
					t.Errorf("%s: %t, %v", r.ID, added, err)
				}
				if added, err := insertRegistration(tx, envID, &registration{"again", "u9", r.PublicKey}); err != nil || added {
					t.Errorf("the key of %s is there twice: %v", r.ID, err)
				}
			}
			for id, session := range map[string]string{"r1": "", "p1": "s1", "p2": "s2", "r3": ""} {
				p := &pending{RegistrationID: id, Ceremony: ceremonyRegister, UserID: "u1", SessionID: session, PublicKey: []byte{9}, Challenge: []byte{9}, ExpiresAt: clock.Now()}
				if id == "r3" {
					p.UserID = "u2"
				}
				if err := putChallenge(tx, envID, p); err != nil {
					return err
				}
			}
			return nil
		})
		left := func(what string, registrations, challenges int) {
			t.Helper()
			update(t, db, func(tx *store.Tx) error {
				var r, c int
				if err := tx.QueryRow(`SELECT COUNT(*) FROM biometric_registrations`).Scan(&r); err != nil {
					return err
				}
				err := tx.QueryRow(`SELECT COUNT(*) FROM biometric_challenges`).Scan(&c)
				if r != registrations || c != challenges {
					t.Errorf("%s: %d registrations and %d challenges are left", what, r, c)
				}
				return err
			})
		}
		left("at first", 3, 4)
		update(t, db, func(tx *store.Tx) error { return deleteOfSession(tx, envID, "u1", "s1") })
		left("without a session", 3, 3)
		update(t, db, func(tx *store.Tx) error { return deleteRegistration(tx, envID, "r1") })
		left("without a registration", 2, 2)
		update(t, db, func(tx *store.Tx) error { return deleteOfUser(tx, "project-test-2", "u1") })
		left("without a user of another environment", 2, 2)
		update(t, db, func(tx *store.Tx) error { return deleteOfUser(tx, envID, "u1") })
		left("without a user", 1, 1)
		update(t, db, func(tx *store.Tx) error {
			if n, err := purgeChallenges(tx, 10); err != nil || n != 1 {
				t.Errorf("%d purged, %v", n, err)
			}
			return nil
		})
		left("after the clean-up", 1, 0)
	})
}
