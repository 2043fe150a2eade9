package breach

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/outbound"
)

const (
	prefixDigits = 5         // what leaves the process
	maxAnswer    = 512 << 10 // bytes; a padded range has about 40,000
	maxCalls     = 32        // at the same time; others wait within their time
	maxFailures  = 3         // in a row, before the service is left alone
	pause        = 15 * time.Second
)

var (
	errPaused = errors.New("the service has failed several times in a row, so it is not asked for some seconds")
	errClosed = errors.New("the server is stopping")
	errSlow   = errors.New("the service did not answer in time")
)

// service asks a range API. Answers are kept for some hours, a range that
// several ask for is asked for once, and a service that fails is left alone
// for a while, so that it does not slow every sign-up by the time-out.
type service struct {
	url     *url.URL
	client  *outbound.Client
	timeout time.Duration
	now     func() time.Time
	logger  *slog.Logger
	slots   chan struct{}
	under   context.Context // of all calls; a call outlives the request that caused it
	stop    context.CancelFunc
	calls   sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	ranges   *cache
	flights  map[string]*flight
	failures int       // in a row
	until    time.Time // after maxFailures: when the next call may be made
}

// flight is a call under way. The fields are set before done is closed.
type flight struct {
	done  chan struct{}
	tails []uint64
	err   error
}

// everywhere opens private networks: who runs the server may keep a mirror in
// one. What outbound never calls stays closed.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// policyOf is what may be called: the service at its public address, a mirror
// where the operator says, by http only when that is what was said.
func policyOf(c Config) outbound.Policy {
	policy := outbound.Policy{Timeout: c.Timeout, MaxBody: maxAnswer}
	if c.URL != defaultURL {
		policy.AllowPrivate, policy.AllowHTTP = everywhere, strings.HasPrefix(strings.ToLower(c.URL), "http:")
	}
	return policy
}

func newService(c Config, u *url.URL) *service {
	s := &service{
		url: u, client: outbound.New(policyOf(c)), timeout: c.Timeout, now: c.Now, logger: c.Logger,
		slots: make(chan struct{}, maxCalls), ranges: newCache(), flights: map[string]*flight{},
	}
	s.under, s.stop = context.WithCancel(context.Background())
	return s
}

// split gives what is asked for and what is looked for in the answer: the
// first five digits, and the sixteen after them. Those are 84 of the 160 bits:
// by chance one password in 10^16 would be taken for another.
func split(sum [sha1.Size]byte) (prefix string, tail uint64) {
	prefix = strings.ToUpper(hex.EncodeToString(sum[:3])[:prefixDigits])
	return prefix, binary.BigEndian.Uint64(sum[2:])<<4 | uint64(sum[10]>>4)
}

func (s *service) breached(ctx context.Context, sum [sha1.Size]byte) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	prefix, tail := split(sum)
	tails, f, err := s.begin(prefix)
	if f != nil {
		select {
		case <-f.done:
			tails, err = f.tails, f.err
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		return false, err
	}
	_, found := slices.BinarySearch(tails, tail)
	return found, nil
}

// begin returns a range that is known, or the call that will bring it.
func (s *service) begin(prefix string) ([]uint64, *flight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, errClosed
	}
	now := s.now()
	if tails, ok := s.ranges.get(prefix, now); ok {
		return tails, nil, nil
	}
	if f := s.flights[prefix]; f != nil {
		return nil, f, nil
	}
	switch {
	case s.failures >= maxFailures && now.Before(s.until):
		return nil, nil, errPaused
	case s.failures >= maxFailures:
		s.until = now.Add(pause) // this one call finds out whether it is back
	}
	f := &flight{done: make(chan struct{})}
	s.flights[prefix] = f
	s.calls.Add(1)
	go s.fly(prefix, f)
	return nil, f, nil
}

// fly makes a call and settles what follows from it.
func (s *service) fly(prefix string, f *flight) {
	defer s.calls.Done()
	f.tails, f.err = s.fetch(prefix)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.flights, prefix)
	close(f.done)
	switch {
	case s.closed:
	case f.err == nil:
		s.ranges.put(prefix, f.tails, s.now())
		if s.failures >= maxFailures {
			s.logger.Info("breached passwords are looked up again", "service", s.url.Host)
		}
		s.failures = 0
	default:
		if s.failures++; s.failures >= maxFailures {
			s.until = s.now().Add(pause)
		}
		if s.failures == maxFailures {
			s.logger.Warn("breached passwords cannot be looked up", "service", s.url.Host, "error", f.err.Error())
		}
	}
}

// fetch asks for a range.
func (s *service) fetch(prefix string) ([]uint64, error) {
	ctx, cancel := context.WithTimeout(s.under, s.timeout)
	defer cancel()
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, errSlow
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.JoinPath("range", prefix).String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Add-Padding", "true")
	resp, err := s.client.Do(ctx, r)
	switch {
	case ctx.Err() != nil:
		return nil, errSlow
	case err != nil:
		return nil, err
	case resp.Status != http.StatusOK:
		return nil, fmt.Errorf("%s answered %d", s.url.Host, resp.Status)
	}
	return parseRange(resp.Body)
}

// Close ends the calls under way.
func (s *service) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.calls.Wait()
	return s.client.Close()
}
