package breach

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/breach/breachtest"
	"gatehouse/internal/store/storetest"
)

// patience is a time-out that ends only a test that has gone wrong.
const patience = 30 * time.Second

// log collects what a Checker logs.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// fixture is a Checker with everything that is outside of it.
type fixture struct {
	*Checker
	api   *breachtest.Server
	clock *storetest.Clock
	log   *log
}

func start(t *testing.T, edit func(*Config)) *fixture {
	t.Helper()
	f := &fixture{api: breachtest.New(t, "password"), clock: storetest.NewClock(), log: &log{}}
	c := Config{
		Source: SourceAPI, URL: f.api.URL, Timeout: patience, Now: f.clock.Now,
		Logger: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if edit != nil {
		edit(&c)
	}
	var err error
	if f.Checker, err = New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// expect checks a password and how many requests there have been.
func (f *fixture) expect(t *testing.T, password string, want Verdict, requests int) {
	t.Helper()
	v, err := f.Lookup(t.Context(), password)
	if v != want || (err != nil) != (want == Unknown) {
		t.Errorf("it is %v (%v), want %v", v, err, want)
	}
	if got := len(f.api.Requests()); got != requests {
		t.Errorf("after %d requests, want %d", got, requests)
	}
}

// The example of the contract, where it is at hand.
func TestTheContractsExample(t *testing.T) {
	text, err := os.ReadFile("../../../shared/vectors/hibp-range-api.json")
	if err != nil {
		t.Skip("the vectors are not beside this clone")
	}
	var contract struct {
		Examples []struct{ Password, SHA1, Prefix, Suffix string }
	}
	if err := json.Unmarshal(text, &contract); err != nil || len(contract.Examples) == 0 {
		t.Fatal(err, len(contract.Examples))
	}
	for _, x := range contract.Examples {
		sum := sha1.Sum([]byte(x.Password))
		prefix, tail := split(sum)
		if prefix != x.Prefix || fmt.Sprintf("%016X", tail) != x.Suffix[:16] || breachtest.Hash(x.Password) != x.SHA1 {
			t.Errorf("%q is split into %s and %X", x.Password, prefix, tail)
		}
		tails, err := parseRange([]byte(x.Suffix + ":9659365\r\n"))
		if err != nil || len(tails) != 1 || tails[0] != tail {
			t.Errorf("%X, %v", tails, err)
		}
	}
}

func TestHitMissAndPadding(t *testing.T) {
	f := start(t, nil)
	f.expect(t, "password", Breached, 1)
	f.expect(t, "correct horse battery staple", Clean, 2)
	// A row that counts nothing is padding, even when it is the password's own.
	f.api.Answer(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s:0\r\n%s:00\r\n", breachtest.Hash("padded")[5:], breachtest.Hash("other")[5:])
	})
	f.expect(t, "padded", Clean, 3)
	// Mirrors may end lines otherwise and write small letters.
	f.api.Answer(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "\n%s:1\n", strings.ToLower(breachtest.Hash("small")[5:]))
	})
	f.expect(t, "small", Breached, 4)
}

// Five digits of the hash leave the process, and nothing else of a password.
func TestOnlyFiveDigitsLeave(t *testing.T) {
	f := start(t, nil)
	for i := range 50 {
		f.Check(t.Context(), fmt.Sprintf("canary %d", i))
	}
	form := regexp.MustCompile(`^GET /range/([0-9A-F]{5}) HTTP/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\nAdd-Padding: true\r\nUser-Agent: gatehouse\r\n\r\n$`)
	requests := f.api.Requests()
	for i, r := range requests {
		m := form.FindStringSubmatch(r)
		if hash := breachtest.Hash(fmt.Sprintf("canary %d", i)); m == nil || m[1] != hash[:5] {
			t.Errorf("for the hash %s this left:\n%s", hash, r)
		}
	}
	if len(requests) != 50 {
		t.Errorf("%d requests", len(requests))
	}
}

// answers are what can go wrong with a service.
func answers(t *testing.T) map[string]http.HandlerFunc {
	elsewhere := breachtest.New(t, "password")
	t.Cleanup(func() {
		if len(elsewhere.Requests()) > 0 {
			t.Error("a redirect was followed")
		}
	})
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	row := breachtest.Hash("password")[5:]
	return map[string]http.HandlerFunc{
		"500": status(500), "503": status(503), "429": status(429), "404": status(404), "204": status(204), "401": status(401),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusFound)
		},
		"moved": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusPermanentRedirect)
		},
		"huge":          body(strings.Repeat(row+":1\r\n", maxAnswer/39+1)),
		"a page":        body("<!doctype html><title>Please sign in</title>"),
		"garbage":       body("\x00\xff\xfe\x1f\x8b"),
		"empty":         body(""),
		"blank":         body("\r\n\r\n"),
		"no count":      body(row + "\r\n"),
		"half a count":  body(row + ":\r\n"),
		"a bad count":   body(row + ":1x\r\n"),
		"a minus":       body(row + ":-1\r\n"),
		"short":         body(row[1:] + ":1\r\n"),
		"long":          body("0" + row + ":1\r\n"),
		"no hex":        body("G" + row[1:] + ":1\r\n"),
		"no hex at end": body(row[:34] + "g:1\r\n"),
		"cut off":       body(row + ":1\r\n" + row[:20]),
		"hangs up":      func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"breaks off": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100000")
			fmt.Fprintf(w, "%s:1\r\n", row)
		},
	}
}

func TestWhatIsNoAnswerIsUnknown(t *testing.T) {
	for name, answer := range answers(t) {
		t.Run(name, func(t *testing.T) {
			f := start(t, nil)
			f.api.Answer(answer)
			f.expect(t, "password", Unknown, 1)
			f.api.Answer(nil)
			f.expect(t, "password", Breached, 2) // a failure is not kept as an answer
		})
	}
}

func TestTheTimeOutIsForTheWholeCall(t *testing.T) {
	for _, when := range []string{"before the header", "within the body"} {
		t.Run(when, func(t *testing.T) {
			f := start(t, func(c *Config) { c.Timeout = 50 * time.Millisecond })
			left := make(chan struct{})
			f.api.Answer(func(w http.ResponseWriter, r *http.Request) {
				if when == "within the body" {
					fmt.Fprintf(w, "%s:1\r\n", breachtest.Hash("password")[5:])
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
				close(left)
			})
			v, err := f.Lookup(t.Context(), "password")
			if v != Unknown || err != errSlow {
				t.Errorf("%v, %v", v, err)
			}
			<-left
		})
	}
}

// A request that ends does not take the answer away from others.
func TestWhoLeavesDoesNotEndTheCall(t *testing.T) {
	f := start(t, nil)
	asked, release := make(chan struct{}), make(chan struct{})
	f.api.Answer(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-release
		fmt.Fprintf(w, "%s:1\r\n", breachtest.Hash("password")[5:])
	})
	ctx, leave := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := f.Lookup(ctx, "password")
		first <- err
	}()
	<-asked
	leave()
	if err := <-first; err != context.Canceled {
		t.Errorf("who left was told %v", err)
	}
	close(release)
	f.expect(t, "password", Breached, 1)
	if v := f.Check(ctx, "password"); v != Unknown {
		t.Errorf("a request that has ended was told %v", v)
	}
}

func TestARangeIsAskedForOnceByManyAtOnce(t *testing.T) {
	f := start(t, nil)
	release := make(chan struct{})
	f.api.Answer(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		fmt.Fprintf(w, "%s:1\r\n", breachtest.Hash("password")[5:])
	})
	s := f.source.(*service)
	_, flight, err := s.begin(breachtest.Hash("password")[:5])
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		_, again, err := s.begin(breachtest.Hash("password")[:5])
		if again != flight || err != nil {
			t.Fatalf("another flight, %v", err)
		}
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if v := f.Check(t.Context(), "password"); v != Breached {
				t.Errorf("it is %v", v)
			}
		})
	}
	close(release)
	all.Wait()
	f.expect(t, "password", Breached, 1)
}

func TestCallsAreBounded(t *testing.T) {
	f := start(t, nil)
	var now, most atomic.Int32
	full, release := make(chan struct{}), make(chan struct{})
	f.api.Answer(func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		most.Store(max(most.Load(), n)) // exact enough: what matters is more than maxCalls
		if n == maxCalls {
			close(full)
		}
		<-release
		fmt.Fprintf(w, "%s:0\r\n", breachtest.Hash("any")[5:])
	})
	var all sync.WaitGroup
	for i := range 2 * maxCalls {
		all.Go(func() {
			if v := f.Check(t.Context(), fmt.Sprint("password ", i)); v != Clean {
				t.Errorf("it is %v", v)
			}
		})
	}
	<-full
	close(release)
	all.Wait()
	if got := most.Load(); got > maxCalls {
		t.Errorf("%d calls at once", got)
	}
}

// twins are two passwords whose hashes begin with the same five digits.
func twins(t *testing.T) (string, string) {
	t.Helper()
	seen := map[string]string{}
	for i := range 100_000 {
		p := fmt.Sprint("twin ", i)
		prefix := breachtest.Hash(p)[:5]
		if other, ok := seen[prefix]; ok {
			return other, p
		}
		seen[prefix] = p
	}
	t.Fatal("no two passwords share a range")
	return "", ""
}

func TestARangeIsKeptForHours(t *testing.T) {
	one, two := twins(t)
	f := start(t, nil)
	f.api.Add(one)
	f.expect(t, one, Breached, 1)
	f.expect(t, two, Clean, 1)
	f.clock.Advance(rangeLife - time.Second)
	f.expect(t, two, Clean, 1)
	f.api.Add(two)
	f.clock.Advance(time.Second)
	f.expect(t, two, Breached, 2)
	f.expect(t, one, Breached, 2)
}

func TestADeadServiceIsLeftAlone(t *testing.T) {
	f := start(t, nil)
	down := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }
	f.expect(t, "password", Breached, 1)
	f.api.Answer(down)
	for i := range maxFailures - 1 {
		f.expect(t, fmt.Sprint("early ", i), Unknown, 2+i)
	}
	f.api.Answer(nil)
	f.expect(t, "an answer in between", Clean, maxFailures+1)
	f.api.Answer(down)
	for i := range maxFailures {
		f.expect(t, fmt.Sprint("down ", i), Unknown, maxFailures+2+i)
	}
	asked := 2*maxFailures + 1
	for i := range 20 {
		f.expect(t, fmt.Sprint("paused ", i), Unknown, asked)
	}
	f.expect(t, "password", Breached, asked) // what is known is still known
	if _, err := f.Lookup(t.Context(), "paused"); err != errPaused {
		t.Errorf("the reason is %v", err)
	}

	// After the pause one call finds out, while others are still refused.
	f.clock.Advance(pause - time.Nanosecond)
	f.expect(t, "too early", Unknown, asked)
	f.clock.Advance(time.Nanosecond)
	trial, release := make(chan struct{}), make(chan struct{})
	f.api.Answer(func(w http.ResponseWriter, r *http.Request) {
		close(trial)
		<-release
		down(w, r)
	})
	over := make(chan Verdict)
	go func() { over <- f.Check(context.WithoutCancel(t.Context()), "trial") }()
	<-trial
	f.expect(t, "beside the trial", Unknown, asked+1)
	close(release)
	if v := <-over; v != Unknown {
		t.Errorf("the trial is %v", v)
	}
	f.expect(t, "after the trial", Unknown, asked+1)

	f.api.Answer(nil)
	f.clock.Advance(pause)
	f.expect(t, "back", Clean, asked+2)
	f.expect(t, "as before", Clean, asked+3)
	if said := f.log.String(); strings.Count(said, "cannot be looked up") != 1 || strings.Count(said, "looked up again") != 1 {
		t.Errorf("the log says:\n%s", said)
	}
}

// What a password is shows in no error and no log line, whatever goes wrong.
func TestSecurity65PasswordInLogs(t *testing.T) {
	const canary = "zqcanaryqz"
	hash := breachtest.Hash(canary)
	var said strings.Builder
	observed := map[string]int{}
	for name, answer := range answers(t) {
		f := start(t, func(c *Config) {
			c.Observe = func(source string, v Verdict) { observed[source+" "+v.String()]++ }
		})
		f.api.Answer(answer)
		for range maxFailures + 1 {
			v, err := f.Lookup(t.Context(), canary)
			if err == nil {
				t.Fatalf("%s: it is %v", name, v)
			}
			fmt.Fprintf(&said, "%v %+v %#v\n", err, err, err)
		}
		f.api.Close()
		f.clock.Advance(pause)
		_, err := f.Lookup(t.Context(), canary)
		fmt.Fprintln(&said, err, f.log.String(), f.Where(), f.Source())
	}
	if n := len(observed); n != 1 || observed["api unknown"] == 0 {
		t.Errorf("observed %v", observed)
	}
	text := strings.ToUpper(said.String())
	if !strings.Contains(text, "CANNOT BE LOOKED UP") || !strings.Contains(text, "CONNECTION REFUSED") {
		t.Errorf("this says too little to prove anything:\n%s", text)
	}
	for _, secret := range []string{canary, hash[:5], hash[5:15], "/range/"} {
		if at := strings.Index(text, strings.ToUpper(secret)); at >= 0 {
			t.Errorf("%s is in: ...%.200s", secret, text[max(0, at-100):])
		}
	}
}

// The range API's address is checked as that of any other call: its own name
// must be public, and no mirror is at an address that hands out credentials.
func TestWhereTheAPIMayBe(t *testing.T) {
	if p := policyOf(Config{URL: defaultURL}); p.AllowHTTP || p.AllowPrivate != nil || p.Redirects != 0 {
		t.Errorf("the service's policy is %+v", p)
	}
	if p := policyOf(Config{URL: "https://mirror.internal"}); p.AllowHTTP || p.AllowPrivate == nil || p.Redirects != 0 {
		t.Errorf("a mirror's policy is %+v", p)
	}
	for _, u := range []string{"http://169.254.169.254", "http://[fd00:ec2::254]", "http://0.0.0.0:1"} {
		c, err := New(Config{Source: SourceAPI, URL: u, Now: storetest.NewClock().Now})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := c.Lookup(t.Context(), "password"); v != Unknown || err == nil || !strings.Contains(err.Error(), "not public") {
			t.Errorf("%s: %v, %v", u, v, err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, u := range []string{"ftp://example.com", "mirror", "https://me:secret@example.com", "https://example.com/?key=secret", "https://example.com/#a"} {
		_, err := New(Config{Source: SourceAPI, URL: u})
		if err == nil || !strings.Contains(err.Error(), "--breach-url") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestAMirrorMayBeBelowAPath(t *testing.T) {
	var url string
	f := start(t, func(c *Config) { c.URL += "/mirror/v3/"; url = c.URL })
	f.expect(t, "password", Unknown, 1) // the server knows /range/ alone
	if r := f.api.Requests()[0]; !strings.HasPrefix(r, "GET /mirror/v3/range/5BAA6 HTTP/1.1\r\n") {
		t.Errorf("at %s this was asked:\n%s", url, r)
	}
}

func TestOff(t *testing.T) {
	for _, source := range []string{"", SourceOff} {
		c, err := New(Config{Source: source, Observe: func(string, Verdict) { t.Error("something was looked up") }})
		if err != nil {
			t.Fatal(err)
		}
		if v := c.Check(t.Context(), "password"); v != Clean || c.Source() != SourceOff {
			t.Errorf("%v by %s", v, c.Source())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := New(Config{Source: "somewhere"}); err == nil || !strings.Contains(err.Error(), "choose api, offline or off") {
		t.Error(err)
	}
}

func TestClosingEndsCalls(t *testing.T) {
	f := start(t, nil)
	asked := make(chan struct{})
	f.api.Answer(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	over := make(chan Verdict)
	go func() { over <- f.Check(context.WithoutCancel(t.Context()), "password") }()
	<-asked
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if v := <-over; v != Unknown {
		t.Errorf("it is %v", v)
	}
	f.expect(t, "password", Unknown, 1)
	if said := f.log.String(); said != "" {
		t.Errorf("the log says:\n%s", said)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	now := storetest.NewClock().Now()
	c := newCache()
	for i := range 3 * maxRanges {
		c.put(fmt.Sprint(i), make([]uint64, 10), now)
		if i == maxRanges {
			c.get(fmt.Sprint(i-1), now) // used, so it stays longer than what came after
		}
	}
	if len(c.byPrefix) != maxRanges || c.used.Len() != maxRanges || c.bytes != maxRanges*(80+rangeOverhead) {
		t.Errorf("%d ranges, %d bytes", len(c.byPrefix), c.bytes)
	}
	for i := range 100 {
		c.put(fmt.Sprint("large ", i), make([]uint64, maxRangeBytes/8/10), now)
	}
	if c.bytes > maxRangeBytes || len(c.byPrefix) != c.used.Len() || len(c.byPrefix) < 9 {
		t.Errorf("%d ranges, %d bytes", len(c.byPrefix), c.bytes)
	}
	if _, ok := c.get("large 99", now.Add(rangeLife)); ok {
		t.Error("a range outlives its time")
	}
	for i := range 100 {
		c.put("the same", make([]uint64, i), now)
	}
	for len(c.byPrefix) > 0 {
		c.remove(c.used.Back())
	}
	if c.bytes != 0 {
		t.Errorf("%d bytes in an empty cache", c.bytes)
	}
}

func FuzzParseRange(f *testing.F) {
	row := breachtest.Hash("password")[5:]
	for _, seed := range []string{"", row + ":1", row + ":0\r\n" + row + ":12345\r\n", "\n\n" + row + ":1\n", row, row + ":", ":" + row, strings.ToLower(row) + ":00\r", "\xff:\x00"} {
		f.Add([]byte(seed))
	}
	form := regexp.MustCompile(`^(?:[0-9A-Fa-f]{35}:[0-9]+)?\r*$`)
	f.Fuzz(func(t *testing.T, body []byte) {
		tails, err := parseRange(body)
		counted, rows, good := 0, 0, true
		for line := range strings.Lines(string(body)) {
			line = strings.TrimRight(line, "\r\n")
			good = good && form.MatchString(line)
			if line == "" {
				continue
			}
			rows++
			if _, n, _ := strings.Cut(line, ":"); strings.Trim(n, "0") != "" {
				counted++
			}
		}
		if (err == nil) != (good && rows > 0) || err == nil && len(tails) != counted {
			t.Errorf("%q: %d of %d rows, %v", body, len(tails), counted, err)
		}
	})
}
