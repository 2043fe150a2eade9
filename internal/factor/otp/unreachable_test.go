package otp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
)

// provider is Twilio as far as it tells who takes texts.
type provider struct {
	mu      sync.Mutex
	refuses map[string]int // the error by number
	asked   int
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked++
	w.Header().Set("Content-Type", "application/json")
	if code := p.refuses[strings.TrimPrefix(r.FormValue("To"), "whatsapp:")]; code != 0 {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"code": %d, "status": 400}`, code)
		return
	}
	w.WriteHeader(http.StatusCreated)
	fmt.Fprint(w, `{"status": "queued", "error_code": null}`)
}

func (p *provider) refuse(number string, code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses[number] = code
}

// times is how often the provider was asked since the last time.
func (p *provider) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() { p.asked = 0 }()
	return p.asked
}

// throughTwilio runs a test whose texts go to a provider.
func throughTwilio(t *testing.T, test func(t *testing.T, s *authtest.Server, p *provider, ask func(c channel, number string) *authtest.Answer)) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := &provider{refuses: map[string]int{}}
		api := httptest.NewServer(p)
		t.Cleanup(api.Close)
		for _, c := range []delivery.Channel{delivery.SMS, delivery.WhatsApp} {
			values := fmt.Sprintf(`{"account_sid": "AC0123456789abcdef0123456789abcdef", "from": "+15005550006", "base_url": %q}`, api.URL)
			_, err := s.App.Messages.AddSender(t.Context(), s.Env, delivery.NewSender{
				Channel: c, Kind: "twilio", Settings: delivery.Settings{Values: json.RawMessage(values), Password: "fedcba9876543210fedcba9876543210"},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		s.Configure("messages.number_per_ten_minutes", "0")
		test(t, s, p, func(c channel, number string) *authtest.Answer {
			s.Clock.Advance(time.Second)
			a := s.Call(http.MethodPost, c.path("login_or_create"), body{"phone_number": number})
			if err := s.Outbox.Drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			return a
		})
	}, func(o *app.Options) { o.Server.OutboundAllow = []string{"127.0.0.1", "::1"} })
}

// Who has said STOP gets no texts, and nobody pays to be told again, until the
// operator hears of START.
func TestANumberThatSaidSTOPGetsNoTexts(t *testing.T) {
	throughTwilio(t, func(t *testing.T, s *authtest.Server, p *provider, ask func(c channel, number string) *authtest.Answer) {
		p.refuse(american, 21610)
		ask(sms, american).OK()
		if n := p.times(); n != 1 {
			t.Fatalf("the provider was asked %d times", n)
		}
		users := count(t, s, "SELECT count(*) FROM users")
		ask(sms, american).Refused(400, "unsubscribed_phone_number")
		s.Clock.Advance(1000 * time.Hour)
		if _, err := s.App.Purge(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		ask(sms, american).Refused(400, "unsubscribed_phone_number")
		s.Call(http.MethodPost, sms.path("send"), body{"phone_number": american}).Refused(400, "unsubscribed_phone_number")
		s.Browser().Call(http.MethodPost, "/sdk/v1/otps/sms/login_or_create", body{"phone_number": american}).Refused(400, "unsubscribed_phone_number")
		if n := p.times(); n != 0 || count(t, s, "SELECT count(*) FROM users") != users {
			t.Errorf("the provider was asked %d times more", n)
		}

		// It is that channel, that number and that environment alone.
		ask(sms, canadian).OK()
		p.refuse(american, 0)
		ask(whatsapp, american).OK()
		if n := p.times(); n != 2 {
			t.Errorf("the provider was asked %d times", n)
		}
		ask(sms, american).Refused(400, "unsubscribed_phone_number")
		list, err := s.App.Messages.UnreachableNumbers(t.Context(), s.Env, 10)
		if err != nil || len(list) != 1 || list[0].Number != american || list[0].Channel != delivery.SMS || list[0].EndsAt != nil {
			t.Errorf("%+v, %v", list, err)
		}
		if err := s.App.Messages.Forget(t.Context(), s.Env, american); err != nil {
			t.Fatal(err)
		}
		ask(sms, american).OK()
		if n := p.times(); n != 1 {
			t.Errorf("the provider was asked %d times", n)
		}
		if err := s.App.Messages.Forget(t.Context(), s.Env, american); err == nil {
			t.Error("nothing was forgotten, and nobody told")
		}
	})
}

func TestANumberThatItsCarrierRefusesIsTriedAgainLater(t *testing.T) {
	throughTwilio(t, func(t *testing.T, s *authtest.Server, p *provider, ask func(c channel, number string) *authtest.Answer) {
		p.refuse(american, 21614)
		ask(sms, american).OK()
		ask(sms, american).Refused(400, "downstream_carrier_error")
		s.Clock.Advance(time.Hour)
		ask(sms, american).OK() // and refused once more
		ask(sms, american).Refused(400, "downstream_carrier_error")
		if n := p.times(); n != 2 {
			t.Errorf("the provider was asked %d times", n)
		}
		s.Clock.Advance(time.Hour)
		p.refuse(american, 0)
		ask(sms, american).OK()
		ask(sms, american).OK()
		if n := count(t, s, "SELECT count(*) FROM unreachable_numbers"); n != 0 {
			t.Errorf("%d numbers are kept back", n)
		}

		// What is wrong with the account says nothing about a number.
		p.refuse(american, 21408)
		ask(sms, american).OK()
		ask(sms, american).OK()

		// A purge takes what is over, and no more.
		p.refuse(canadian, 30003)
		ask(sms, canadian).OK()
		s.Clock.Advance(2 * time.Hour)
		p.refuse(american, 21610)
		ask(sms, american).OK()
		if _, err := s.App.Purge(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, "SELECT count(*) FROM unreachable_numbers"); n != 1 {
			t.Errorf("%d numbers are kept back", n)
		}
	})
}
