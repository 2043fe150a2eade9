package app_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery/smtp/smtptest"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/project"
	"gatehouse/internal/reseal"
	"gatehouse/internal/secret"
)

// endsByItself are the sealed columns that are not sealed anew, and why not.
var endsByItself = map[string]string{
	"oauth_flows.sealed":  "a browser on its way to a provider is over in minutes",
	"oauth_tokens.sealed": "a token that a browser brings back is over in minutes",
}

var (
	tablesOf  = regexp.MustCompile(`(?s)CREATE TABLE (\w+) \(\n(.*?)\n\)`)
	columnsOf = regexp.MustCompile(`(?m)^\s+"?(\w*sealed\w*)"? `)
)

// TestEverySealedColumnSurvivesTheOldKey: what is sealed is sealed anew, or ends
// by itself and says so above.
func TestEverySealedColumnSurvivesTheOldKey(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		schema, err := s.DB.Schema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		open := map[string]bool{} // to be found in the schema
		for _, c := range s.Reseal.Columns() {
			open[c.String()] = true
		}
		if len(open) < 9 {
			t.Errorf("only %v", open)
		}
		for name := range endsByItself {
			if open[name] {
				t.Errorf("%s is sealed anew, and does not have to be", name)
			}
			open[name] = true
		}
		for _, table := range tablesOf.FindAllStringSubmatch(schema, -1) {
			for _, column := range columnsOf.FindAllStringSubmatch(table[2], -1) {
				name := table[1] + "." + column[1]
				if !open[name] {
					t.Errorf("%s is not sealed anew after a change of the master key: name it in the Sealed of its package, or in endsByItself", name)
				}
				delete(open, name)
			}
		}
		if len(open) > 0 {
			t.Errorf("there are no columns %v", open)
		}
	})
}

// filledElsewhere is tested (internal/factor/oauth) where there is a provider to get tokens from.
const filledElsewhere = "oauth_provider_tokens.sealed"

// TestTheOldMasterKeyCanGo: everything that lasts works with the new master key
// alone, once the servers had an hour with both.
func TestTheOldMasterKeyCanGo(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		m := newMember(t, s)
		mails := smtptest.Start(t)
		sender, err := s.App.Messages.AddSender(t.Context(), s.Env, smtpSender(mails, usual))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.OAuth.Set(t.Context(), s.Env, "github", &provider.Credentials{ClientID: "me", ClientSecret: "mine"}); err != nil {
			t.Fatal(err)
		}
		client := s.Call(http.MethodPost, "/v1/m2m/clients", fields{"scopes": []string{}}).OK().String("m2m_client", "client_id")
		s.Call(http.MethodPost, "/v1/m2m/clients/"+client+"/secrets/rotate/start", nil).OK()
		jwt := byPassword(m, fields{"session_duration_minutes": 600}).OK().String("session_jwt")
		if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, "http://localhost:3000/authenticate", project.RedirectTypes, false); err != nil {
			t.Fatal(err)
		}
		fresh := secret.NewMasterKey()
		if err := s.Reopen(fresh + "," + s.MasterKey()); err != nil {
			t.Fatal(err)
		}
		if err := s.Reopen(fresh); err == nil {
			t.Error("a server starts with the new key alone while the old one is needed")
		}

		both := s.With(fresh + "," + s.MasterKey())
		counted(t, both.Reseal, func(c reseal.Count) bool { return c.Older > 0 && c.First == 0 })
		s.Clock.Advance(time.Hour)
		if err := both.Outbox.RunPeriodic(t.Context()); err != nil {
			t.Fatal(err)
		}
		counted(t, both.Reseal, func(c reseal.Count) bool { return c.Older == 0 && c.First > 0 })

		if err := both.Outbox.Drain(t.Context()); err != nil { // messages that wait are not sealed anew
			t.Fatal(err)
		}
		sent := len(mails.Messages())

		alone := s.With(fresh)
		after := *s
		after.App, after.URL, m.s = alone.App, alone.URL, &after
		counted(t, after.Reseal, func(c reseal.Count) bool { return c.First > 0 })
		byPassword(m, fields{}).OK()
		byApp(m, fields{}).OK()
		byRecoveryCode(m, fields{}).OK()
		after.Call(http.MethodPost, "/v1/sessions/authenticate", fields{"session_jwt": jwt}).OK()
		if _, c, err := after.OAuth.Credentials(t.Context(), after.Env, "github"); err != nil || c.ClientSecret != "mine" {
			t.Errorf("credentials: %v", err)
		}
		if senders, err := after.App.Messages.Senders(t.Context(), after.Env); err != nil || len(senders) != 1 || senders[0].ID != sender.ID {
			t.Errorf("senders: %v", err)
		}
		after.Call(http.MethodPost, "/v1/passwords/email/reset/start", fields{"email": m.Email, "reset_password_redirect_url": "http://localhost:3000/authenticate"}).OK()
		if got := drainMail(t, &after, mails); len(got) <= sent {
			t.Errorf("%d mails were sent before, and %d now: %s", sent, len(got)-sent, alone.Logs)
		}
		if strings.Contains(alone.Logs.String(), secret.ErrSealed.Error()) {
			t.Errorf("something cannot be opened: %s", alone.Logs)
		}
	})
}

// counted looks at every column that this test fills.
func counted(t *testing.T, s *reseal.Service, right func(reseal.Count) bool) {
	t.Helper()
	counts, err := s.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		if c.String() != filledElsewhere && (!right(c) || c.Lost > 0) {
			t.Errorf("%s: %d under the first key, %d under others, %d under none", c, c.First, c.Older, c.Lost)
		}
	}
}
