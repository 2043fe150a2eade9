package breach

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"gatehouse/internal/breach/bundle"
)

// lookEvery is how often the server looks whether another bundle has been put
// in the place of its own.
const lookEvery = time.Minute

var errNoPath = errors.New("--breach-bundle is missing: without a SQLite database, beside which it would be, the bundle of breached passwords needs a path")

// offline asks a bundle, and the next one once it has been imported.
type offline struct {
	path   string
	now    func() time.Time
	logger *slog.Logger

	mu     sync.RWMutex // held for writing to change the fields below
	bundle *bundle.Bundle
	file   os.FileInfo // the file that was looked at last
	next   time.Time   // when to look again
	closed bool
}

// OpenBundle opens the bundle at a path, and says what to do when it cannot.
func OpenBundle(path string) (*bundle.Bundle, error) {
	if path == "" {
		return nil, errNoPath
	}
	b, err := bundle.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no bundle of breached passwords at %s: make one with `gatehouse breach import`, or choose another --breach-source", path)
	case err != nil:
		return nil, fmt.Errorf("the bundle of breached passwords: %w", err)
	}
	return b, nil
}

func openOffline(c Config) (*offline, error) {
	o := &offline{path: c.Bundle, now: c.Now, logger: c.Logger}
	var err error
	if o.bundle, err = OpenBundle(o.path); err != nil {
		return nil, err
	}
	o.next = o.now().Add(lookEvery)
	o.file, _ = os.Stat(o.path) // what cannot be looked at is another file the next time
	return o, nil
}

func (o *offline) breached(ctx context.Context, sum [sha1.Size]byte) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	o.mu.RLock()
	due := !o.now().Before(o.next)
	o.mu.RUnlock()
	if due {
		o.look()
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.closed {
		return false, errClosed
	}
	return o.bundle.Has(sum)
}

// look opens the bundle that has taken the place of the one in use. One that
// cannot be opened is said once, and the old one stays in use.
func (o *offline) look() {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	if o.closed || now.Before(o.next) {
		return
	}
	o.next = now.Add(lookEvery)
	file, err := os.Stat(o.path)
	if err != nil || o.file != nil && os.SameFile(file, o.file) && file.ModTime().Equal(o.file.ModTime()) {
		return
	}
	o.file = file
	b, err := OpenBundle(o.path)
	if err != nil {
		o.logger.Warn("the new bundle of breached passwords is not used", "error", err.Error())
		return
	}
	_ = o.bundle.Close() // it was open for reading only
	o.bundle = b
	o.logger.Info("a new bundle of breached passwords is in use", "hashes", b.Hashes())
}

// Close closes the bundle.
func (o *offline) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	o.closed = true
	return o.bundle.Close()
}
