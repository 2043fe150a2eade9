//go:build unix

package cli

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gatehouse/internal/delivery/smtp/smtptest"
	"gatehouse/internal/store/storetest"
)

// A server that is killed between the answer to a request and the mail that it
// promised sends the mail when it is back, whether the mail server was refusing
// or holding it at that moment.
func TestKillLosesNoPromisedMail(t *testing.T) {
	for _, engine := range storetest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel() // most of it is waiting for leases to end
			in := install(t, engine)
			mails := smtptest.Start(t)
			in.run("redirect-url", "add", "test", "http://localhost:3000/authenticate")
			in.run("sender", "add", "smtp", "test", "--host", mails.Host, "--port", strconv.Itoa(mails.Port), "--security", "none", "--from", "login@example.com")
			var n atomic.Int64
			mails.On(smtptest.From, func(string) error {
				if n.Add(1)%3 == 0 {
					return smtptest.Refuse(451, [3]int{4, 3, 0}, "Not now")("")
				}
				return nil
			})
			mails.On(smtptest.Data, smtptest.Hang())
			promised := in.askForMailUntilKilled(in.serve())
			if n.Load() == 0 {
				t.Error("no mail was on its way when the server was killed")
			}
			mails.On(smtptest.From, nil)
			mails.On(smtptest.Data, nil)

			p := in.serve()
			got := map[string]int{}
			arrived := eventually(func() bool {
				clear(got)
				for _, m := range mails.Messages() {
					got[m.To[0]]++
				}
				for _, to := range promised {
					if got[to] == 0 {
						return false
					}
				}
				return true
			})
			if !arrived {
				t.Errorf("promised to %v, arrived: %v", promised, got)
			}
			for to, n := range got {
				if n > 2 {
					t.Errorf("%s has got it %d times", to, n)
				}
			}
			if code := p.signal(syscall.SIGINT); code != exitDone {
				t.Errorf("the last server ended with %d", code)
			}
			if out := in.run("outbox", "list", "--json"); out != "[]\n" {
				t.Errorf("left in the outbox: %s", out)
			}
		})
	}
}

// askForMailUntilKilled asks for links from several clients at once and kills
// the server after so many answers, with other requests under way. It returns
// whom mails were promised to.
func (in *installation) askForMailUntilKilled(p *process) (promised []string) {
	in.t.Helper()
	const clients, length = 4, 24
	own := &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	defer own.CloseIdleConnections()
	var mu sync.Mutex
	var work sync.WaitGroup
	for c := range clients {
		work.Go(func() {
			for i := 0; ; i++ {
				email := fmt.Sprintf("user-%d-%d@example.com", c, i)
				status, answer, err := in.callWith(own, in.secret, p.url, http.MethodPost, "/v1/magic_links/email/login_or_create", map[string]any{"email": email})
				if err != nil {
					return // killed
				}
				if status != http.StatusOK {
					in.t.Errorf("asking for a link answered %d %v", status, answer)
					return
				}
				mu.Lock()
				promised = append(promised, email)
				last := len(promised) == length
				mu.Unlock()
				if last {
					if code := p.signal(syscall.SIGKILL); code != -1 {
						in.t.Errorf("the killed server ended with %d", code)
					}
				}
			}
		})
	}
	work.Wait()
	return promised
}
