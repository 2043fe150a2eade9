package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Options say what to import and how.
type Options struct {
	From   string // one of the products
	Format string // one of the formats

	// Firebase is what all hashes of a Firebase project share; nil without.
	Firebase *passhash.FirebaseScryptConfig

	Update       bool // add to users who exist what they lack
	NewIDs       bool // give users and factors new ids
	WithDisabled bool // import those whom the other system lets in no more
	DryRun       bool // check everything, write nothing
	Restart      bool // begin at the beginning, wherever the last import of the file stopped

	Batch    int                      // rows in a transaction; a default when 0
	Report   *Report                  // of the rows that were refused; nil without
	Progress func(Progress)           // called after each transaction, if set
	Pause    func(took time.Duration) // called between two transactions; nil where nobody else uses the database

	now time.Time
}

// defaultBatch is as many rows as change pages that SQLite keeps in memory during
// a load: with more, pages are written before the commit and again at it.
const defaultBatch = 1000

// maxBatchBytes bounds what one transaction keeps in memory.
const maxBatchBytes = 8 << 20

// Result is what an import has done.
type Result struct {
	Rows     int64            `json:"rows"`
	Created  int64            `json:"created"`
	Updated  int64            `json:"updated"`
	Existing int64            `json:"existing"` // were there already, and had all that the row says
	Refused  int64            `json:"refused"`
	Reasons  map[string]int64 `json:"reasons,omitempty"`  // how many rows were refused, by error_type
	LeftOut  map[string]int64 `json:"left_out,omitempty"` // how many rows had a field that cannot be brought along
	// Resumed is how many of the rows an earlier run had done.
	Resumed int64 `json:"resumed,omitempty"`
	// Stopped says that the context ended before the file did.
	Stopped bool `json:"stopped,omitempty"`
	// Resumable says that the next import of the file would go on from here.
	Resumable bool `json:"resumable,omitempty"`
}

// Progress is how far an import is.
type Progress struct {
	Result
	Read int64 // bytes of the file
}

// Import brings the users of a file into an environment. It ends early, and
// without an error, when ctx does: between two transactions. An error that is
// not about a single row ends it too; what was done until then stays done.
func (s *Service) Import(ctx context.Context, env *project.Environment, source Source, o Options) (Result, error) {
	o.now = s.DB.Now()
	if o.Batch <= 0 {
		o.Batch = defaultBatch
	}
	in, err := o.open(source)
	if err != nil {
		return Result{}, err
	}
	w := &writing{Service: s, env: env, o: &o, id: in.identity}
	if o.DryRun {
		w.id, w.seen = "", newSeen()
	}
	if err := w.begin(ctx); err != nil {
		return Result{}, err
	}
	if err := o.Report.continueAfter(w.done.Rows); err != nil {
		return Result{}, fmt.Errorf("the report: %w", err)
	}
	if o.Pause == nil && !o.DryRun {
		if err := s.DB.ExpectLoad(ctx); err != nil {
			return Result{}, err
		}
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	batches := o.read(reading, env, in, w.done.Rows)
	err = w.all(ctx, batches)
	stop()
	for range batches { // until the reader has seen that it is over
		continue
	}
	w.done.Resumable = w.id != ""
	return w.done, err
}

// batch is what one transaction writes.
type batch struct {
	drafts []*draft
	read   int64 // bytes of the file, up to its end
	err    error // that ended the file early
}

// read reads a file in a goroutine of its own and checks each row. The channel
// is closed at the end, or when ctx ends.
func (o *Options) read(ctx context.Context, env *project.Environment, in *input, skip int64) <-chan batch {
	out := make(chan batch, 2)
	go func() {
		defer close(out)
		b, size := batch{}, 0
		send := func() bool {
			b.read = in.counter.read
			select {
			case out <- b:
			case <-ctx.Done():
				return false
			}
			b, size = batch{}, 0
			return true
		}
		for number := int64(1); ; number++ {
			t, err := in.rows.next()
			var refused *fault
			switch {
			case errors.Is(err, io.EOF):
				send()
				return
			case err != nil && !errors.As(err, &refused):
				b.err = fmt.Errorf("reading row %d: %w", number, err)
				send()
				return
			case number <= skip:
				if ctx.Err() != nil {
					return
				}
				continue
			}
			b.drafts = append(b.drafts, o.draft(env, number, t, err))
			size += t.size()
			if (len(b.drafts) == o.Batch || size > maxBatchBytes) && !send() {
				return
			}
		}
	}()
	return out
}

// draft reads one row as far as that needs no database.
func (o *Options) draft(env *project.Environment, number int64, t text, err error) *draft {
	if err != nil {
		return &draft{number: number, err: err}
	}
	r, err := o.record(t)
	if err != nil {
		return &draft{number: number, err: err}
	}
	return o.draw(env, o.now, number, r)
}

// writing is an import under way.
type writing struct {
	*Service
	env  *project.Environment
	o    *Options
	id   string // of the file; "" when nothing is to be remembered
	done Result
	seen *seen // of a dry run
}

// begin finds where to go on.
func (w *writing) begin(ctx context.Context) error {
	if w.id == "" {
		return nil
	}
	return w.DB.Update(ctx, func(tx *store.Tx) error {
		r, found, err := progressOf(tx, w.env.ID, w.id)
		if err != nil {
			return err
		}
		if found && !w.o.Restart {
			w.done = r
			w.done.Resumed, w.done.Stopped = r.Rows, false
			return nil
		}
		w.done = Result{}
		return begin(tx, w.env.ID, w.id)
	})
}

func (w *writing) all(ctx context.Context, batches <-chan batch) error {
	for {
		if ctx.Err() != nil {
			w.done.Stopped = true
			return nil
		}
		select {
		case <-ctx.Done():
			continue
		case b, more := <-batches:
			if !more {
				return w.finish(ctx)
			}
			began := w.DB.Now()
			if err := w.batch(ctx, b.drafts); err != nil {
				return err
			}
			if w.o.Progress != nil {
				w.o.Progress(Progress{w.done, b.read})
			}
			if b.err != nil {
				return b.err
			}
			if w.o.Pause != nil && len(b.drafts) > 0 {
				w.o.Pause(w.DB.Now().Sub(began))
			}
		}
	}
}

// batch writes rows in one transaction. When one of them spoils it, each half gets
// a transaction of its own, and so on, so that no row pays for its neighbour. It
// stops between two transactions once ctx ends.
func (w *writing) batch(ctx context.Context, drafts []*draft) error {
	if len(drafts) == 0 || ctx.Err() != nil {
		return nil
	}
	err := w.commit(ctx, drafts)
	if _, about := ofRow(err); !about {
		return err
	}
	if half := len(drafts) / 2; half > 0 {
		if err := w.batch(ctx, drafts[:half]); err != nil {
			return err
		}
		return w.batch(ctx, drafts[half:])
	}
	if store.IsUnique(err) {
		err = w.commit(ctx, drafts) // somebody else was faster: now the user is there
	}
	if refused, about := ofRow(err); about {
		drafts[0].err = &fault{refused.Type, refused.Reason}
		err = w.commit(ctx, drafts)
	}
	return err
}

// commit runs one transaction. It is not interrupted: a second of work that is
// nearly done is not thrown away.
func (w *writing) commit(ctx context.Context, drafts []*draft) error {
	run := w.DB.UpdateMany
	if w.o.DryRun {
		run = w.DB.View
	}
	var after tally
	err := run(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		after = tally{Result: w.done}
		after.Reasons, after.LeftOut = maps.Clone(w.done.Reasons), maps.Clone(w.done.LeftOut)
		for _, d := range drafts {
			if err := w.row(tx, d, &after); err != nil {
				return err
			}
		}
		after.Rows = drafts[len(drafts)-1].number
		if err := w.o.Report.write(after.refused); err != nil {
			return fmt.Errorf("the report: %w", err)
		}
		if w.id == "" {
			return nil
		}
		return advance(tx, w.env.ID, w.id, w.done.Rows, &after.Result, false)
	})
	if err != nil {
		return err
	}
	w.done = after.Result
	return w.o.Report.committed()
}

// finish remembers that the file was read to its end.
func (w *writing) finish(ctx context.Context) error {
	if w.id == "" {
		return nil
	}
	return w.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		return advance(tx, w.env.ID, w.id, w.done.Rows, &w.done, true)
	})
}

// tally is a Result that a transaction is working on.
type tally struct {
	Result
	refused []Refusal
}

func (t *tally) refuse(d *draft, r Refusal) {
	r.Row, r.Identifier = d.number, d.identifier
	t.refused = append(t.refused, r)
	t.Refused++
	if t.Reasons == nil {
		t.Reasons = map[string]int64{}
	}
	t.Reasons[r.Type]++
}

// row writes one row. An error ends the transaction: of a row that is refused
// before it has written anything, the tally has the reason instead.
func (w *writing) row(tx *store.Tx, d *draft, t *tally) error {
	outcome, err := w.place(tx, d)
	if err != nil {
		refused, about := ofRow(err)
		if !about || spoils(err) {
			return err
		}
		t.refuse(d, refused)
		return nil
	}
	switch outcome {
	case created:
		t.Created++
	case updated:
		t.Updated++
	default:
		t.Existing++
		return nil
	}
	if len(d.leftOut) > 0 && t.LeftOut == nil {
		t.LeftOut = map[string]int64{}
	}
	for _, field := range d.leftOut {
		t.LeftOut[field]++
	}
	return nil
}

// What became of a row.
type outcome int

const (
	existing outcome = iota
	created
	updated
)

// place finds the row's user, or makes one.
func (w *writing) place(tx *store.Tx, d *draft) (outcome, error) {
	if d.err != nil {
		return existing, d.err
	}
	f, err := match(tx, w.env, d)
	switch {
	case err != nil:
		return existing, err
	case f == nil && !d.reachable():
		return existing, errNoIdentifier
	case f == nil && w.seen != nil:
		return w.seen.add(d), nil
	case f == nil:
		return created, w.create(tx, d)
	case w.o.Update:
		return w.update(tx, d, f)
	}
	return existing, nil
}

// create writes a new user with everything the row has. What fails in here
// leaves a part of the row behind, and so spoils the transaction.
func (w *writing) create(tx *store.Tx, d *draft) error {
	row, err := w.Users.Create(tx, w.env, user.NewUser{
		ID: d.user.UserID, CreatedAt: time.Time(d.user.CreatedAt), Status: d.user.Status,
		Fill: func(u *user.User) error {
			userID, at := u.UserID, u.CreatedAt
			*u = d.user
			u.UserID, u.CreatedAt = userID, at
			return nil
		},
	})
	if err != nil {
		return err
	}
	if d.encoded != "" {
		if err := w.Passwords.Keep(tx, w.env, row.UserID, d.encoded); err != nil {
			return err
		}
	}
	for _, k := range d.keys {
		if err := w.Keepers[k.kind].RestoreKey(tx, w.env, row.UserID, k.factorID, k.value); err != nil {
			return half{err}
		}
	}
	return nil
}

// half marks an error after which a part of the row is written.
type half struct{ error }

func (h half) Unwrap() error { return h.error }

// update adds to a user what the row has and the user lacks.
func (w *writing) update(tx *store.Tx, d *draft, f *found) (outcome, error) {
	add := d.merge(f)
	had := false
	note := func(u *user.User) error {
		had = u.Password != nil
		return add(u)
	}
	var err error
	if w.o.DryRun {
		var u *user.User
		if u, err = f.row.User(); err == nil {
			err = note(u)
		}
	} else {
		err = w.Users.Apply(tx, w.env, f.row, note)
	}
	if errors.Is(err, errNothingNew) {
		return existing, nil
	}
	if err != nil || w.o.DryRun || had || d.encoded == "" {
		return updated, err
	}
	return updated, w.Passwords.Keep(tx, w.env, f.row.UserID, d.encoded)
}
