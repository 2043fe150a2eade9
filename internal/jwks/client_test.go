package jwks_test

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/jwks"
	"gatehouse/internal/jwks/jwkstest"
	"gatehouse/internal/outbound"
	"gatehouse/internal/store/storetest"
)

type world struct {
	t      *testing.T
	clock  *storetest.Clock
	issuer *jwkstest.Issuer
	client *jwks.Client
}

func start(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: storetest.NewClock()}
	w.issuer = jwkstest.New(t, w.clock.Now)
	out := outbound.New(outbound.Policy{AllowHTTP: true, AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, Timeout: 2 * time.Second, MaxBody: 64 << 10})
	t.Cleanup(func() { _ = out.Close() })
	w.client = jwks.New(out, w.clock.Now)
	return w
}

func (w *world) expect() jwks.Expect {
	return jwks.Expect{Issuers: []string{w.issuer.URL}, Audience: []string{"app"}, RequireExpiry: true}
}

func (w *world) verify(token string, want error, hits int32) {
	w.t.Helper()
	_, err := w.client.Verify(w.t.Context(), w.issuer.JWKS(), token, w.expect())
	if !errors.Is(err, want) || want == nil && err != nil {
		w.t.Errorf("%v, want %v", err, want)
	}
	if got := w.issuer.Hits.Load(); got != hits {
		w.t.Errorf("the key set was fetched %d times, want %d", got, hits)
	}
}

func TestKeysAreFetchedOnceAndAgainWhenTheyRotate(t *testing.T) {
	w := start(t)
	old := w.issuer.Key()
	w.verify(w.issuer.Token("other", nil), jwks.ErrAudience, 0) // wrong by itself: nobody is asked
	w.verify(w.issuer.Token("app", nil), nil, 1)
	w.verify(w.issuer.Token("app", nil), nil, 1)
	w.issuer.Rotate()
	w.verify(w.issuer.Token("app", nil), jwks.ErrUnknownKey, 1) // too early to look again
	w.clock.Advance(10 * time.Second)
	w.verify(w.issuer.Token("app", nil), nil, 2)
	w.verify(old.Sign(t, w.issuer.Claims("app", nil), nil), jwks.ErrUnknownKey, 2)
	// A stranger's tokens with ever new names have the set fetched every ten
	// seconds at most.
	for range 50 {
		w.verify(jwkstest.NewKey(t, another(), "ES256").Sign(t, w.issuer.Claims("app", nil), nil), jwks.ErrUnknownKey, 2)
	}
	w.clock.Advance(10 * time.Second)
	w.verify(jwkstest.NewKey(t, another(), "ES256").Sign(t, w.issuer.Claims("app", nil), nil), jwks.ErrUnknownKey, 3)
	// A withdrawn key is forgotten when the set is old.
	w.clock.Advance(10*time.Minute + time.Second)
	w.verify(w.issuer.Token("app", nil), nil, 4)
}

var names int

func another() string { names++; return "stranger-" + strings.Repeat("x", names) }

func TestTheServerSaysHowLongKeysAreGood(t *testing.T) {
	for header, good := range map[string]time.Duration{
		"": 10 * time.Minute, "public, max-age=1800": 30 * time.Minute, "max-age=31536000": time.Hour, "max-age=0": time.Minute, "Max-Age=\"120\"": 2 * time.Minute,
		"no-store": time.Minute, "max-age=-1": 10 * time.Minute, "max-age=99999999999999999999": 10 * time.Minute, "max-age": 10 * time.Minute,
	} {
		w := start(t)
		i := w.issuer
		w.issuer.Answer(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Cache-Control", header)
			i.Answer(nil)
			i.ServeHTTP(rw, r)
			i.Hits.Add(-1)
		})
		w.verify(i.Token("app", nil), nil, 1)
		w.clock.Advance(good - time.Second)
		w.verify(i.Token("app", nil), nil, 1)
		w.clock.Advance(time.Second)
		w.verify(i.Token("app", nil), nil, 2)
		if t.Failed() {
			t.Fatalf("with %q", header)
		}
	}
}

func TestAnIssuerThatIsDownIsForgivenForADay(t *testing.T) {
	w := start(t)
	w.verify(w.issuer.Token("app", nil), nil, 1)
	w.issuer.Answer(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadGateway) })
	w.clock.Advance(23 * time.Hour)
	w.verify(w.issuer.Token("app", nil), nil, 2)
	w.verify(w.issuer.Token("app", nil), nil, 2) // not asked for every token
	w.clock.Advance(time.Hour)
	w.verify(w.issuer.Token("app", nil), jwks.ErrUnavailable, 3)
	w.verify(w.issuer.Token("app", nil), jwks.ErrUnavailable, 3)
	w.issuer.Answer(nil)
	w.clock.Advance(10 * time.Second)
	w.verify(w.issuer.Token("app", nil), nil, 4)
}

func TestManyCallersCauseOneFetch(t *testing.T) {
	w := start(t)
	arrived, gate := make(chan struct{}), make(chan struct{})
	i := w.issuer
	i.Answer(func(rw http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-gate
		i.Answer(nil)
		i.ServeHTTP(rw, r)
		i.Hits.Add(-1)
	})
	token := i.Token("app", nil)
	// The first caller leaves; whoever waits with it is not left alone.
	gone, leave := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	wait.Go(func() {
		if _, err := w.client.Verify(gone, i.JWKS(), token, w.expect()); !errors.Is(err, jwks.ErrUnavailable) {
			t.Error(err)
		}
	})
	<-arrived
	leave()
	wait.Wait()
	for range 20 {
		wait.Go(func() {
			if _, err := w.client.Verify(t.Context(), i.JWKS(), token, w.expect()); err != nil {
				t.Error(err)
			}
		})
	}
	close(gate)
	wait.Wait()
	if n := i.Hits.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// A fetch that hangs holds up whoever needs it, and nobody else: strangers can
// have one begun at any time.
func TestAFetchHoldsUpNobodyWhoseKeyIsKnown(t *testing.T) {
	w := start(t)
	i := w.issuer
	w.verify(i.Token("app", nil), nil, 1)
	arrived, gate := make(chan struct{}), make(chan struct{})
	i.Answer(func(rw http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-gate
		i.Answer(nil)
		i.ServeHTTP(rw, r)
	})
	w.clock.Advance(time.Minute)
	known, next := i.Token("app", nil), i.Rotate().Sign(t, i.Claims("app", nil), nil)
	var wait sync.WaitGroup
	needs := func() {
		if _, err := w.client.Verify(t.Context(), i.JWKS(), next, w.expect()); err != nil {
			t.Error(err)
		}
	}
	wait.Go(needs)
	<-arrived
	wait.Go(needs) // joins the fetch
	if _, err := w.client.Verify(t.Context(), i.JWKS(), known, w.expect()); err != nil {
		t.Error(err)
	}
	close(gate)
	wait.Wait()
}

// Security case 39: the address of a key set leads nowhere it should not, and
// costs no more than it may.
func TestSecurity39KeySetsAreFetchedSafely(t *testing.T) {
	for what, answer := range map[string]http.HandlerFunc{
		"redirect":   func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/elsewhere", http.StatusFound) },
		"not found":  http.NotFound,
		"no content": func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNoContent) },
		"a page":     func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) },
		"huge": func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write([]byte(`{"keys":[` + strings.Repeat(" ", 1<<20)))
		},
		"slow": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"cut off": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Length", "100")
			_, _ = rw.Write([]byte(`{"keys":[`))
		},
	} {
		w := start(t)
		w.issuer.Answer(answer)
		_, err := w.client.Verify(t.Context(), w.issuer.JWKS(), w.issuer.Token("app", nil), w.expect())
		if !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
		}
	}
	w := start(t)
	strict := jwks.New(outbound.New(outbound.Policy{}), w.clock.Now)
	for _, u := range []string{w.issuer.JWKS(), "https://127.0.0.1/jwks", "https://169.254.169.254/jwks", "file:///etc/passwd", "", "://"} {
		if _, err := strict.Verify(t.Context(), u, w.issuer.Token("app", nil), w.expect()); !errors.Is(err, jwks.ErrUnavailable) {
			t.Errorf("%s: %v", u, err)
		}
	}
	if n := w.issuer.Hits.Load(); n != 0 {
		t.Errorf("a private address was called %d times", n)
	}
}
