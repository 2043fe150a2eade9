// Package mailbox owns the messages that test environments keep instead of
// sending, so that people and tests read them as they would arrive. It is the
// delivery.Sender of environments that have no other. It never sends anything
// and never decides whose messages come to it.
//
// Recipients stand in the database as they are: test environments hold
// addresses of testers, which stand beside their users anyhow, and a hash
// would be lost with the master key it was made under. The messages themselves
// are sealed, because their links and codes work.
package mailbox

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

const (
	purpose = "mailbox message"
	// keepFor and keepNewest say what Purge leaves.
	keepFor    = 7 * 24 * time.Hour
	keepNewest = 1000 // messages of an environment
	// MaxLimit is the longest list; all that is kept fits into one.
	MaxLimit = keepNewest
)

var errNotFound = apierr.New(404, "mailbox_message_not_found", "There is no such message in the mailbox. Messages are kept for 7 days, the newest 1,000 of each test environment.")

// Service is the mailbox of every environment.
type Service struct {
	db   *store.DB
	keys *secret.Keyring
}

// New returns the mailbox of a database.
func New(db *store.DB, keys *secret.Keyring) *Service { return &Service{db: db, keys: keys} }

// Send keeps a message, as delivery.Sender. An ID that is there already is the
// same message once more, and changes nothing.
func (s *Service) Send(ctx context.Context, m *delivery.Envelope) error {
	plain, err := json.Marshal(m)
	if err != nil {
		return err
	}
	content, err := s.keys.Seal(purpose, m.EnvironmentID, plain)
	if err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error { return insert(tx, m, recipient(m.To), content) })
}

// recipient is the form in which addresses are compared. Testers write them as
// they come, and capitals tell no two people apart.
func recipient(to string) string { return strings.ToLower(strings.TrimSpace(to)) }

// Filter narrows a list; what is empty does not.
type Filter struct {
	To      string // the whole address or number; capitals do not matter
	Channel delivery.Channel
	Type    delivery.Type
	After   string // id of the message that the list goes on after
	Limit   int    // at most MaxLimit, which 0 means too
}

// List returns the messages of an environment, those that arrived last first.
// It returns mailbox_message_not_found when After names a message that is not
// there. What was sealed with a master key that is gone is left out.
func (s *Service) List(ctx context.Context, environmentID string, f Filter) ([]delivery.Envelope, error) {
	if f.Limit <= 0 || f.Limit > MaxLimit {
		f.Limit = MaxLimit
	}
	f.To = recipient(f.To)
	var sealed [][]byte
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		before := int64(math.MaxInt64)
		if f.After != "" {
			if before, err = placeOf(tx, environmentID, f.After); err != nil {
				return missing(err)
			}
		}
		sealed, err = list(tx, environmentID, &f, before)
		return err
	})
	if err != nil {
		return nil, err
	}
	messages := make([]delivery.Envelope, 0, len(sealed))
	for _, content := range sealed {
		m, err := s.open(environmentID, content)
		if errors.Is(err, secret.ErrSealed) {
			continue
		}
		if err != nil {
			return nil, err
		}
		messages = append(messages, *m)
	}
	return messages, nil
}

// Get returns one message, or mailbox_message_not_found.
func (s *Service) Get(ctx context.Context, environmentID, messageID string) (*delivery.Envelope, error) {
	var content []byte
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		content, err = read(tx, environmentID, messageID)
		return missing(err)
	})
	if err != nil {
		return nil, err
	}
	m, err := s.open(environmentID, content)
	if errors.Is(err, secret.ErrSealed) {
		return nil, errNotFound.Because(err)
	}
	return m, err
}

func missing(err error) error {
	if errors.Is(err, store.ErrNoRows) {
		return errNotFound
	}
	return err
}

func (s *Service) open(environmentID string, content []byte) (*delivery.Envelope, error) {
	plain, err := s.keys.Open(purpose, environmentID, content)
	if err != nil {
		return nil, err
	}
	m := &delivery.Envelope{}
	return m, json.Unmarshal(plain, m)
}

// Clear removes the messages to one recipient, or with "" all messages of the
// environment, and returns how many there were.
func (s *Service) Clear(ctx context.Context, environmentID, to string) (n int, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		taken, err := clearAll(tx, environmentID, recipient(to))
		n = int(taken)
		return err
	})
	return n, err
}

// Version is a text that stays while the same messages are kept and no longer,
// so that whoever watches a mailbox reads it only when there is news.
func (s *Service) Version(ctx context.Context, environmentID string) (version string, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		version, err = newest(tx, environmentID)
		return err
	})
	return version, err
}

// Purge removes up to budget messages: those older than 7 days, and all but the
// newest 1,000 of each environment.
func Purge(tx *store.Tx, budget int) (int, error) {
	old, err := purgeOld(tx, tx.Now.Add(-keepFor), budget)
	if err != nil || int(old) >= budget {
		return int(old), err
	}
	surplus, err := purgeSurplus(tx, keepNewest, budget-int(old))
	return int(old + surplus), err
}
