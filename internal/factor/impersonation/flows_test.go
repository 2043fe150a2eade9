package impersonation_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/factor/impersonation"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
)

type body = map[string]any

const (
	server  = "/v1/impersonation/authenticate"
	sdk     = "/sdk" + server
	landing = "http://localhost:3000/authenticate"
)

var support = session.ImpersonatedFactor{ImpersonatorID: "grace", ImpersonatorEmailAddress: "grace@acme.example"}

// allow switches impersonation on and gives it somewhere to lead.
func allow(t *testing.T, s *authtest.Server) {
	t.Helper()
	s.Configure("user_impersonation.enabled", "true")
	if _, err := s.Projects.AddRedirectURL(t.Context(), s.Env.ID, landing, project.RedirectTypes, true); err != nil {
		t.Fatal(err)
	}
	refresh(t, s)
}

func refresh(t *testing.T, s *authtest.Server) {
	t.Helper()
	var err error
	if s.Env, err = s.Projects.Environment(t.Context(), s.Env.ID); err != nil {
		t.Fatal(err)
	}
}

func request(userID string) *impersonation.Request {
	return &impersonation.Request{UserID: userID, Reason: "Ticket 4711: the cart stays empty", As: support}
}

// made is a fresh token for acting as a user.
func made(t *testing.T, s *authtest.Server, userID string) *impersonation.Made {
	t.Helper()
	m, err := s.Impersonation.Create(t.Context(), s.Env, request(userID))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// acting is a page at which support acts as a user.
func acting(t *testing.T, s *authtest.Server, userID string) (*authtest.Browser, *authtest.Answer) {
	t.Helper()
	page := s.Browser()
	in := page.Call(http.MethodPost, sdk, body{"impersonation_token": made(t, s, userID).Token}).OK()
	page.Token = in.String("session_token")
	return page, in
}

func newUser(s *authtest.Server, email string) string {
	return s.Call(http.MethodPost, "/v1/users", body{"email": email}).OK().String("user_id")
}

func events(t *testing.T, s *authtest.Server, userID, prefix string) []event.Event {
	t.Helper()
	all, err := event.List(context.Background(), s.DB, s.Env.ID, userID, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	var found []event.Event
	for _, e := range all {
		if strings.HasPrefix(e.Type, prefix) {
			found = append(found, e)
		}
	}
	return found
}

// isRefused fails the test unless err is this refusal.
func isRefused(t *testing.T, err error, errorType string) {
	t.Helper()
	if refused := apierr.From(err); refused == nil || refused.Type != errorType {
		t.Errorf("it ended with %v, want %s", err, errorType)
	}
}

func TestActingAsAUser(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		userID := newUser(s, "ada@example.com")
		s.Call(http.MethodPut, "/v1/users/"+userID, body{"external_id": "customer-1"}).OK()
		for name, call := range map[string]func(token string) *authtest.Answer{
			"the server's door": func(token string) *authtest.Answer {
				return s.Call(http.MethodPost, server, body{"impersonation_token": token})
			},
			"the browser's door": func(token string) *authtest.Answer {
				return s.Browser().Call(http.MethodPost, sdk, body{"impersonation_token": token})
			},
		} {
			m := made(t, s, "customer-1")
			link, err := url.Parse(m.URL)
			if err != nil || !strings.HasPrefix(m.URL, landing+"?stytch_token_type=impersonation&token=") || link.Query().Get("token") != m.Token {
				t.Errorf("the link is %s, %v", m.URL, err)
			}
			if m.UserID != userID || m.ExpiresAt.Sub(s.Clock.Now()) != 5*time.Minute {
				t.Errorf("made %+v", m)
			}
			in := call(m.Token).OK()
			if in.String("user_id") != userID || in.String("user", "user_id") != userID || in.String("session_jwt") == "" || in.String("session_token") == "" {
				t.Errorf("%s: %s", name, in.Text)
			}
			factor := in.Get("session", "authentication_factors", 0).(body)
			if factor["type"] != "impersonated" || factor["delivery_method"] != "impersonation" {
				t.Errorf("%s: the factor is %v", name, factor)
			}
			as := factor["impersonated_factor"].(body)
			if as["impersonator_id"] != "grace" || as["impersonator_email_address"] != "grace@acme.example" {
				t.Errorf("%s: as %v", name, as)
			}
			expires, err := time.Parse(time.RFC3339, in.String("session", "expires_at"))
			if err != nil || expires.Sub(s.Clock.Now()) != time.Hour {
				t.Errorf("%s: it ends at %v, %v", name, expires, err)
			}
			call(m.Token).Refused(401, "unable_to_auth_impersonation_token")
		}
	})
}

// The session is looked at like any other, and ends after the hour or when it is
// revoked. Every step is in the audit log.
func TestTheHour(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		allow(t, s)
		userID := newUser(s, "ada@example.com")
		page, in := acting(t, s, userID)
		s.Clock.Advance(time.Hour - time.Millisecond)
		page.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", body{}).OK()
		page.Call(http.MethodGet, "/sdk/v1/users/me", nil).OK()
		s.Call(http.MethodPost, "/v1/sessions/authenticate", body{"session_jwt": in.String("session_jwt")}).OK()
		s.Clock.Advance(time.Millisecond)
		page.Call(http.MethodPost, "/sdk/v1/sessions/authenticate", body{}).Refused(404, "session_not_found")

		page, in = acting(t, s, userID)
		page.Call(http.MethodPost, "/sdk/v1/sessions/revoke", nil).OK()
		page.Call(http.MethodGet, "/sdk/v1/users/me", nil).Refused(404, "session_not_found")

		log := events(t, s, userID, "impersonation.")
		var types []string
		for _, e := range log {
			types = append(types, strings.TrimPrefix(e.Type, "impersonation."))
			if e.Details["impersonator_id"] != "grace" || e.Details["impersonator_email_address"] != "grace@acme.example" {
				t.Errorf("%s does not say who: %v", e.Type, e.Details)
			}
		}
		slices.Sort(types) // events of one moment have no order
		if !slices.Equal(types, []string{"create", "create", "end", "start", "start"}) {
			t.Errorf("the log has %v", types)
		}
		for _, e := range log {
			if e.Type == "impersonation.create" && e.Details["reason"] != "Ticket 4711: the cart stays empty" {
				t.Errorf("why is not said: %v", e.Details)
			}
			if e.Type == "impersonation.end" && e.ObjectID != in.String("session", "session_id") {
				t.Errorf("the end is of %s", e.ObjectID)
			}
			if e.Type == "impersonation.start" && !strings.HasPrefix(e.Details["impersonation_id"].(string), "impersonation-test-") {
				t.Errorf("which is not said: %v", e.Details)
			}
		}
		if got := events(t, s, userID, "login"); len(got) != 0 {
			t.Errorf("the user is said to have signed in: %v", got)
		}
	})
}

func TestWhatATokenNeeds(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		userID := newUser(s, "ada@example.com")
		create := func(edit func(*impersonation.Request)) error {
			r := request(userID)
			edit(r)
			_, err := s.Impersonation.Create(t.Context(), s.Env, r)
			return err
		}
		asItIs := func(*impersonation.Request) {}
		isRefused(t, create(asItIs), "user_impersonation_not_allowed")
		s.Call(http.MethodPost, server, body{"impersonation_token": "x"}).Refused(400, "user_impersonation_not_allowed")
		s.Configure("user_impersonation.enabled", "true")
		isRefused(t, create(asItIs), "no_login_redirect_urls_set")
		allow(t, s)
		if err := create(asItIs); err != nil {
			t.Fatal(err)
		}
		for _, reason := range []string{"", "  ", "two\nlines", strings.Repeat("é", 501), "\xff", "hidden\u202etext"} {
			isRefused(t, create(func(r *impersonation.Request) { r.Reason = reason }), "invalid_impersonation_reason")
		}
		if err := create(func(r *impersonation.Request) { r.Reason = strings.Repeat("é", 500) }); err != nil {
			t.Error(err)
		}
		isRefused(t, create(func(r *impersonation.Request) { r.LoginURL = "https://evil.example/" }), "no_match_for_provided_magic_link_url")
		isRefused(t, create(func(r *impersonation.Request) { r.UserID = "user-test-00000000-0000-4000-8000-000000000000" }), "user_not_found")

		s.Configure("sdk.user_impersonation.enabled", "false")
		m := made(t, s, userID)
		s.Browser().Call(http.MethodPost, sdk, body{"impersonation_token": m.Token}).Refused(401, "endpoint_not_authorized_for_sdk")
		s.Call(http.MethodPost, server, body{"impersonation_token": m.Token}).OK()

		// What was made before it was switched off is worth nothing.
		m = made(t, s, userID)
		s.Configure("user_impersonation.enabled", "false")
		s.Call(http.MethodPost, server, body{"impersonation_token": m.Token}).Refused(400, "user_impersonation_not_allowed")
	})
}

// Live environments start closed, at both doors.
func TestLiveStartsClosed(t *testing.T) {
	live := authtest.New(t).LiveServer()
	for path, on := range map[string]bool{"user": live.Env.Config.UserImpersonation.Enabled, "sdk": live.Env.Config.SDK.UserImpersonation.Enabled} {
		if on {
			t.Errorf("%s is open", path)
		}
	}
}

func TestParseImpersonator(t *testing.T) {
	for text, want := range map[string]session.ImpersonatedFactor{
		"grace":                       {ImpersonatorID: "grace"},
		"Grace Hopper":                {ImpersonatorID: "Grace Hopper"},
		"grace@acme.example":          {ImpersonatorID: "grace@acme.example", ImpersonatorEmailAddress: "grace@acme.example"},
		" grace / Grace@ACME.example": {ImpersonatorID: "grace", ImpersonatorEmailAddress: "Grace@acme.example"},
	} {
		got, err := impersonation.ParseImpersonator(text)
		if err != nil || !strings.EqualFold(got.ImpersonatorEmailAddress, want.ImpersonatorEmailAddress) || got.ImpersonatorID != want.ImpersonatorID {
			t.Errorf("ParseImpersonator(%q) = %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", " ", "/", "grace/", "/grace@acme.example", "grace/nobody", "a\nb", strings.Repeat("x", 129), "@"} {
		if got, err := impersonation.ParseImpersonator(text); err == nil {
			t.Errorf("ParseImpersonator(%q) = %+v", text, got)
		}
	}
}
