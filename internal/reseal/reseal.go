// Package reseal owns the walk over what is sealed for long: what an older
// master key has sealed it seals under the first one, so that the older key can
// go. Where such values are, their keepers say. It never knows what they hold,
// and never makes or deletes one.
package reseal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

const (
	// rowsPerPage bounds one transaction: whoever writes waits behind it.
	rowsPerPage = 250
	// rowsPerRun bounds what one run reads of a column. A million passwords are
	// through in ten runs.
	rowsPerRun = 100_000
)

// Column is where sealed values are kept: a column of a table whose primary key
// is the environment and Key. NULL is no value.
type Column struct {
	Table, Key, Name string
	Purpose          string // for which the keyring seals them
}

// String is the column as one writes it.
func (c Column) String() string { return c.Table + "." + c.Name }

// Service walks over columns.
type Service struct {
	db          *store.DB
	keys        *secret.Keyring
	logger      *slog.Logger
	page, limit int

	mu    sync.Mutex // one run at a time
	walks []*walk
}

// walk is how far one column is.
type walk struct {
	Column
	at   place
	told bool // the log knows that there are values which cannot be opened
}

// place is the primary key of the last row that was read.
type place struct{ environmentID, key string }

// row is a sealed value as it was read, and as it is to be written.
type row struct {
	place
	sealed, fresh []byte
}

// New returns a service for columns, whose names go into statements as they are.
func New(db *store.DB, keys *secret.Keyring, logger *slog.Logger, columns []Column) *Service {
	s := &Service{db: db, keys: keys, logger: logger, page: rowsPerPage, limit: rowsPerRun}
	for _, c := range columns {
		s.walks = append(s.walks, &walk{Column: c})
	}
	return s
}

// Columns are all that are walked over.
func (s *Service) Columns() (list []Column) {
	for _, w := range s.walks {
		list = append(list, w.Column)
	}
	return list
}

// Run goes on with every column where the run before has stopped, up to a limit,
// and returns how many values it has sealed anew. One that cannot be opened, or
// that has changed meanwhile, stays as it is. With a single master key there is
// nothing to do, and nothing is read.
func (s *Service) Run(ctx context.Context) (n int, err error) {
	if !s.keys.Several() {
		return 0, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed []error
	for _, w := range s.walks {
		written, err := s.run(ctx, w)
		n += written
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", w, err))
		}
	}
	return n, errors.Join(failed...)
}

func (s *Service) run(ctx context.Context, w *walk) (n int, err error) {
	unreadable := 0
	defer func() { s.tell(w, unreadable) }()
	for budget := s.limit; budget > 0; budget -= s.page {
		var rows []*row
		err := s.db.View(ctx, func(tx *store.Tx) (err error) {
			rows, err = rowsAfter(tx, w, s.page)
			return err
		})
		if err != nil {
			return n, err
		}
		older, lost := s.seal(w, rows)
		written, err := s.write(ctx, w, older)
		if err != nil {
			return n, err
		}
		n, unreadable = n+written, unreadable+lost
		if len(rows) < s.page {
			w.at = place{} // the next run begins again
			return n, nil
		}
		w.at = rows[len(rows)-1].place
	}
	return n, nil
}

// seal returns the rows that an older key has sealed, sealed anew, and how many
// no key of the ring opens.
func (s *Service) seal(w *walk, rows []*row) (older []*row, unreadable int) {
	for _, r := range rows {
		if r.sealed == nil || s.keys.SealedWithFirst(r.sealed) {
			continue
		}
		text, err := s.keys.Open(w.Purpose, r.environmentID, r.sealed)
		if err == nil {
			r.fresh, err = s.keys.Seal(w.Purpose, r.environmentID, text)
		}
		if err != nil {
			unreadable++
			continue
		}
		older = append(older, r)
	}
	return older, unreadable
}

func (s *Service) write(ctx context.Context, w *walk, rows []*row) (n int, err error) {
	if len(rows) == 0 {
		return 0, nil
	}
	err = s.db.UpdateMany(ctx, func(tx *store.Tx) error {
		n = 0
		for _, r := range rows {
			written, err := replace(tx, w, r)
			if err != nil {
				return err
			}
			n += int(written)
		}
		return nil
	})
	return n, err
}

// tell logs once for each column that it holds what cannot be opened: the run of
// the next hour finds the same.
func (s *Service) tell(w *walk, unreadable int) {
	if unreadable == 0 || w.told {
		return
	}
	w.told = true
	s.logger.Warn("sealed values cannot be opened with any of the master keys", "column", w.String(), "rows", unreadable)
}

// Count is how the values of a column are sealed.
type Count struct {
	Column
	First int // with the first master key
	Older int // with another one of the ring
	Lost  int // with none of the ring
}

// Count looks at all values of all columns, but opens none.
func (s *Service) Count(ctx context.Context) (counts []Count, err error) {
	for _, w := range s.walks {
		c := Count{Column: w.Column}
		err := s.db.View(ctx, func(tx *store.Tx) error {
			c.First, c.Older, c.Lost = 0, 0, 0
			return byKey(tx, w, func(head []byte, n int) {
				switch s.keys.Sealer(head) {
				case 0:
					c.First += n
				case -1:
					c.Lost += n
				default:
					c.Older += n
				}
			})
		})
		if err != nil {
			return nil, err
		}
		counts = append(counts, c)
	}
	return counts, nil
}
