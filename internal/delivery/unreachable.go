package delivery

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errUnsubscribed = apierr.New(400, "unsubscribed_phone_number", "This phone number wants no more messages. Text START to the number that the messages came from, or sign in another way.")
	errCarrier      = apierr.New(400, "downstream_carrier_error", "The carrier of this phone number does not take our messages. Use another number, or sign in another way.")
	errReachable    = apierr.New(404, "phone_number_not_found", "No message to this phone number has been refused lately.")
)

// Reason is why a number gets no texts.
type Reason string

// The reasons.
const (
	Unsubscribed Reason = "unsubscribed" // whoever has the number said STOP
	Carrier      Reason = "carrier"      // it is a landline, does not exist, is not on the channel
)

// carrierFor is how long a carrier's word is taken for the next one: phones are
// switched on again, numbers are moved. STOP holds until it is taken back.
const carrierFor = time.Hour

type unreachable struct {
	error
	reason Reason
}

func (u unreachable) Unwrap() error { return u.error }

// Unreachable marks the error of a sender whose provider refuses the recipient
// for a reason that holds for the next message too. It is permanent.
func Unreachable(reason Reason, err error) error {
	if err == nil {
		return nil
	}
	return outbox.Permanent(unreachable{err, reason})
}

// ReasonOf is the reason that an error was marked with; "" for any other.
func ReasonOf(err error) Reason {
	var u unreachable
	if errors.As(err, &u) {
		return u.reason
	}
	return ""
}

// Reachable refuses a text to a number whose owner or carrier has refused one
// before: unsubscribed_phone_number or downstream_carrier_error. Call it before
// any user is looked up, as Budget.
func Reachable(tx *store.Tx, env *project.Environment, c Channel, number string) error {
	if c == Email {
		return nil
	}
	n, err := unreachableRow(tx, env.ID, c, number)
	switch {
	case err != nil || n == nil:
		return err
	case n.EndsAt != nil && !tx.Now.Before(*n.EndsAt):
		return nil
	case n.Reason == Unsubscribed:
		return errUnsubscribed
	}
	return errCarrier.WithMessage("The carrier of this phone number does not take our messages. Use another number, sign in another way, or try again after %s UTC.",
		n.EndsAt.UTC().Format("15:04"))
}

// UnreachableNumber is a number that gets no texts.
type UnreachableNumber struct {
	Number  string     `json:"phone_number"` // E.164
	Channel Channel    `json:"channel"`
	Reason  Reason     `json:"reason"`
	Since   time.Time  `json:"since"`             // of the first refusal in a row
	EndsAt  *time.Time `json:"ends_at,omitempty"` // when it is tried again; nil: when somebody says so
}

// learn notes what a provider said of a recipient.
func (s *Service) learn(ctx context.Context, env *project.Environment, e *Envelope, said error) error {
	reason := ReasonOf(said)
	if e.Channel == Email || said != nil && reason == "" {
		return nil
	}
	if said == nil {
		var known *UnreachableNumber
		err := s.c.DB.View(ctx, func(tx *store.Tx) (err error) {
			known, err = unreachableRow(tx, env.ID, e.Channel, e.To)
			return err
		})
		if err != nil || known == nil {
			return err
		}
	}
	return s.c.DB.Update(ctx, func(tx *store.Tx) error {
		if said == nil {
			_, err := deleteUnreachable(tx, env.ID, e.Channel, e.To)
			return err
		}
		n := UnreachableNumber{Number: e.To, Channel: e.Channel, Reason: reason, Since: tx.Now}
		if reason != Unsubscribed {
			end := tx.Now.Add(carrierFor)
			n.EndsAt = &end
		}
		return upsertUnreachable(tx, env.ID, &n)
	})
}

// UnreachableNumbers lists the numbers that get no texts, those refused last
// first, at most limit of them.
func (s *Service) UnreachableNumbers(ctx context.Context, env *project.Environment, limit int) (list []UnreachableNumber, err error) {
	err = s.c.DB.View(ctx, func(tx *store.Tx) error {
		list, err = unreachableNumbers(tx, env.ID, limit)
		return err
	})
	return list, err
}

// Forget lets texts go to a number again, by every channel.
func (s *Service) Forget(ctx context.Context, env *project.Environment, number string) error {
	return s.c.DB.Update(ctx, func(tx *store.Tx) error {
		n, err := deleteUnreachable(tx, env.ID, "", number)
		if err == nil && n == 0 {
			err = errReachable
		}
		if err != nil {
			return err
		}
		return event.Emit(tx, env.Kind, event.Event{EnvironmentID: env.ID, Type: "phone_number.forget"})
	})
}

// Purge removes up to budget numbers whose time is over.
func Purge(tx *store.Tx, budget int) (int64, error) { return purgeUnreachable(tx, budget) }
