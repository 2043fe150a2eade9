package delivery_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/mailbox"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// office is where the carriers of a test carry messages to. It remembers what
// it was brought, and fails as told.
type office struct {
	mu     sync.Mutex
	fails  map[string]error // by the name of the carrier
	asked  []delivery.Envelope
	by     []string // who carried each
	closed []string
	seen   []string // what Observe was told
}

// carrier is a sender with a name.
type carrier struct {
	office   *office
	name     string
	password string
}

func (c *carrier) Send(_ context.Context, m *delivery.Envelope) error {
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.asked, c.office.by = append(c.office.asked, *m), append(c.office.by, c.name)
	return c.office.fails[c.name]
}

func (c *carrier) Close() error {
	c.office.mu.Lock()
	defer c.office.mu.Unlock()
	c.office.closed = append(c.office.closed, c.name)
	return nil
}

func (o *office) fail(name string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fails[name] = err
}

// take returns who was asked since the last time, in order, and what for.
func (o *office) take() (by string, asked []delivery.Envelope) {
	o.mu.Lock()
	defer o.mu.Unlock()
	by, asked = strings.Join(o.by, " "), o.asked
	o.by, o.asked = nil, nil
	return by, asked
}

func (o *office) gone() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.Sort(o.closed)
	return strings.Join(o.closed, " ")
}

func (o *office) observe(c delivery.Channel, kind, outcome string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, string(c)+" "+kind+" "+outcome)
}

func (o *office) observed() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := strings.Join(o.seen, ", ")
	o.seen = nil
	return seen
}

var errNameless = apierr.New(400, "invalid_sender", "A carrier has a name.")

// kind is one whose settings are a name.
func (o *office) kind(channels ...delivery.Channel) delivery.Kind {
	read := func(s delivery.Settings) (*carrier, error) {
		c := &carrier{office: o, password: s.Password}
		if err := json.Unmarshal(s.Values, &c.name); err != nil || c.name == "" {
			return nil, errNameless
		}
		return c, nil
	}
	return delivery.Kind{
		Channels: channels,
		Check: func(s delivery.Settings) (string, error) {
			c, err := read(s)
			if err != nil {
				return "", err
			}
			return "carrier " + c.name, nil
		},
		Open: func(s delivery.Settings) (delivery.Sender, error) { return read(s) },
	}
}

// world is a service with a queue and a project.
type world struct {
	*delivery.Service
	t       *testing.T
	db      *store.DB
	clock   *storetest.Clock
	keys    *secret.Keyring
	office  *office
	mailbox *mailbox.Service
	queue   *outbox.Queue
	config  delivery.Config
	test    *project.Environment
	live    *project.Environment
}

// each runs a test in a world on every engine.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		w := &world{t: t, db: db, clock: clock, office: &office{fails: map[string]error{}}}
		var err error
		if w.keys, err = secret.ParseKeyring(secret.NewMasterKey()); err != nil {
			t.Fatal(err)
		}
		projects := project.New(db)
		w.must(projects.Load(t.Context()))
		w.test, w.live, err = projects.CreateProject(t.Context(), "Acme")
		w.must(err)
		w.mailbox = mailbox.New(db, w.keys)
		w.config = delivery.Config{
			DB: db, Keyring: w.keys, Projects: projects, Renderer: template.New(db, projects), Mailbox: w.mailbox, Observe: w.office.observe,
			Kinds: map[string]delivery.Kind{
				"carrier": w.office.kind(delivery.Email, delivery.SMS), "runner": w.office.kind(delivery.Email), "drummer": w.office.kind(delivery.WhatsApp),
			},
		}
		w.Service, w.queue = w.process()
		test(t, w)
		w.must(w.Close())
	})
}

// process is the part that every process on the database has.
func (w *world) process() (*delivery.Service, *outbox.Queue) {
	s := delivery.New(w.config)
	q := outbox.New(outbox.Config{DB: w.db})
	s.Handle(q)
	return s, q
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// refused checks that an error is an answer of a type, whose words contain some.
func (w *world) refused(err error, errorType, words string) {
	w.t.Helper()
	if e := apierr.From(err); e == nil || e.Type != errorType || !strings.Contains(e.Message, words) {
		w.t.Errorf("got %v, want %s with the words %q", err, errorType, words)
	}
}

// add adds a carrier of e-mail; before the others if first.
func (w *world) add(env *project.Environment, name string, first bool) *delivery.SenderInfo {
	w.t.Helper()
	info, err := w.AddSender(w.t.Context(), env, carrierOf(delivery.Email, name, first))
	w.must(err)
	return info
}

func carrierOf(c delivery.Channel, name string, first bool) delivery.NewSender {
	values, _ := json.Marshal(name) // a string
	return delivery.NewSender{Channel: c, Kind: "carrier", Settings: delivery.Settings{Values: values, Password: password}, First: first}
}

const (
	ada      = "ada.lovelace@example.com"
	link     = "https://auth.example.com/v1/magic_links/redirect?token=0123456789abcdef"
	code     = "481516"
	password = "correct-horse"
)

func mail() delivery.Message {
	return delivery.Message{Channel: delivery.Email, Type: delivery.Login, To: ada, Link: link, Name: "Ada"}
}

func text() delivery.Message {
	return delivery.Message{Channel: delivery.SMS, Type: delivery.Passcode, To: "+15005550006", Code: code}
}

func (w *world) enqueue(env *project.Environment, m delivery.Message) error {
	return w.db.Update(w.t.Context(), func(tx *store.Tx) error { return w.Enqueue(tx, env, m) })
}

// send enqueues a message and lets the queue work; it returns whom that asked.
func (w *world) send(env *project.Environment, m delivery.Message) string {
	w.t.Helper()
	w.must(w.enqueue(env, m))
	return w.drain()
}

// drain does what is due and returns whom that asked.
func (w *world) drain() string {
	w.t.Helper()
	w.must(w.queue.Drain(w.t.Context()))
	by, _ := w.office.take()
	return by
}

func (w *world) stats() outbox.Stats {
	w.t.Helper()
	s, err := w.queue.Stats(w.t.Context())
	w.must(err)
	return s
}

// kept is how many messages a mailbox holds.
func (w *world) kept(env *project.Environment) int {
	w.t.Helper()
	list, err := w.mailbox.List(w.t.Context(), env.ID, mailbox.Filter{})
	w.must(err)
	return len(list)
}
