package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errSenderKind     = apierr.New(400, "invalid_sender_kind", "There is no such kind of sender.")
	errSenderNotFound = apierr.New(404, "sender_not_found", "There is no such sender in this environment.")
)

// Kind is one way of sending, such as SMTP.
type Kind struct {
	Channels []Channel
	// Check says what is wrong with the settings, a JSON object, or sums up what
	// may be shown of them: "smtp.example.com:587 from login@example.com".
	Check func(s Settings) (summary string, err error)
	// Open makes a sender of settings that Check let pass. When it is an
	// io.Closer it is closed once another has taken its place.
	Open func(s Settings) (Sender, error)
}

// Settings are how a sender is set up: what its kind asks for, and the
// password, token or secret that it needs. Both are kept sealed.
type Settings struct {
	Values   json.RawMessage `json:"values"`
	Password string          `json:"password"`
}

// SenderInfo describes a sender of an environment. Its settings are never shown.
type SenderInfo struct {
	ID        string    `json:"sender_id"`
	Channel   Channel   `json:"channel"`
	Kind      string    `json:"kind"`
	Position  int       `json:"position"` // senders of a channel are tried in ascending order
	Summary   string    `json:"summary"`
	CreatedAt time.Time `json:"created_at"`

	sealed []byte
}

// NewSender is a sender to be added.
type NewSender struct {
	Channel  Channel
	Kind     string
	Settings Settings
	First    bool // before the senders there are; otherwise after them
}

// AddSender adds a sender to an environment.
func (s *Service) AddSender(ctx context.Context, env *project.Environment, n NewSender) (*SenderInfo, error) {
	kind, ok := s.c.Kinds[n.Kind]
	if !ok || !slices.Contains(kind.Channels, n.Channel) {
		return nil, errSenderKind.WithMessage("There is no way to send %s messages called %q. There are: %s.", n.Channel, n.Kind, s.kindsFor(n.Channel))
	}
	summary, err := kind.Check(n.Settings)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(n.Settings)
	if err != nil {
		return nil, err
	}
	sealed, err := s.c.Keyring.Seal(senderPurpose, env.ID, text)
	if err != nil {
		return nil, err
	}
	info := &SenderInfo{Channel: n.Channel, Kind: n.Kind, Summary: summary, sealed: sealed}
	err = s.c.Projects.Configure(ctx, func(tx *store.Tx) error {
		first, last, err := positions(tx, env.ID, n.Channel)
		if err != nil {
			return err
		}
		info.ID, info.CreatedAt, info.Position = id.New(id.Sender, env.Kind, tx.Now), tx.Now, last+1
		if n.First {
			info.Position = first - 1
		}
		if err := insertSender(tx, env.ID, info); err != nil {
			return err
		}
		return senderEvent(tx, env, "sender.create", info)
	})
	return info, err
}

func senderEvent(tx *store.Tx, env *project.Environment, what string, i *SenderInfo) error {
	details := map[string]any{"channel": i.Channel, "kind": i.Kind}
	return event.Emit(tx, env.Kind, event.Event{EnvironmentID: env.ID, Type: what, ObjectID: i.ID, Details: details})
}

func (s *Service) kindsFor(c Channel) string {
	var names []string
	for name, kind := range s.c.Kinds {
		if slices.Contains(kind.Channels, c) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// Senders lists the senders of an environment, each channel's in the order in
// which they are tried.
func (s *Service) Senders(ctx context.Context, env *project.Environment) (list []*SenderInfo, err error) {
	err = s.c.DB.View(ctx, func(tx *store.Tx) error {
		list, err = senders(tx, env.ID, "")
		return err
	})
	return list, err
}

// RemoveSender takes a sender away. Its connections end here at once, and in
// other processes before they send a message after they have seen it.
func (s *Service) RemoveSender(ctx context.Context, env *project.Environment, senderID string) error {
	err := s.c.Projects.Configure(ctx, func(tx *store.Tx) error {
		list, err := senders(tx, env.ID, "")
		if err != nil {
			return err
		}
		at := slices.IndexFunc(list, func(i *SenderInfo) bool { return i.ID == senderID })
		if at < 0 {
			return errSenderNotFound
		}
		n, err := deleteSender(tx, env.ID, senderID)
		if err == nil && n == 0 {
			err = errSenderNotFound
		}
		if err != nil {
			return err
		}
		return senderEvent(tx, env, "sender.delete", list[at])
	})
	if err == nil {
		s.opened.drop(func(id string, _ *openSender) bool { return id == senderID })
	}
	return err
}

// Test sends a message through one sender right now, past the queue, and
// returns what the provider said.
func (s *Service) Test(ctx context.Context, env *project.Environment, senderID string, m Message) error {
	list, err := s.Senders(ctx, env)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(i *SenderInfo) bool { return i.ID == senderID })
	if at < 0 {
		return errSenderNotFound
	}
	one, err := s.opened.open(s, env.ID, list[at])
	if err != nil {
		return err
	}
	m.Channel, m.CreatedAt = list[at].Channel, s.c.DB.Now()
	e, err := s.c.Renderer.Render(ctx, env.ID, &m)
	if err != nil {
		return err
	}
	e.ID = id.New(id.Message, env.Kind, m.CreatedAt)
	return one.Send(ctx, e)
}

// sendersFor opens the senders of a channel. A test environment without one
// keeps its messages in the mailbox.
func (s *Service) sendersFor(ctx context.Context, env *project.Environment, c Channel) ([]*openSender, error) {
	infos, err := s.known.Get(s.c.Projects, route{env.ID, c}, func() (infos []*SenderInfo, err error) {
		err = s.c.DB.View(ctx, func(tx *store.Tx) error {
			infos, err = senders(tx, env.ID, c)
			return err
		})
		return infos, err
	})
	if err != nil {
		return nil, err
	}
	s.opened.drop(func(id string, o *openSender) bool {
		return o.envID == env.ID && o.channel == c && !slices.ContainsFunc(infos, func(i *SenderInfo) bool { return i.ID == id })
	})
	if len(infos) == 0 && !env.Live() {
		return []*openSender{{Sender: s.c.Mailbox, kind: "mailbox"}}, nil
	}
	var list []*openSender
	for _, info := range infos {
		one, err := s.opened.open(s, env.ID, info)
		if err != nil {
			one = &openSender{Sender: broken{err}, kind: info.Kind} // the next one may work
		}
		list = append(list, one)
	}
	return list, nil
}

// route is what senders are chosen by.
type route struct {
	envID   string
	channel Channel
}

// broken is a sender that could not be opened. It fails in its turn, so that
// whoever looks into the outbox is told.
type broken struct{ err error }

// Send implements Sender.
func (b broken) Send(context.Context, *Envelope) error { return b.err }

// openSender is a sender with its connections.
type openSender struct {
	Sender
	envID   string
	channel Channel
	kind    string
	sealed  []byte
	guard   *guard // nil for what cannot hang
}

// openSenders keeps one sender for each row, made anew when the row changes.
type openSenders struct {
	mu   sync.Mutex
	byID map[string]*openSender
}

func (o *openSenders) open(s *Service, envID string, info *SenderInfo) (*openSender, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	was := o.byID[info.ID]
	if was != nil && bytes.Equal(was.sealed, info.sealed) {
		return was, nil
	}
	text, err := s.c.Keyring.Open(senderPurpose, envID, info.sealed)
	if err != nil {
		return nil, err
	}
	var settings Settings
	if err := json.Unmarshal(text, &settings); err != nil {
		return nil, err
	}
	kind, ok := s.c.Kinds[info.Kind]
	if !ok {
		return nil, errSenderKind
	}
	made, err := kind.Open(settings)
	if err != nil {
		return nil, err
	}
	if was != nil {
		_ = was.close() // it is not used any more, and has nothing left to lose
	}
	o.byID[info.ID] = &openSender{Sender: made, envID: envID, channel: info.Channel, kind: info.Kind, sealed: info.sealed, guard: newGuard(s.turnWait)}
	return o.byID[info.ID], nil
}

// drop closes the senders that are gone. A message that one of them has in hand
// goes through or fails, and is then tried by those that remain.
func (o *openSenders) drop(gone func(id string, o *openSender) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, one := range o.byID {
		if gone(id, one) {
			_ = one.close() // it is not used any more, and has nothing left to lose
			delete(o.byID, id)
		}
	}
}

func (o *openSender) close() error {
	if c, ok := o.Sender.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Close ends the connections of all senders.
func (s *Service) Close() error {
	s.opened.mu.Lock()
	defer s.opened.mu.Unlock()
	var err error
	for id, one := range s.opened.byID {
		err = errors.Join(err, one.close())
		delete(s.opened.byID, id)
	}
	return err
}
