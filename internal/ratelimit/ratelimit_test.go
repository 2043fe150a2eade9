package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

const env = "project-test-0192f1aa-0000-7000-8000-000000000001"

var perMinute = Rule{Name: "guesses", Limit: 3, Per: time.Minute}

// once takes one in a transaction of its own.
func once(t *testing.T, db *store.DB, r Rule, environment string, key Key) (ok bool, retryAfter time.Duration) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
		ok, retryAfter, err = Take(tx, r, environment, key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ok, retryAfter
}

func TestTakeCountsPerRuleEnvironmentAndKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		a := Of("a@example.com")
		for i := range 3 {
			if ok, _ := once(t, db, perMinute, env, a); !ok {
				t.Fatalf("take %d was refused", i+1)
			}
		}
		// The clock stands 5 seconds after the minute.
		if ok, wait := once(t, db, perMinute, env, a); ok || wait != 55*time.Second {
			t.Fatalf("take 4: %v, %v", ok, wait)
		}
		other := perMinute
		other.Name = "sends"
		for name, take := range map[string]func() (bool, time.Duration){
			"key":         func() (bool, time.Duration) { return once(t, db, perMinute, env, Of("b@example.com")) },
			"environment": func() (bool, time.Duration) { return once(t, db, perMinute, env+"2", a) },
			"rule":        func() (bool, time.Duration) { return once(t, db, other, env, a) },
		} {
			if ok, _ := take(); !ok {
				t.Errorf("another %s shares the count", name)
			}
		}
		clock.Advance(55*time.Second - time.Millisecond)
		if ok, wait := once(t, db, perMinute, env, a); ok || wait != time.Millisecond {
			t.Errorf("at the end of the window: %v, %v", ok, wait)
		}
		clock.Advance(time.Millisecond)
		for i := range 3 {
			if ok, _ := once(t, db, perMinute, env, a); !ok {
				t.Errorf("take %d of the next window was refused", i+1)
			}
		}
		if ok, _ := once(t, db, perMinute, env, a); ok {
			t.Error("the next window has no end")
		}
		for range 10 {
			if ok, _ := once(t, db, Rule{Name: "off", Per: time.Hour}, env, a); !ok {
				t.Fatal("a rule without a limit refuses")
			}
		}
	})
}

func TestTakeFollowsItsTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		verdict := errors.New("wrong code")
		guess := func(keep bool) (took bool) {
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				ok, _, err := Take(tx, perMinute, env, Of("a"))
				took = ok
				if err == nil && keep {
					return store.Keep(verdict)
				}
				return errors.Join(err, verdict)
			})
			if !errors.Is(err, verdict) {
				t.Fatal(err)
			}
			return took
		}
		for range 5 {
			if !guess(false) {
				t.Fatal("what was rolled back counts")
			}
		}
		for range 3 {
			if !guess(true) {
				t.Fatal("refused too early")
			}
		}
		if guess(true) {
			t.Error("what was kept does not count")
		}
	})
}

func TestTakeIsExactUnderConcurrency(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		rule := Rule{Name: "sends", Limit: 7, Per: time.Hour}
		for range 2 { // a window that is new, and one that follows another
			var took atomic.Int64
			var wait sync.WaitGroup
			for range 50 {
				wait.Go(func() {
					err := db.Update(context.Background(), func(tx *store.Tx) error {
						ok, _, err := Take(tx, rule, env, Of("a"))
						if ok {
							took.Add(1)
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			if n := took.Load(); n != int64(rule.Limit) {
				t.Errorf("%d of 50 got through a limit of %d", n, rule.Limit)
			}
			clock.Advance(time.Hour)
		}
	})
}

func TestPurgeRemovesWindowsThatAreOver(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		for i := range 5 {
			once(t, db, perMinute, env, Of(fmt.Sprint(i)))
		}
		clock.Advance(time.Minute)
		once(t, db, perMinute, env, Of("new"))
		for _, want := range []int64{3, 2, 0} {
			var n int64
			err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
				n, err = Purge(tx, 3)
				return err
			})
			if n != want || err != nil {
				t.Errorf("purged %d, %v; want %d", n, err, want)
			}
		}
	})
}

func TestWindowsBeginAtTheTopOfTheirLength(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for per, want := range map[time.Duration]string{
		time.Second:    "2026-01-02T03:04:06Z",
		time.Minute:    "2026-01-02T03:05:00Z",
		time.Hour:      "2026-01-02T04:00:00Z",
		24 * time.Hour: "2026-01-03T00:00:00Z",
	} {
		if got := (Rule{Per: per}).end(now).Format(time.RFC3339Nano); got != want {
			t.Errorf("a window of %v ends at %s, want %s", per, got, want)
		}
	}
}

func TestRefusedNamesTheRule(t *testing.T) {
	err := Rule{Name: "sends per number", Limit: 5, Per: time.Hour}.Refused(1500 * time.Millisecond)
	want := `Too many requests. Try again in 2 seconds.`
	if err.Status != 429 || err.Type != "too_many_requests" || err.Message != want || err.RetryAfter != 1500*time.Millisecond || err.Details["rule"] != "sends per number" || err.Details["rate"] != "5 per hour" {
		t.Errorf("%+v", err)
	}
	if !errors.Is(err, apierr.New(429, "too_many_requests", "Too many requests.")) {
		t.Error("is another error")
	}
	if got := (Rule{Limit: 5, Per: 10 * time.Minute}).Refused(time.Millisecond); got.Details["rate"] != "5 per 10m0s" || !strings.HasSuffix(got.Message, "in 1 second.") {
		t.Error(got)
	}
}

func TestOfSeparatesItsParts(t *testing.T) {
	keys := map[Key]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"ab", ""}} {
		key := Of(parts...)
		if was, taken := keys[key]; taken {
			t.Errorf("%q and %s share a key", parts, was)
		}
		keys[key] = fmt.Sprintf("%q", parts)
	}
}

func TestLocalCountsInFixedWindows(t *testing.T) {
	clock := storetest.NewClock()
	l := NewLocal(clock.Now)
	for i := range 3 {
		if ok, _ := l.Take(perMinute, "a"); !ok {
			t.Fatalf("take %d was refused", i+1)
		}
	}
	if ok, wait := l.Take(perMinute, "a"); ok || wait != 55*time.Second {
		t.Errorf("take 4: %v, %v", ok, wait)
	}
	if ok, _ := l.Take(perMinute, "b"); !ok {
		t.Error("keys share a count")
	}
	if ok, _ := l.Take(Rule{Name: "other", Limit: 1, Per: time.Minute}, "a"); !ok {
		t.Error("rules share a count")
	}
	clock.Advance(55 * time.Second)
	if ok, _ := l.Take(perMinute, "a"); !ok {
		t.Error("the window does not end")
	}
	for range 10 {
		if ok, _ := l.Take(Rule{Name: "off", Per: time.Minute}, "a"); !ok {
			t.Fatal("a rule without a limit refuses")
		}
	}
}

func TestLocalIsExactUnderConcurrency(t *testing.T) {
	l := NewLocal(storetest.NewClock().Now)
	rule := Rule{Name: "r", Limit: 100, Per: time.Minute}
	var took atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 1000 {
				if ok, _ := l.Take(rule, "a"); ok {
					took.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if took.Load() != 100 {
		t.Errorf("%d got through a limit of 100", took.Load())
	}
}

// Millions of addresses cost a bounded amount of memory, and do not free an
// address that has used up its limit.
func TestLocalIsBounded(t *testing.T) {
	clock := storetest.NewClock()
	l := NewLocal(clock.Now)
	rule := Rule{Name: "r", Limit: 10, Per: time.Minute}
	for range 11 {
		l.Take(rule, "abuser")
	}
	before := heap()
	for i := range 1_000_000 {
		l.Take(rule, i)
	}
	n := 0
	for i := range l.shards {
		n += len(l.shards[i].counters)
	}
	if n > shards*perShard {
		t.Errorf("%d counters are kept, at most %d are allowed", n, shards*perShard)
	}
	if used := int64(heap()) - int64(before); used > 16<<20 {
		t.Errorf("a million keys use %d MB", used>>20)
	}
	if ok, _ := l.Take(rule, "abuser"); ok {
		t.Error("a flood of keys frees one that has used up its limit")
	}
	clock.Advance(time.Minute)
	if ok, _ := l.Take(rule, "newcomer"); !ok {
		t.Error("full memory refuses newcomers")
	}
	runtime.KeepAlive(l)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1":                        "192.0.2.1/32",
		"::ffff:192.0.2.1":                 "192.0.2.1/32",
		"::ffff:c000:201":                  "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6":             "2001:db8:1:2::/64",
		"2001:0DB8:0001:0002::ffff":        "2001:db8:1:2::/64",
		"2001:db8:1:2::%eth0":              "2001:db8:1:2::/64",
		"2001:db8:1:3::1":                  "2001:db8:1:3::/64",
		"::1":                              "::/64",
		"64:ff9b::192.0.2.33":              "64:ff9b::/64",
		"2001:db8:ffff:ffff:ffff:ffff:0:0": "2001:db8:ffff:ffff::/64",
	} {
		if got := Network(netip.MustParseAddr(text)).String(); got != want {
			t.Errorf("%s counts as %s, want %s", text, got, want)
		}
	}
	if Network(netip.Addr{}) != (netip.Prefix{}) {
		t.Error("no address has a network")
	}
}

func BenchmarkLocal(b *testing.B) {
	l := NewLocal(storetest.NewClock().Now)
	ip := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		l.Take(Rule{Name: "r", Limit: 1 << 40, Per: time.Minute}, Network(ip))
	}
}

// Left tells what Take would say, and counts nothing.
func TestLeftCountsNothing(t *testing.T) {
	clock := storetest.NewClock()
	l := NewLocal(clock.Now)
	r := Rule{Name: "left", Limit: 2, Per: time.Minute}
	for range 3 {
		for range 10 {
			if ok, wait := l.Left(r, "a"); !ok || wait != 0 {
				t.Fatalf("nothing was taken: %t, %v", ok, wait)
			}
		}
		l.Take(r, "a")
		l.Take(r, "a")
		took, until := l.Take(r, "a")
		left, wait := l.Left(r, "a")
		if took || left || wait != until || wait <= 0 {
			t.Errorf("taken twice: %t, %t, %v and %v", took, left, wait, until)
		}
		if ok, _ := l.Left(r, "b"); !ok {
			t.Error("another key is refused")
		}
		if ok, _ := l.Left(Rule{Name: "left", Per: time.Minute}, "a"); !ok {
			t.Error("a rule without a limit refuses")
		}
		clock.Advance(wait)
	}
}
