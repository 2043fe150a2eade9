//go:build unix

package cli

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// writes is what servers have acknowledged.
type writes struct {
	mu      sync.Mutex
	created map[string]string // e-mail to user id
	counter int               // the last value written to one user's metadata
	sent    int               // the last value asked for
}

// A server that is killed at any moment has lost nothing that it acknowledged,
// and starts again on what it left.
func TestKillLosesNoAcknowledgedWrite(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			in := install(t, engine)
			p := in.serve()
			w := &writes{created: map[string]string{}}
			counted := in.must(p.url, http.MethodPost, "/v1/users", map[string]any{"email": "counted@example.com"})["user_id"].(string)
			// Rounds of different length meet the server at different work.
			for round, length := range []int64{1, 40, 150, 400} {
				in.writeUntilKilled(p, w, counted, round, length)
				p = in.serve()
				in.checkWrites(p, w, counted)
			}
			if code := p.signal(syscall.SIGINT); code != exitDone {
				t.Errorf("the last server ended with %d", code)
			}
			out := in.run("doctor", "--integrity")
			if strings.Contains(out, "FAIL") || engine == store.SQLite && !strings.Contains(out, "The whole file was read and is sound.") {
				t.Errorf("the doctor says:\n%s", out)
			}
		})
	}
}

// writeUntilKilled writes from several clients at once and kills the server
// after so many acknowledgements, with others under way.
func (in *installation) writeUntilKilled(p *process, w *writes, counted string, round int, length int64) {
	in.t.Helper()
	var acknowledged atomic.Int64
	var clients sync.WaitGroup
	ack := func() {
		if acknowledged.Add(1) == length {
			if code := p.signal(syscall.SIGKILL); code != -1 {
				in.t.Errorf("the killed server ended with %d", code)
			}
		}
	}
	for n := range 8 {
		clients.Go(func() {
			for i := 0; ; i++ {
				email := fmt.Sprintf("user-%d-%d-%d@example.com", round, n, i)
				status, answer, err := in.call(p.url, http.MethodPost, "/v1/users", map[string]any{"email": email})
				if err != nil {
					return // killed
				}
				if status != http.StatusOK {
					in.t.Errorf("creating a user answered %d %v", status, answer)
					return
				}
				w.mu.Lock()
				w.created[email] = answer["user_id"].(string)
				w.mu.Unlock()
				ack()
			}
		})
	}
	clients.Go(func() {
		for {
			w.sent++
			status, answer, err := in.call(p.url, http.MethodPut, "/v1/users/"+counted, map[string]any{"trusted_metadata": map[string]any{"n": w.sent}})
			if err != nil {
				return
			}
			if status != http.StatusOK {
				in.t.Errorf("changing a user answered %d %v", status, answer)
				return
			}
			w.counter = w.sent
			ack()
		}
	})
	clients.Wait()
	client.CloseIdleConnections()
}

func (in *installation) checkWrites(p *process, w *writes, counted string) {
	in.t.Helper()
	stored := in.must(p.url, http.MethodGet, "/v1/users/"+counted, nil)["trusted_metadata"].(map[string]any)
	if n, _ := stored["n"].(float64); int(n) < w.counter || int(n) > w.sent {
		in.t.Errorf("the counter is %v; %d was acknowledged, %d was sent", n, w.counter, w.sent)
	}
	found := map[string]string{}
	query := map[string]any{"limit": 1000}
	for {
		page := in.must(p.url, http.MethodPost, "/v1/users/search", query)
		for _, u := range page["results"].([]any) {
			u := u.(map[string]any)
			email := u["emails"].([]any)[0].(map[string]any)["email"].(string)
			found[email] = u["user_id"].(string)
		}
		next, more := page["results_metadata"].(map[string]any)["next_cursor"].(string)
		if !more || next == "" {
			break
		}
		query["cursor"] = next
	}
	for email := range maps.Keys(w.created) {
		if found[email] != w.created[email] {
			in.t.Fatalf("%s was acknowledged as %s and is now %q", email, w.created[email], found[email])
		}
	}
}
