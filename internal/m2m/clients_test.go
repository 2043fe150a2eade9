package m2m_test

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/secret"
)

func TestCreateShowsTheSecretOnce(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		a := s.Call(http.MethodPost, "/v1/m2m/clients", fields{
			"scopes": []string{"read:users", "write:users", "read:users"}, "client_name": "Billing", "client_description": "Sends invoices",
			"trusted_metadata": fields{"tier": 1e20, "team": "money"},
		}).OK()
		clientID, value := a.String("m2m_client", "client_id"), a.String("m2m_client", "client_secret")
		if !id.Check(id.M2MClient, id.Test, clientID) || !secret.ValidToken(value) {
			t.Errorf("%s with %s", clientID, value)
		}
		want := fields{
			"client_id": clientID, "client_name": "Billing", "client_description": "Sends invoices", "status": "active",
			"scopes": []any{"read:users", "write:users"}, "client_secret_last_four": value[40:], "next_client_secret_last_four": nil,
			"trusted_metadata": fields{"tier": 1e20, "team": "money"},
		}
		got := s.Call(http.MethodGet, "/v1/m2m/clients/"+clientID, nil).OK()
		if !reflect.DeepEqual(got.Get("m2m_client"), any(want)) {
			t.Errorf("got %s", got.Text)
		}
		want["client_secret"] = value
		if !reflect.DeepEqual(a.Get("m2m_client"), any(want)) {
			t.Errorf("created %s", a.Text)
		}
		bare := s.Call(http.MethodPost, "/v1/m2m/clients", fields{"scopes": []string{}}).OK()
		if !strings.Contains(bare.Text, `"scopes":[]`) || !strings.Contains(bare.Text, `"trusted_metadata":{}`) || bare.Get("m2m_client", "client_name") != "" {
			t.Errorf("a client of nothing: %s", bare.Text)
		}
	})
}

func TestImportedClients(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		const own, value = "auth0|64f0A.b~c@d:e-f", "kX9!vQ2z"
		create := func(more fields) *authtest.Answer {
			body := fields{"scopes": []string{"a"}}
			for k, v := range more {
				body[k] = v
			}
			return s.Call(http.MethodPost, "/v1/m2m/clients", body)
		}
		a := create(fields{"client_id": own, "client_secret": value}).OK()
		if a.Get("m2m_client", "client_id") != own || a.Get("m2m_client", "client_secret") != value || a.Get("m2m_client", "client_secret_last_four") != "vQ2z" {
			t.Errorf("imported %s", a.Text)
		}
		c := &client{s, own, value}
		c.works(t, "an imported secret", value, true)
		s.Call(http.MethodGet, c.path(""), nil).OK()
		create(fields{"client_id": own}).Refused(400, "duplicate_m2m_client_id")
		create(fields{"client_id": strings.ToUpper(own)}).OK()
		for _, bad := range []struct {
			body   fields
			refuse string
		}{
			{fields{"client_id": "a/b"}, "m2m_client_invalid_client_id"},
			{fields{"client_id": "m2m-client-live-0194f0a2-7c1e-4abc-8def-0123456789ab"}, "m2m_client_invalid_client_id"},
			{fields{"client_secret": "short"}, "insecure_m2m_client_secret"},
			{fields{"client_secret": "password"}, "insecure_m2m_client_secret"},
			{fields{"client_secret": strings.Repeat("x", 257)}, "client_secret_too_long"},
			{fields{"client_secret": "kX9!v Q2z99"}, "m2m_client_invalid_client_secret"},
			{fields{"client_name": strings.Repeat("ü", 257)}, "m2m_client_invalid_client_name"},
			{fields{"client_description": strings.Repeat("ü", 2049)}, "m2m_client_invalid_client_description"},
			{fields{"scopes": []string{"a b"}}, "invalid_m2m_client_scope"},
			{fields{"scopes": strings.Split(strings.Repeat("x", 200), "")}, ""},
			{fields{"scopes": nil}, "bad_request"},
			{fields{"trusted_metadata": []int{1}}, "metadata_invalid_format"},
			{fields{"trusted_metadata": manyKeys(21)}, "metadata_too_many_keys"},
			{fields{"trusted_metadata": fields{"a": strings.Repeat("x", 4096)}}, "metadata_too_large"},
		} {
			if a := create(bad.body); bad.refuse == "" {
				a.OK()
			} else {
				a.Refused(400, bad.refuse)
			}
		}
	})
}

func manyKeys(n int) fields {
	m := fields{}
	for i := range n {
		m[fmt.Sprint("k", i)] = i
	}
	return m
}

func TestUpdateChangesWhatIsSent(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a", "b")
		put := func(body fields) *authtest.Answer { return s.Call(http.MethodPut, c.path(""), body) }
		put(fields{"client_name": "N", "trusted_metadata": fields{"x": 1, "y": fields{"z": 2}}}).OK()
		a := put(fields{"client_description": "D", "trusted_metadata": fields{"x": nil, "y": fields{}}}).OK()
		want := fields{
			"client_id": c.id, "client_name": "N", "client_description": "D", "status": "active", "scopes": []any{"a", "b"},
			"client_secret_last_four": c.secret[40:], "next_client_secret_last_four": nil, "trusted_metadata": fields{"y": fields{}},
		}
		if !reflect.DeepEqual(a.Get("m2m_client"), any(want)) {
			t.Errorf("updated %s", a.Text)
		}
		if a := put(fields{}).OK(); !reflect.DeepEqual(a.Get("m2m_client"), any(want)) {
			t.Errorf("an empty change: %s", a.Text)
		}
		put(fields{"scopes": []string{"c"}}).OK()
		if got := c.ask(c.secret).OK().Get("scope"); got != "c" {
			t.Errorf("after the change the token has %v", got)
		}
		if a := put(fields{"scopes": []string{}}).OK(); len(a.Get("m2m_client", "scopes").([]any)) != 0 {
			t.Errorf("scopes stay: %s", a.Text)
		}
		put(fields{"status": "inactive"}).OK()
		c.works(t, "inactive", c.secret, false)
		if a := c.ask(c.secret); !strings.Contains(a.String("error_description"), "inactive") {
			t.Errorf("who has the secret may know: %s", a.Text)
		}
		if a := c.ask("wrong" + c.secret[5:]); strings.Contains(a.Text, "inactive") {
			t.Errorf("who has none may not: %s", a.Text)
		}
		put(fields{"status": "active"}).OK()
		c.works(t, "active again", c.secret, true)
		put(fields{"status": "paused"}).Refused(400, "m2m_client_invalid_status")
		put(fields{"scopes": []string{"ä"}}).Refused(400, "invalid_m2m_client_scope")
		put(fields{"client_id": "other", "client_secret": "kX9!vQ2z"}).OK()
		c.works(t, "a secret is no field", c.secret, true)
		s.Call(http.MethodPut, "/v1/m2m/clients/nobody", fields{}).Refused(404, "m2m_client_not_found")
	})
}

func TestDelete(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a")
		if a := s.Call(http.MethodDelete, c.path(""), nil).OK(); a.Get("client_id") != c.id || len(a.Body) != 3 {
			t.Errorf("deleted %s", a.Text)
		}
		c.works(t, "deleted", c.secret, false)
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			s.Call(method, c.path(""), nil).Refused(404, "m2m_client_not_found")
		}
		s.Call(http.MethodGet, "/v1/m2m/clients/%00", nil).Refused(400, "bad_request")
		s.Call(http.MethodGet, "/v1/m2m/clients/a%2Fb", nil).Refused(404, "m2m_client_not_found")
		if a := s.Call(http.MethodPost, "/v1/m2m/clients/search", fields{"query": fields{"operands": []fields{{"filter_name": "scopes", "filter_value": []string{"a"}}}}}).OK(); a.Get("results_metadata", "total") != 0.0 {
			t.Errorf("its scopes stay: %s", a.Text)
		}
	})
}

func TestEveryChangeIsInTheAuditLog(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		c := newClient(s, "a")
		s.Call(http.MethodPut, c.path(""), fields{"client_name": "x"}).OK()
		s.Call(http.MethodPost, c.path("/secrets/rotate/start"), fields{}).OK()
		s.Call(http.MethodPost, c.path("/secrets/rotate/cancel"), fields{}).OK()
		s.Call(http.MethodPost, c.path("/secrets/rotate/start"), fields{}).OK()
		s.Call(http.MethodPost, c.path("/secrets/rotate"), fields{}).OK()
		s.Call(http.MethodDelete, c.path(""), nil).OK()
		s.Call(http.MethodDelete, c.path(""), nil).Refused(404, "m2m_client_not_found")
		list, err := event.List(t.Context(), s.DB, s.Env.ID, "", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, e := range list {
			if e.ObjectID == c.id {
				types = append(types, strings.TrimPrefix(e.Type, "m2m_client."))
				if e.RequestID == "" || e.IP != "" {
					t.Errorf("%+v", e)
				}
			}
		}
		slices.Sort(types) // the clock stands still
		if got := strings.Join(types, " "); got != "create delete rotate rotate_cancel rotate_start rotate_start update" {
			t.Errorf("the log has %s", got)
		}
	})
}

func TestTheMetricsOfAProjectCountClients(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		newClient(s)
		newClient(s)
		got := s.Call(http.MethodGet, "/v1/projects/metrics", nil).OK().Get("metrics")
		want := []any{fields{"metric_type": "USER_COUNT", "count": 0.0}, fields{"metric_type": "M2M_CLIENT_COUNT", "count": 2.0}}
		if !reflect.DeepEqual(got, any(want)) {
			t.Errorf("got %v", got)
		}
	})
}
