package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// Job is the kind of the outbox jobs that hold messages.
const Job = "message"

const (
	messagePurpose = "message"
	senderPurpose  = "sender"
)

var errNoSender = apierr.New(400, "sender_not_configured", "This environment has no sender for this kind of message yet. Add one with `gatehouse sender add`.")

// Config is what a Service needs.
type Config struct {
	DB       *store.DB
	Keyring  *secret.Keyring
	Projects *project.Service
	Renderer Renderer
	// Mailbox takes the messages of test environments that have no sender.
	Mailbox Sender
	// Kinds are the ways of sending there are, by name.
	Kinds map[string]Kind
	// Observe is told about every attempt: the channel, the kind of sender
	// ("mailbox" included), and "sent", "refused" or "failed"; and of a message
	// that nobody was asked to send any more: "none" and "expired". It may be nil.
	Observe func(channel Channel, kind, outcome string)
}

// Service takes messages and sends them.
type Service struct {
	c      Config
	opened openSenders
}

// New returns the service. Handle makes a queue do its jobs.
func New(c Config) *Service {
	if c.Observe == nil {
		c.Observe = func(Channel, string, string) {}
	}
	return &Service{c: c, opened: openSenders{byID: map[string]*openSender{}}}
}

// queued is a message in the outbox. Its text is sealed: it holds a link or a
// code that signs somebody in.
type queued struct {
	ID     string `json:"message_id"`
	Env    string `json:"project_id"`
	Sealed []byte `json:"sealed"`
}

// Enqueue has a message sent once the transaction commits. It returns
// sender_not_configured where nothing could ever send it.
func (s *Service) Enqueue(tx *store.Tx, env *project.Environment, m Message) error {
	if env.Live() {
		if ok, err := hasSender(tx, env.ID, m.Channel); err != nil {
			return err
		} else if !ok {
			return noSender(m.Channel)
		}
	}
	m.CreatedAt = tx.Now
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	sealed, err := s.c.Keyring.Seal(messagePurpose, env.ID, text)
	if err != nil {
		return err
	}
	return outbox.Enqueue(tx, Job, queued{ID: id.New(id.Message, env.Kind, tx.Now), Env: env.ID, Sealed: sealed}, outbox.For(env.ID))
}

func noSender(c Channel) error {
	return errNoSender.WithMessage("This environment has no sender for %s messages yet. Add one with `gatehouse sender add`.", c)
}

// patience is how long one attempt may take, with every sender of the message:
// each has a limit of its own, and the last must have its turn too.
const patience = 5 * time.Minute

// Handle makes the queue send messages. An attempt that outlives its process
// is made again, so a message can arrive twice and is never lost.
func (s *Service) Handle(q *outbox.Queue) { q.Handle(Job, s.deliver, outbox.Timeout(patience)) }

func (s *Service) deliver(ctx context.Context, payload json.RawMessage) error {
	var job queued
	if err := json.Unmarshal(payload, &job); err != nil {
		return outbox.Permanent(err)
	}
	text, err := s.c.Keyring.Open(messagePurpose, job.Env, job.Sealed)
	if err != nil {
		return err // the key may come back
	}
	var m Message
	if err := json.Unmarshal(text, &m); err != nil {
		return outbox.Permanent(err)
	}
	if !m.ExpiresAt.IsZero() && !s.c.DB.Now().Before(m.ExpiresAt) {
		s.c.Observe(m.Channel, "none", "expired")
		return nil
	}
	env, err := s.c.Projects.Environment(ctx, job.Env)
	if err != nil {
		return err
	}
	if env == nil {
		return outbox.Permanent(errors.New("the environment is gone"))
	}
	e, err := s.c.Renderer.Render(ctx, job.Env, &m)
	if err != nil {
		return fmt.Errorf("wording the message: %w", err)
	}
	e.ID = job.ID
	return s.send(ctx, env, e)
}

// send tries the senders in their order. A refused recipient ends it: another
// sender would be refused too, and would learn of an address it has no use for.
func (s *Service) send(ctx context.Context, env *project.Environment, e *Envelope) error {
	senders, err := s.sendersFor(ctx, env, e.Channel)
	if err != nil {
		return err
	}
	var failures error
	var soonest time.Duration
	for i, one := range senders {
		err := one.Send(ctx, e)
		switch {
		case err == nil:
			s.c.Observe(e.Channel, one.kind, "sent")
			return nil
		case outbox.IsPermanent(err):
			s.c.Observe(e.Channel, one.kind, "refused")
			return fmt.Errorf("%s: %w", one.kind, err)
		}
		s.c.Observe(e.Channel, one.kind, "failed")
		wait := outbox.WaitOf(err)
		if i == 0 || wait < soonest {
			soonest = wait
		}
		failures = errors.Join(failures, fmt.Errorf("%s: %w", one.kind, err))
	}
	if failures == nil {
		return noSender(e.Channel)
	}
	// The next attempt asks all of them, so it is due when the first is ready.
	return outbox.After(soonest, failures)
}
