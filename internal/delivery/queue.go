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
	// ("mailbox" included), and "sent", "refused" or "failed"; of a sender that was
	// not asked: "held" after failures, "busy" with as many as it may have; and of a
	// message that is not to be sent any more: "none" and "expired". It may be nil.
	Observe func(channel Channel, kind, outcome string)
}

// Service takes messages and sends them.
type Service struct {
	c      Config
	opened openSenders
	known  project.Memo[route, []*SenderInfo]

	turnWait time.Duration
}

// New returns the service. Handle makes a queue do its jobs.
func New(c Config) *Service {
	if c.Observe == nil {
		c.Observe = func(Channel, string, string) {}
	}
	return &Service{c: c, opened: openSenders{byID: map[string]*openSender{}}, turnWait: turnWait}
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

// heldAtMost is how long a message waits for senders that are held back. After
// that it is given up like one that they were asked about.
const heldAtMost = 24 * time.Hour

// send tries the senders in their order, without those that are held back. A
// refused recipient ends it: another sender would be refused too, and would
// learn of an address it has no use for. So does a sender that is only busy: the
// next is there for when this one fails.
func (s *Service) send(ctx context.Context, env *project.Environment, e *Envelope) error {
	senders, err := s.sendersFor(ctx, env, e.Channel)
	if err != nil {
		return err
	}
	var failures error
	var soonest time.Duration
	asked := false
	for i, one := range senders {
		wait, tried, err := s.try(ctx, one, e)
		if err == nil {
			_ = s.learn(ctx, env, e, nil) // the next text that arrives says the same
			return nil
		}
		if outbox.IsPermanent(err) {
			return fmt.Errorf("%s: %w", one.kind, errors.Join(err, s.learn(ctx, env, e, err)))
		}
		if i == 0 || wait < soonest {
			soonest = wait
		}
		asked = asked || tried
		failures = errors.Join(failures, fmt.Errorf("%s: %w", one.kind, err))
		if errors.Is(err, errTurn) {
			break
		}
	}
	switch {
	case failures == nil:
		return noSender(e.Channel)
	case !asked && s.c.DB.Now().Sub(e.CreatedAt) < heldAtMost:
		return outbox.Postpone(soonest, failures)
	}
	// The next attempt asks all of them, so it is due when the first is ready.
	return outbox.After(soonest, failures)
}

// try hands a message to one sender, unless it is held back or has its hands
// full. It returns how long to wait before the next attempt.
func (s *Service) try(ctx context.Context, one *openSender, e *Envelope) (wait time.Duration, asked bool, err error) {
	leave, wait, err := one.guard.enter(ctx, s.c.DB.Now())
	if err != nil {
		outcome := "held"
		if errors.Is(err, errTurn) {
			outcome = "busy"
		}
		s.c.Observe(e.Channel, one.kind, outcome)
		return wait, false, err
	}
	err = errUnfinished // where it panics
	defer func() { leave(err, s.c.DB.Now()) }()
	err = one.Send(ctx, e)
	switch {
	case err == nil:
		s.c.Observe(e.Channel, one.kind, "sent")
	case outbox.IsPermanent(err):
		s.c.Observe(e.Channel, one.kind, "refused")
	default:
		s.c.Observe(e.Channel, one.kind, "failed")
	}
	return outbox.WaitOf(err), true, err
}

// Held counts the senders that this process holds back, because they failed
// several times in a row.
func (s *Service) Held() (n int) {
	s.opened.mu.Lock()
	defer s.opened.mu.Unlock()
	for _, one := range s.opened.byID {
		if one.guard.isHeld() {
			n++
		}
	}
	return n
}
