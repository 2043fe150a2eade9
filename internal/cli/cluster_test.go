//go:build unix

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/factor/webauthn/virtualkey"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// withinASecond is how soon every server follows a change of configuration.
func withinASecond(condition func() bool) bool {
	for end := time.Now().Add(time.Second); ; time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// cluster is three servers on one PostgreSQL database.
func cluster(t *testing.T, env ...string) (*installation, []*process) {
	t.Helper()
	if os.Getenv(storetest.PostgresEnv) == "" {
		t.Skip("needs " + storetest.PostgresEnv)
	}
	return serveAll(t, store.Postgres, 3, env...)
}

func serveAll(t *testing.T, engine store.Engine, n int, env ...string) (*installation, []*process) {
	t.Helper()
	in := install(t, engine)
	var nodes []*process
	for range n {
		nodes = append(nodes, spawn(t, append(in.env, env...), "serve"))
	}
	for _, p := range nodes {
		p.ready()
	}
	return in, nodes
}

// person is somebody with a passkey.
type person struct {
	userID string
	key    *virtualkey.Authenticator
}

var page = virtualkey.Page{Origin: "http://localhost:3000"}

// enrol makes a user with a passkey, each step on another server.
func (in *installation) enrol(nodes []*process, email string) *person {
	in.t.Helper()
	p := &person{key: virtualkey.New()}
	p.userID = in.must(nodes[0].url, http.MethodPost, "/v1/users", map[string]any{"email": email})["user_id"].(string)
	options := in.must(nodes[1].url, http.MethodPost, "/v1/webauthn/register/start", map[string]any{
		"user_id": p.userID, "domain": "localhost", "return_passkey_credential_options": true, "use_base64_url_encoding": true,
	})["public_key_credential_creation_options"].(string)
	created, err := p.key.Create(page, options)
	if err != nil {
		in.t.Fatal(err)
	}
	in.must(nodes[2].url, http.MethodPost, "/v1/webauthn/register", map[string]any{
		"user_id": p.userID, "public_key_credential": created.JSON(virtualkey.Base64URL),
	})
	return p
}

// signIn starts on one server and finishes on another.
func (in *installation) signIn(p *person, start, finish *process) (token, jwt string) {
	in.t.Helper()
	options := in.must(start.url, http.MethodPost, "/v1/webauthn/authenticate/start", map[string]any{
		"domain": "localhost", "return_passkey_credential_options": true, "use_base64_url_encoding": true,
	})["public_key_credential_request_options"].(string)
	got, err := p.key.Get(page, options)
	if err != nil {
		in.t.Fatal(err)
	}
	answer := in.must(finish.url, http.MethodPost, "/v1/webauthn/authenticate", map[string]any{
		"public_key_credential": got.JSON(virtualkey.Base64URL), "session_duration_minutes": 60,
	})
	return answer["session_token"].(string), answer["session_jwt"].(string)
}

func TestSessionsAreTheSameOnEveryServer(t *testing.T) {
	in, nodes := cluster(t)
	p := in.enrol(nodes, "ada@example.com")
	for i := range nodes {
		a, b, c := nodes[i], nodes[(i+1)%3], nodes[(i+2)%3]
		token, jwt := in.signIn(p, a, b)
		for _, node := range nodes {
			for name, value := range map[string]string{"session_token": token, "session_jwt": jwt} {
				if got := in.must(node.url, http.MethodPost, "/v1/sessions/authenticate", map[string]any{name: value})["session_token"]; got != token {
					t.Errorf("%s gave the session %v", name, got)
				}
			}
		}
		in.must(c.url, http.MethodPost, "/v1/sessions/revoke", map[string]any{"session_token": token})
		for _, node := range nodes {
			for name, value := range map[string]string{"session_token": token, "session_jwt": jwt} {
				status, answer, err := in.call(node.url, http.MethodPost, "/v1/sessions/authenticate", map[string]any{name: value})
				if err != nil || status != http.StatusNotFound {
					t.Errorf("after the revocation %s answered %d %v %v", name, status, answer, err)
				}
			}
		}
	}
}

func TestEveryServerFollowsTheConfigurationWithinASecond(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			n := 1 // all that SQLite takes, with the commands beside it
			if engine == store.Postgres {
				n = 3
			}
			in, nodes := serveAll(t, engine, n)
			in.followed(nodes)
		})
	}
}

func (in *installation) followed(nodes []*process) {
	t := in.t
	var made struct {
		ID     string `json:"secret_id"`
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal([]byte(in.run("secret", "create", "test", "--json")), &made); err != nil {
		t.Fatal(err)
	}
	whoami := func(node *process, secret string) int {
		status, _, err := in.callWith(client, secret, node.url, http.MethodGet, "/v1/debug/whoami", nil)
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	for _, node := range nodes {
		if status := whoami(node, made.Secret); status != http.StatusOK {
			t.Errorf("the new secret answered %d", status)
		}
	}
	in.run("secret", "revoke", "test", made.ID, "--yes")
	for _, node := range nodes {
		if !withinASecond(func() bool { return whoami(node, made.Secret) == http.StatusUnauthorized }) {
			t.Error("the revoked secret is still good after a second")
		}
	}
	in.run("sdk-config", "set", "test", "basic.enabled=false")
	var env struct {
		PublicTokens []struct {
			Token string `json:"public_token"`
		} `json:"public_tokens"`
	}
	if err := json.Unmarshal([]byte(in.run("environment", "show", "test", "--json")), &env); err != nil {
		t.Fatal(err)
	}
	token := env.PublicTokens[0].Token
	for _, node := range nodes {
		if !withinASecond(func() bool { return knock(t, node, token) == http.StatusUnauthorized }) {
			t.Error("the browser's door is still open after a second")
		}
	}
	in.run("sdk-config", "set", "test", "basic.enabled=true")
	for _, node := range nodes {
		if !withinASecond(func() bool { return knock(t, node, token) == http.StatusOK }) {
			t.Error("the browser's door is still closed after a second")
		}
	}
}

// knock asks at the browser's door, as an SDK does first.
func knock(t *testing.T, node *process, token string) (status int) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, node.url+"/sdk/v1/projects/bootstrap/"+token, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(token, token)
	r.Header.Set("Origin", "http://localhost:3000")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestKeysAreRotatedOnEveryServer(t *testing.T) {
	in, nodes := cluster(t)
	p := in.enrol(nodes, "ada@example.com")
	token, before := in.signIn(p, nodes[0], nodes[1])
	for _, how := range [][]string{{"--now"}, {"--revoke", "--yes"}} {
		var keys []struct {
			ID        string     `json:"key_id"`
			RetiresAt *time.Time `json:"retires_at"`
		}
		out := in.run(append([]string{"keys", "rotate", "test", "--json"}, how...)...)
		if err := json.Unmarshal([]byte(out), &keys); err != nil {
			t.Fatal(err)
		}
		fresh := ""
		for _, k := range keys {
			if k.RetiresAt == nil {
				fresh = k.ID
			}
		}
		for _, node := range nodes {
			published := withinASecond(func() bool {
				return strings.Contains(fmt.Sprint(in.must(node.url, http.MethodGet, "/v1/sessions/jwks/"+in.projectID, nil)["keys"]), fresh)
			})
			if !published {
				t.Error("the new key is not published after a second")
			}
			after := in.must(node.url, http.MethodPost, "/v1/sessions/authenticate", map[string]any{"session_token": token})["session_jwt"].(string)
			if got := keyOf(t, after); got != fresh {
				t.Errorf("a token is signed with %s, want %s", got, fresh)
			}
			status, _, err := in.call(node.url, http.MethodPost, "/v1/sessions/authenticate", map[string]any{"session_jwt": before})
			if err != nil {
				t.Fatal(err)
			}
			if ok := status == http.StatusOK; ok != (how[0] == "--now") {
				t.Errorf("after %v the old token answered %d", how, status)
			}
		}
	}
}

func keyOf(t *testing.T, jwt string) string {
	t.Helper()
	head, _, _ := strings.Cut(jwt, ".")
	text, err := virtualkey.Base64URL.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var header struct{ Kid string }
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	return header.Kid
}

// balancer sends requests to the servers that say they are ready, as a load
// balancer in front of them does.
type balancer struct {
	mu    sync.Mutex
	nodes []string
	next  atomic.Int64
}

func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nodes[int(b.next.Add(1))%len(b.nodes)]
}

func (b *balancer) set(nodes ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = nodes
}

// watch keeps the list of ready servers until the test says stop.
func (b *balancer) watch(all func() []string, stop <-chan struct{}) {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		var ready []string
		for _, url := range all() {
			resp, err := client.Get(url + "/readyz")
			if err != nil {
				continue
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				ready = append(ready, url)
			}
		}
		b.set(ready...)
	}
}

// Servers are replaced one after the other while requests keep coming, and
// each request is answered.
func TestARestartLosesNoRequest(t *testing.T) {
	in, nodes := cluster(t, "GATEHOUSE_DRAIN_DELAY=3s")
	var mu sync.Mutex
	all := func() (urls []string) {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range nodes {
			urls = append(urls, p.url)
		}
		return urls
	}
	b := &balancer{}
	b.set(all()...)
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() { b.watch(all, stop) })
	var answered atomic.Int64
	for n := range 8 {
		own := &http.Client{Timeout: patience, Transport: &http.Transport{}}
		work.Go(func() {
			defer own.CloseIdleConnections()
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				email := fmt.Sprintf("user-%d-%d@example.com", n, i)
				status, answer, err := in.callWith(own, in.secret, b.pick(), http.MethodPost, "/v1/users", map[string]any{"email": email})
				if err != nil || status != http.StatusOK {
					t.Errorf("a request was lost: %d %v %v", status, answer, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	for i := range nodes {
		before := answered.Load()
		if !eventually(func() bool { return answered.Load() > before+100 || t.Failed() }) {
			t.Error("requests are not answered")
		}
		if code := nodes[i].signal(syscall.SIGTERM); code != exitDone {
			t.Errorf("server %d ended with %d", i, code)
		}
		fresh := in.serve("GATEHOUSE_DRAIN_DELAY=3s")
		mu.Lock()
		nodes[i] = fresh
		mu.Unlock()
	}
	close(stop)
	work.Wait()
	t.Logf("%d requests, three restarts", answered.Load())
	if answered.Load() == 0 {
		t.Error(errors.New("no request was answered"))
	}
}
