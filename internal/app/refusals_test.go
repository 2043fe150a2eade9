package app_test

import (
	"net/http"
	"testing"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/project"
)

// Whoever is refused by a limit, in the database or in memory, finds out by
// which and for how long, from the request_id of the answer.
func TestRefusalsAreExplained(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, "http://localhost:3000/", project.RedirectTypes, true); err != nil {
			t.Fatal(err)
		}
		body := map[string]any{"email": "a@example.com"}
		s.Call(http.MethodPost, "/v1/magic_links/email/login_or_create", body).OK()
		inDatabase := s.Call(http.MethodPost, "/v1/magic_links/email/send", body).Refused(429, "too_many_requests")
		page := s.Browser()
		var inMemory *authtest.Answer
		for range 4 {
			inMemory = page.Call(http.MethodPost, "/sdk/v1/magic_links/authenticate", map[string]any{"token": "none"})
		}
		inMemory.Refused(429, "too_many_requests")
		s.FlushRefusals(t.Context())
		for rule, a := range map[string]*authtest.Answer{"magic links per e-mail address": inDatabase, "sdk magic_links/authenticate": inMemory} {
			events, err := event.OfRequest(t.Context(), s.DB, s.Env.ID, a.String("request_id"))
			if err != nil || len(events) != 1 {
				t.Fatalf("%s: %d events, %v", rule, len(events), err)
			}
			e := events[0]
			if e.Type != "request.limited" || e.Outcome != "too_many_requests" || e.Details["rule"] != rule || e.Details["retry_after_seconds"] == 0 {
				t.Errorf("the log says %+v", e)
			}
		}
		if events, err := event.OfRequest(t.Context(), s.DB, s.Live.ID, inMemory.String("request_id")); len(events) != 0 || err != nil {
			t.Errorf("another environment knows of it: %v, %v", events, err)
		}
	}, func(o *app.Options) { o.Server.SDKRateLimit = 3 })
}

// So is a text to a country that the environment does not allow.
func TestRefusalsByCountryAreExplained(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for channel, rule := range map[string]string{"sms": "messages.sms_countries", "whatsapp": "messages.whatsapp_countries"} {
			a := s.Call(http.MethodPost, "/v1/otps/"+channel+"/login_or_create", map[string]any{"phone_number": "+447400123456"}).
				Refused(400, "invalid_phone_number_country_code")
			s.FlushRefusals(t.Context())
			events, err := event.OfRequest(t.Context(), s.DB, s.Env.ID, a.String("request_id"))
			if err != nil || len(events) != 1 {
				t.Fatalf("%d events, %v", len(events), err)
			}
			if e := events[0]; e.Type != "request.limited" || e.Outcome != "invalid_phone_number_country_code" || e.Details["rule"] != rule || e.Details["country"] != "GB" {
				t.Errorf("the log says %+v", e)
			}
		}
	})
}

// A flood of refusals from one place leaves a bounded number of entries.
func TestRefusalsInTheLogAreBounded(t *testing.T) {
	s := authtest.New(t, func(o *app.Options) { o.Server.SDKRateLimit = 1 })
	page := s.Browser()
	for range 120 {
		page.Call(http.MethodPost, "/sdk/v1/magic_links/authenticate", map[string]any{"token": "none"})
	}
	for range 4 {
		s.FlushRefusals(t.Context())
	}
	events, err := event.List(t.Context(), s.DB, s.Env.ID, "", "request.limited", 1000)
	if err != nil || len(events) != 10 {
		t.Errorf("%d entries, %v", len(events), err)
	}
}
