package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// group is a SQLite database whose writer is held, so that updates gather
// behind it and share its commit.
type group struct {
	t       *testing.T
	db      *store.DB
	commits atomic.Int64
	letGo   chan struct{}
	held    sync.WaitGroup
	callers sync.WaitGroup
}

// hold opens a database with the table notes and keeps its writer inside a
// function.
func hold(t *testing.T, statements ...string) *group {
	g := &group{t: t}
	db, err := store.Open(ctx, store.Options{
		URL: storetest.URL(t, store.SQLite), Now: storetest.NewClock().Now,
		Observe: func(op string, _ time.Duration) {
			if op == "commit" {
				g.commits.Add(1)
			}
		},
	})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	g.db = db
	notes(t, db)
	if len(statements) > 0 {
		run(t, db, statements...)
	}
	g.commits.Store(0)
	g.block()
	return g
}

func (g *group) block() {
	g.letGo = make(chan struct{})
	inside := make(chan struct{})
	var once sync.Once
	g.held.Go(func() {
		if err := g.db.Update(ctx, func(tx *store.Tx) error {
			once.Do(func() { close(inside) })
			<-g.letGo
			return nil
		}); err != nil {
			g.t.Error(err)
		}
	})
	<-inside
}

// join queues an update behind those that wait, and gives its answer to check.
func (g *group) join(ctx context.Context, check func(err error), fn func(tx *store.Tx) error) {
	before := store.Waiting(g.db)
	g.callers.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				check(fmt.Errorf("panicked: %v", v))
			}
		}()
		check(g.db.Update(ctx, fn))
	})
	for store.Waiting(g.db) == before {
		runtime.Gosched()
	}
}

func (g *group) release() {
	close(g.letGo)
	g.held.Wait()
	g.callers.Wait()
}

func (g *group) succeeds(err error) {
	if err != nil {
		g.t.Errorf("a neighbour got %v", err)
	}
}

func adds(id int, times *int) func(tx *store.Tx) error {
	return func(tx *store.Tx) error {
		*times++
		_, err := tx.Exec(`INSERT INTO notes (id) VALUES ($1)`, id)
		return err
	}
}

func TestWaitingUpdatesShareOneCommit(t *testing.T) {
	g := hold(t)
	var times [50]int
	for i := range times {
		g.join(ctx, g.succeeds, adds(i, &times[i]))
	}
	g.release()
	if n := g.commits.Load(); n != 1 {
		t.Errorf("%d commits", n)
	}
	if got := ids(t, g.db); len(got) != len(times) {
		t.Errorf("%d rows", len(got))
	}
	for i, n := range times {
		if n != 1 {
			t.Errorf("update %d ran %d times", i, n)
		}
	}
}

func TestNobodyIsAnsweredBeforeTheCommit(t *testing.T) {
	g := hold(t)
	var answered atomic.Int64
	var times int
	count := func(error) { answered.Add(1) }
	g.join(ctx, count, adds(1, &times))
	g.join(ctx, count, func(tx *store.Tx) error { return errWrong })
	g.join(ctx, count, func(tx *store.Tx) error { return store.Keep(errWrong) })
	g.join(ctx, count, func(tx *store.Tx) error {
		// Those before this one are done, but for the commit.
		if n := answered.Load(); n != 0 || g.commits.Load() != 0 {
			t.Errorf("%d were answered before the commit", n)
		}
		return nil
	})
	g.release()
	if answered.Load() != 4 || g.commits.Load() != 1 {
		t.Errorf("%d answers, %d commits", answered.Load(), g.commits.Load())
	}
}

func TestWhatFailsDoesNotHurtItsNeighbours(t *testing.T) {
	g := hold(t)
	var good [6]int
	wants := func(want string) func(error) {
		return func(err error) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, not %s", err, want)
			}
		}
	}
	gone, cancel := context.WithCancel(ctx)
	bad := []struct {
		ctx   context.Context
		check func(error)
		fn    func(tx *store.Tx) error
	}{
		{ctx, wants("wrong code"), func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO notes (id) VALUES (100)`)
			return errors.Join(err, errWrong)
		}},
		{ctx, wants("UNIQUE"), func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO notes (id) VALUES (101), (0)`)
			return err
		}},
		{ctx, wants("no such table"), func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO absent (id) VALUES (102)`)
			return err
		}},
		{ctx, wants("boom"), func(tx *store.Tx) error {
			if _, err := tx.Exec(`INSERT INTO notes (id) VALUES (103)`); err != nil {
				return err
			}
			panic("boom")
		}},
		{gone, wants("canceled"), func(tx *store.Tx) error {
			if _, err := tx.Exec(`INSERT INTO notes (id) VALUES (104)`); err != nil {
				return err
			}
			cancel()
			_, err := tx.Exec(`INSERT INTO notes (id) VALUES (105)`)
			return err
		}},
	}
	for i, b := range bad {
		g.join(ctx, g.succeeds, adds(i, &good[i]))
		g.join(b.ctx, b.check, b.fn)
	}
	g.join(ctx, g.succeeds, adds(5, &good[5]))
	g.release()
	if got := ids(t, g.db); !slices.Equal(got, []int64{0, 1, 2, 3, 4, 5}) {
		t.Errorf("got %v", got)
	}
	if g.commits.Load() != 1 || good != [6]int{1, 1, 1, 1, 1, 1} {
		t.Errorf("%d commits, runs %v", g.commits.Load(), good)
	}
}

func TestATransactionTakenDownRunsTheOthersAgain(t *testing.T) {
	g := hold(t)
	var times [3]int
	g.join(ctx, g.succeeds, adds(0, &times[0]))
	g.join(ctx, g.succeeds, adds(1, &times[1]))
	var err error
	culprit := 0
	g.join(ctx, func(e error) { err = e }, func(tx *store.Tx) error {
		culprit++
		// Ends the whole transaction, not the statement.
		_, err := tx.Exec(`INSERT OR ROLLBACK INTO notes (id) VALUES (0)`)
		return err
	})
	g.join(ctx, g.succeeds, adds(2, &times[2]))
	g.release()
	if !store.IsUnique(err) || culprit != 1 {
		t.Errorf("the culprit ran %d times and got %v", culprit, err)
	}
	if got := ids(t, g.db); !slices.Equal(got, []int64{0, 1, 2}) {
		t.Errorf("got %v", got)
	}
	if times != [3]int{2, 2, 1} {
		t.Errorf("runs %v", times)
	}
}

func TestAConstraintBrokenAtTheCommitHurtsOnlyItsOwner(t *testing.T) {
	g := hold(t, `CREATE TABLE child (id BIGINT PRIMARY KEY, note BIGINT REFERENCES notes (id) DEFERRABLE INITIALLY DEFERRED)`)
	var times [2]int
	g.join(ctx, g.succeeds, adds(1, &times[0]))
	var err error
	g.join(ctx, func(e error) { err = e }, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO child (id, note) VALUES (1, 99)`)
		return err
	})
	g.join(ctx, g.succeeds, adds(2, &times[1]))
	g.release()
	if err == nil || !strings.Contains(err.Error(), "FOREIGN KEY") {
		t.Errorf("got %v", err)
	}
	if got := ids(t, g.db); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("got %v", got)
	}
	var after int
	must(t, g.db.Update(ctx, adds(3, &after)))
}

func TestACallerWhoLeavesTheQueueIsNotRun(t *testing.T) {
	g := hold(t)
	var times [3]int
	gone, cancel := context.WithCancel(ctx)
	g.join(ctx, g.succeeds, adds(0, &times[0]))
	left := make(chan error, 1)
	g.join(gone, func(err error) { left <- err }, adds(1, &times[1]))
	g.join(ctx, g.succeeds, adds(2, &times[2]))
	cancel()
	// The answer comes while the writer is still held.
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	g.release()
	if got := ids(t, g.db); !slices.Equal(got, []int64{0, 2}) || times[1] != 0 {
		t.Errorf("got %v, runs %v", got, times)
	}
}

func TestAnExitInsideAGroupRunsTheOthersAgain(t *testing.T) {
	g := hold(t)
	var times [2]int
	g.join(ctx, g.succeeds, adds(0, &times[0]))
	before := store.Waiting(g.db)
	g.callers.Go(func() {
		g.db.Update(ctx, func(tx *store.Tx) error {
			exit()
			return nil
		})
		t.Error("the caller went on")
	})
	for store.Waiting(g.db) == before {
		runtime.Gosched()
	}
	g.join(ctx, g.succeeds, adds(1, &times[1]))
	g.release()
	if got := ids(t, g.db); !slices.Equal(got, []int64{0, 1}) {
		t.Errorf("got %v", got)
	}
}

func TestAPanicKeepsItsStackAndItsError(t *testing.T) {
	db, _ := storetest.Open(t, store.SQLite)
	defer func() {
		p, ok := recover().(*store.Panic)
		if !ok || !errors.Is(p, errWrong) || !strings.Contains(p.Error(), "blowUp") {
			t.Errorf("recovered %v", p)
		}
	}()
	db.Update(ctx, func(tx *store.Tx) error { return blowUp() })
}

func blowUp() error { panic(errWrong) }

func TestAFunctionCannotEndItsTransaction(t *testing.T) {
	db, _ := storetest.Open(t, store.SQLite)
	notes(t, db)
	for _, text := range []string{"COMMIT", " rollback ", "END;", "BEGIN", "SAVEPOINT x", "RELEASE u", "VACUUM", "ATTACH 'x' AS y"} {
		if err := db.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(text)
			return err
		}); err == nil || !strings.Contains(err.Error(), "belongs to Update") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The log must not grow with what is written, even while someone always reads.
func TestTheLogStaysShort(t *testing.T) {
	url := storetest.URL(t, store.SQLite)
	db, err := store.Open(ctx, store.Options{URL: url, Now: storetest.NewClock().Now})
	must(t, err)
	defer db.Close()
	notes(t, db)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					ids(t, db)
					runtime.Gosched()
				}
			}
		})
	}
	longest := int64(0)
	for i := range 600 { // 60 MB
		body := strings.Repeat(string(rune('a'+i%26)), 100_000)
		must(t, db.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO notes (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body`, i%10, body)
			return err
		}))
		longest = max(longest, size(t, strings.TrimPrefix(url, "sqlite:")+"-wal"))
	}
	close(stop)
	readers.Wait()
	if longest > 32<<20 {
		t.Errorf("the log grew to %d MB", longest>>20)
	}
}

// A reader that never ends keeps its snapshot, and the writer goes on.
func TestALongReaderDoesNotStopTheWriter(t *testing.T) {
	db, _ := storetest.Open(t, store.SQLite)
	notes(t, db)
	must(t, insert(db, 1000, nil))
	body := strings.Repeat("x", 200_000)
	must(t, db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`SELECT id FROM notes`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for i := range 400 { // 80 MB, beyond every limit of the log
			must(t, db.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(`INSERT INTO notes (id, body) VALUES ($1, $2)`, i, body)
				return err
			}))
		}
		n := 0
		for rows.Next() {
			n++
		}
		if n != 1 {
			t.Errorf("the reader saw %d rows", n)
		}
		return rows.Err()
	}))
}
