package store

import (
	"sync/atomic"
	"time"

	"gatehouse/internal/store/lite"
)

// The write-ahead log is moved into the database file (a checkpoint) by a
// schedule, because SQLite would make the writer do it, all at once, whenever
// the log reaches a size:
//
//   - When the log has grown to logSoft pages, a goroutine with a connection of
//     its own copies it while the writer goes on appending.
//   - Then the writer, after its next commit, copies the few pages appended
//     meanwhile. Now all of the log is moved, and the next commit starts it
//     from the beginning again, instead of making the file longer. Where many
//     were appended, as during an import, the goroutine copies once more: a
//     commit that waits for that is as slow as two.
//   - A reader of an old snapshot, such as a backup, prevents that. When the
//     log has grown to logHard pages the writer waits for such readers, but not
//     for long.
//   - A database that nobody writes to has an empty or moved log.
//   - During a load of many rows, for which nobody waits, the log becomes much
//     longer and the writer itself moves it: rows that are scattered over indexes
//     change the same pages again and again, and a page is moved once for all
//     that was done to it.
const (
	pageBytes = 4096
	logSoft   = 1000   // 4 MB
	logLimit  = 4000   // 16 MB: a longer file is cut when the log starts again
	logHard   = 16_000 // 64 MB
	logLoad   = 32_000 // 128 MB, and a transaction more
	// logWait bounds how long the writer waits for old readers.
	logWaitMillis = 100
	logIdle       = 5 * time.Second
)

// checkpointer keeps the log of a SQLite file short.
type checkpointer struct {
	db     *sqliteDB
	wake   chan struct{}
	stop   chan struct{}
	ended  chan struct{}
	busy   atomic.Bool // the goroutine has been asked and has not finished
	finish atomic.Bool // it has, and the writer is to copy the rest
	writes atomic.Int64
	load   bool // many rows are expected; this and hard are the writer's own
	hard   int  // pages at which the writer waits for readers
}

func newCheckpointer(db *sqliteDB) *checkpointer {
	l := &checkpointer{
		db:    db,
		wake:  make(chan struct{}, 1),
		stop:  make(chan struct{}),
		ended: make(chan struct{}),
		hard:  logHard,
	}
	go l.loop()
	return l
}

// committed is called by the writer after each commit, with its connection.
func (l *checkpointer) committed(c *liteConn) {
	l.writes.Add(1)
	finish := l.finish.CompareAndSwap(true, false)
	pages, moved, err := c.Checkpoint(lite.Look)
	switch {
	case err == nil && l.load:
		if pages >= logLoad {
			l.copy(c, lite.Passive)
		}
	case err == nil && finish && pages-moved < logSoft:
		l.copy(c, lite.Passive)
	case err != nil || pages < logSoft:
		l.hard = logHard
	case pages >= l.hard:
		l.truncate(c)
		// If readers were in the way, wait for them again only when the log
		// has doubled.
		l.hard *= 2
	case l.busy.CompareAndSwap(false, true):
		l.wake <- struct{}{}
	}
}

func (l *checkpointer) truncate(c *liteConn) {
	c.BusyTimeout(logWaitMillis)
	defer c.BusyTimeout(busyMillis)
	l.copy(c, lite.Truncate)
}

// copy runs a checkpoint on c. Without the disk nothing else can be trusted;
// without room, or with readers in the way, the log only stays longer.
func (l *checkpointer) copy(c *liteConn, mode lite.Mode) (pages, moved int) {
	pages, moved, err := c.Checkpoint(mode)
	switch {
	case err == nil || lite.IsBusy(err):
	case lite.IsIO(err):
		l.db.fail(err)
	default:
		l.db.o.Logger.Warn("the database's log could not be moved into its file", "error", err)
	}
	return pages, moved
}

func (l *checkpointer) loop() {
	defer close(l.ended)
	idle := time.NewTicker(logIdle)
	defer idle.Stop()
	var conn *liteConn
	defer func() {
		if conn != nil {
			if l.db.brokenErr() != nil {
				conn.KeepLogOnClose()
			}
			conn.close()
		}
	}()
	seen, clean := int64(0), true
	for {
		asked := false
		select {
		case <-l.stop:
			return
		case <-l.wake:
			asked = true
		case <-idle.C:
			now := l.writes.Load()
			quiet := now == seen
			clean, seen = clean && quiet, now
			if clean || !quiet {
				continue
			}
		}
		if l.db.brokenErr() != nil {
			continue
		}
		if conn == nil {
			var err error
			if conn, err = openLite(l.db.path, writes); err != nil {
				l.db.o.Logger.Warn("the database's log could not be moved into its file", "error", err)
				l.busy.Store(false)
				continue
			}
		}
		pages, moved := l.copy(conn, lite.Passive)
		if asked {
			l.finish.Store(true)
			l.busy.Store(false)
			continue
		}
		clean = pages == moved
	}
}

func (l *checkpointer) close() {
	close(l.stop)
	<-l.ended
}
