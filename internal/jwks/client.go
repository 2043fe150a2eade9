package jwks

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/outbound"
)

const (
	maxURLs = 1000 // whose keys are remembered; the one not used for longest makes room

	defaultAge = 10 * time.Minute // of a set whose server says nothing
	minAge     = time.Minute
	maxAge     = time.Hour      // a key that was withdrawn is accepted this long at most,
	staleAge   = 24 * time.Hour // or this long while its server does not answer
	// lookAgain is how often a token with an unknown key may have the set
	// fetched, and a failed fetch be tried again: strangers make such tokens.
	lookAgain = 10 * time.Second
)

// Client verifies tokens of issuers that publish their keys at an address. It
// may be shared.
type Client struct {
	out  *outbound.Client
	now  func() time.Time
	mu   sync.Mutex
	sets map[string]*entry
}

// entry is what is known of one address.
type entry struct {
	set     *Set
	fetched time.Time // when the set came
	fresh   time.Time // until when it is used without a look
	tried   time.Time // when the last fetch began
	failed  bool      // how it ended
	used    time.Time
	flight  *flight
}

// flight is a fetch that is under way, and everyone who waits for it.
type flight struct {
	done chan struct{}
	set  *Set
	err  error
}

// New returns a Client that fetches through out. The clock says when keys are
// old, and at which instant tokens are judged.
func New(out *outbound.Client, now func() time.Time) *Client {
	return &Client{out: out, now: now, sets: map[string]*entry{}}
}

// Verify returns the claims of a token that a key of the set at a URL has
// signed and that says what is expected. A token that is wrong by itself costs
// no call to anybody. The URL comes from a configuration, never from a token.
func (c *Client) Verify(ctx context.Context, url, compact string, e Expect) (Claims, error) {
	t, err := take(compact, e)
	if err != nil {
		return nil, err
	}
	if err := e.check(t.claims, c.now()); err != nil {
		return nil, err
	}
	set, err := c.keys(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	claims, err := set.verify(t)
	if err == nil {
		return claims, nil
	}
	newer, fetchErr := c.keys(ctx, url, set)
	if fetchErr != nil || newer == set {
		return nil, err
	}
	return newer.verify(t)
}

// keys returns the set at a URL; one that is newer than another, if it may be
// looked for already.
func (c *Client) keys(ctx context.Context, url string, other *Set) (*Set, error) {
	f, set, err := c.join(ctx, url, other)
	if f == nil {
		return set, err
	}
	select {
	case <-f.done:
		return f.set, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// join answers from memory, or with the fetch to wait for.
func (c *Client) join(ctx context.Context, url string, other *Set) (*flight, *Set, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	e := c.entry(url, now)
	recent := now.Sub(e.tried) < lookAgain
	switch {
	case e.set != nil && e.set != other && now.Before(e.fresh):
		return nil, e.set, nil
	case e.flight != nil:
	case recent && e.usable(now):
		return nil, e.set, nil
	case recent && e.failed:
		return nil, nil, fmt.Errorf("%w: the last attempt failed a moment ago", ErrUnavailable)
	default:
		e.flight, e.tried = &flight{done: make(chan struct{})}, now
		// Whoever came first may leave; the others go on waiting.
		go c.fly(context.WithoutCancel(ctx), url, e, e.flight)
	}
	if other == nil && e.failed && e.usable(now) {
		return nil, e.set, nil // a server that hangs holds nobody up twice
	}
	return e.flight, nil, nil
}

func (e *entry) usable(now time.Time) bool {
	return e.set != nil && now.Before(e.fetched.Add(staleAge))
}

// entry finds or makes the entry of a URL, forgetting another where too many
// are known.
func (c *Client) entry(url string, now time.Time) *entry {
	e := c.sets[url]
	if e == nil {
		oldest := ""
		for u, one := range c.sets {
			if one.flight == nil && (oldest == "" || one.used.Before(c.sets[oldest].used)) {
				oldest = u
			}
		}
		if len(c.sets) >= maxURLs && oldest != "" {
			delete(c.sets, oldest)
		}
		e = &entry{}
		c.sets[url] = e
	}
	e.used = now
	return e
}

func (c *Client) fly(ctx context.Context, url string, e *entry, f *flight) {
	set, age, err := c.fetch(ctx, url)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	e.flight, e.failed = nil, err != nil
	switch {
	case err == nil:
		e.set, e.fetched, e.fresh = set, now, now.Add(age)
	case e.usable(now):
		set, err = e.set, nil
	}
	f.set, f.err = set, err
	close(f.done)
}

func (c *Client) fetch(ctx context.Context, url string) (*Set, time.Duration, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, errors.New("the address is not one"))
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := c.out.Do(ctx, r)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if resp.Status != http.StatusOK {
		return nil, 0, fmt.Errorf("%w: the answer has status %d", ErrUnavailable, resp.Status)
	}
	set, err := ParseSet(resp.Body)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return set, age(resp.Header.Get("Cache-Control")), nil
}

// age is how long a set is used without a look, by what its server says.
func age(cacheControl string) time.Duration {
	for directive := range strings.SplitSeq(strings.ToLower(cacheControl), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return minAge
		case "max-age":
			if n, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31); err == nil {
				return min(max(time.Duration(n)*time.Second, minAge), maxAge)
			}
		}
	}
	return defaultAge
}
