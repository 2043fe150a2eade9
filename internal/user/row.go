package user

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// JSON is a user's wire-ready document. It is served as it is.
type JSON []byte

// MarshalJSON returns the document itself.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j) == 0 {
		return []byte("null"), nil
	}
	return j, nil
}

// WireJSON implements wire.Prepared: answers copy the document as it is.
func (j JSON) WireJSON() []byte { return j }

// rolesField is where the roles stand in a document. Inside of a text its quotes
// would be escaped, and metadata comes after it.
var rolesField = []byte(`"roles":[`)

// ForBrowser is the document as the user's own browser gets it: the role that
// everybody holds is among the roles. SDKs in browsers decide by user.roles what
// to show, where those of servers decide by the roles of the session.
func (j JSON) ForBrowser() JSON {
	at := bytes.Index(j, rolesField)
	if at < 0 {
		return j
	}
	at += len(rolesField)
	out := make(JSON, 0, len(j)+len(project.DefaultRole)+len(`"",`))
	out = append(append(out, j[:at]...), `"`+project.DefaultRole+`"`...)
	if j[at] != ']' {
		out = append(out, ',')
	}
	return append(out, j[at:]...)
}

// DescribedAs implements wire.DescribedAs.
func (JSON) DescribedAs() any { return User{} }

// Row is a user as read at one instant: locks that have run out and factors
// that expired before that instant are already gone from it, whether or not
// anything has written that down yet.
type Row struct {
	UserID         string
	Status         string
	JSON           JSON
	Version        int64     // moves with every change of the document
	FailedAttempts int       // consecutive failures since the last success or lock
	LockCreatedAt  time.Time // zero unless locked
	LockExpiresAt  time.Time // zero unless locked

	was  state // as in the table
	user *User // decoded from JSON on demand
	held bool  // read for update in this transaction
}

// state is the part of the row in the table that the reader may have to
// correct: changesAt is when it stops being true as it stands.
type state struct {
	document      JSON
	expiries      *string // {"<factor id>": milliseconds}, nil when no factor expires
	changesAt     *int64
	lockCreatedAt *int64
	lockExpiresAt *int64
}

// RowColumns are what ScanRow reads, for a SELECT in which the users table is
// called u.
const RowColumns = "u.id, u.status, u.document, u.version, u.failed_attempts, u.lock_created_at, u.lock_expires_at, u.expiries, u.changes_at"

// scanner is a *store.Row or *store.Rows.
type scanner interface{ Scan(dest ...any) error }

// ScanRow reads RowColumns from the result of a query, after as many columns
// as before has. A session and its user are so read in one query:
//
//	SELECT s.id, s.expires_at, <user.RowColumns> FROM sessions s JOIN users u ON ...
//
// store.ErrNoRows comes through as it is.
func ScanRow(tx *store.Tx, from scanner, before ...any) (*Row, error) {
	r := &Row{}
	w := &r.was
	dest := append(before[:len(before):len(before)], &r.UserID, &r.Status, (*[]byte)(&w.document), &r.Version,
		&r.FailedAttempts, &w.lockCreatedAt, &w.lockExpiresAt, &w.expiries, &w.changesAt)
	if err := from.Scan(dest...); err != nil {
		return nil, err
	}
	return r, r.settle(tx.Now)
}

// settle applies what the clock has changed since the row was written.
func (r *Row) settle(now time.Time) error {
	r.JSON = r.was.document
	if r.was.lockExpiresAt != nil {
		r.LockCreatedAt, r.LockExpiresAt = store.Time(*r.was.lockCreatedAt), store.Time(*r.was.lockExpiresAt)
	}
	if r.was.changesAt == nil || now.Before(store.Time(*r.was.changesAt)) {
		return nil
	}
	if !r.Locked(now) && r.was.lockExpiresAt != nil {
		r.LockCreatedAt, r.LockExpiresAt, r.FailedAttempts = time.Time{}, time.Time{}, 0
	}
	u, err := r.was.user()
	if err != nil {
		return err
	}
	for _, f := range u.Factors() {
		if !f.ExpiresAt.IsZero() && !now.Before(f.ExpiresAt) {
			u.remove(f.Kind, f.ID)
		}
	}
	r.showLock(u)
	r.user = u
	r.JSON, err = encode(u)
	return err
}

// User decodes the document, once. The result is shared: change a user through
// Service.Change.
func (r *Row) User() (*User, error) {
	if r.user == nil {
		u, err := decode(r.JSON, r.was.expiries)
		if err != nil {
			return nil, err
		}
		r.user = u
	}
	return r.user, nil
}

// user decodes the row as it is in the table, with everything that expired.
func (s *state) user() (*User, error) {
	return decode(s.document, s.expiries)
}

// Locked reports whether the user is locked at the instant now.
func (r *Row) Locked(now time.Time) bool { return now.Before(r.LockExpiresAt) }

// showLock writes the row's lock into its document.
func (r *Row) showLock(u *User) {
	u.IsLocked = !r.LockExpiresAt.IsZero()
	u.LockCreatedAt, u.LockExpiresAt = timestamp(r.LockCreatedAt), timestamp(r.LockExpiresAt)
}

func decode(document []byte, expiries *string) (*User, error) {
	u := &User{}
	if err := json.Unmarshal(document, u); err != nil {
		return nil, fmt.Errorf("decoding the user's document: %w", err)
	}
	u.empty()
	if expiries == nil {
		return u, nil
	}
	var ends map[string]int64
	if err := json.Unmarshal([]byte(*expiries), &ends); err != nil {
		return nil, fmt.Errorf("decoding when the user's factors expire: %w", err)
	}
	for id, end := range ends {
		u.expire(id, store.Time(end))
	}
	return u, nil
}

// changesAt is when a user stops being as written: the first expiry of a
// factor or of the lock. It returns the expiries too, as the table keeps them.
func changesAt(factors []Factor, lockExpires time.Time) (at *int64, expiries *string, err error) {
	sooner := func(t time.Time) {
		if ms := store.Millis(t); !t.IsZero() && (at == nil || ms < *at) {
			at = &ms
		}
	}
	sooner(lockExpires)
	ends := map[string]int64{}
	for _, f := range factors {
		sooner(f.ExpiresAt)
		if !f.ExpiresAt.IsZero() {
			ends[f.ID] = store.Millis(f.ExpiresAt)
		}
	}
	if len(ends) == 0 {
		return at, nil, nil
	}
	text, err := encode(ends)
	if err != nil {
		return nil, nil, err
	}
	list := string(text)
	return at, &list, nil
}
