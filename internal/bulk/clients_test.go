package bulk_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/bulk"
)

func importClients(t *testing.T, s *authtest.Server, text string, o bulk.ClientOptions) bulk.ClientResult {
	t.Helper()
	r, err := s.Bulk().ImportClients(t.Context(), s.Env, bulk.Source{Name: "clients", From: strings.NewReader(text)}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const ownClients = `{"client_id":"billing","client_secret":"kX9!vQ2z","client_name":"Billing","client_description":"d","scopes":["read:users"],"trusted_metadata":{"tier":1}}
{"client_id":"stopped","client_secret":"Zt7_pLw-3Qx9","status":"inactive"}

{"client_id":"billing","client_secret":"another-Zt7_pLw-3Qx9"}
{"client_id":"weak","client_secret":"password1"}
{"client_id":"a b","client_secret":"kX9!vQ2z"}
{"client_id":"none"}
{"client_id":"unknown","client_secret":"kX9!vQ2z","surprise":1}
not json
`

func TestImportClients(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		reasons := map[string]int64{"insecure_m2m_client_secret": 1, "m2m_client_invalid_client_id": 1, "no_credentials": 1, "unknown_field": 1, "invalid_json": 1}
		want := bulk.ClientResult{Rows: 8, Created: 2, Existing: 1, Refused: 5, Reasons: reasons}
		if r := importClients(t, s, ownClients, bulk.ClientOptions{DryRun: true}); !reflect.DeepEqual(r, want) {
			t.Errorf("the dry run: %+v", r)
		}
		s.Call("GET", "/v1/m2m/clients/billing", nil).Refused(404, "m2m_client_not_found")
		path := filepath.Join(t.TempDir(), "report")
		report, err := bulk.OpenReport(path)
		if err != nil {
			t.Fatal(err)
		}
		if r := importClients(t, s, ownClients, bulk.ClientOptions{Report: report}); !reflect.DeepEqual(r, want) {
			t.Errorf("imported %+v", r)
		}
		text, err := os.ReadFile(path)
		if err != nil || strings.Count(string(text), "\n") != 5 || !strings.Contains(string(text), `{"row":4,"identifier":"weak","error_type":"insecure_m2m_client_secret"`) || strings.Contains(string(text), "password1") {
			t.Errorf("the report: %s, %v", text, err)
		}
		if err := report.Close(); err != nil {
			t.Error(err)
		}
		c := s.Call("GET", "/v1/m2m/clients/billing", nil).OK()
		if c.Get("m2m_client", "client_name") != "Billing" || c.Get("m2m_client", "trusted_metadata", "tier") != 1.0 || c.Get("m2m_client", "client_secret_last_four") != "vQ2z" {
			t.Errorf("imported %s", c.Text)
		}
		for id, want := range map[string]int{"billing": 200, "stopped": 401} {
			secret := map[string]string{"billing": "kX9!vQ2z", "stopped": "Zt7_pLw-3Qx9"}[id]
			a := s.Request("POST", "/v1/oauth2/token", map[string]string{"grant_type": "client_credentials", "client_id": id, "client_secret": secret}, nil)
			if a.Status != want {
				t.Errorf("%s: %d %s", id, a.Status, a.Text)
			}
		}
		// Again it changes nothing.
		again := bulk.ClientResult{Rows: 8, Existing: 3, Refused: 5, Reasons: reasons}
		if r := importClients(t, s, ownClients, bulk.ClientOptions{}); !reflect.DeepEqual(r, again) {
			t.Errorf("again: %+v", r)
		}
	})
}

const auth0Clients = `{"start":0,"limit":50,"total":6,"clients":[
 {"tenant":"t","global":true,"client_id":"glob","client_secret":"x","name":"All Applications","grant_types":["client_credentials"]},
 {"client_id":"w9mzBXyTPZ","client_secret":"aPpX2k-9vQ_7LmRtY3nW8cDfGhJkLpQ1","name":"Billing","description":"Invoices","app_type":"non_interactive",
  "grant_types":["client_credentials"],"token_endpoint_auth_method":"client_secret_post","client_metadata":{"team":"money"},"jwt_configuration":{"alg":"RS256"}},
 {"client_id":"Kd83jSpa","name":"Page","app_type":"spa","grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none"},
 {"client_id":"NoSecret1","name":"x","grant_types":["client_credentials"]},
 {"client_id":"OwnKey1","client_secret":"s","grant_types":["client_credentials"],"token_endpoint_auth_method":"private_key_jwt"},
 {"client_id":"NoGrant1","client_secret":"bPpX2k-9vQ_7LmRtY3nW8cDfGhJkLpQ1","grant_types":["client_credentials","authorization_code"]}
]}`

const auth0Grants = `[
 {"id":"cgr_1","client_id":"w9mzBXyTPZ","audience":"https://api.example.com","scope":["read:users","write:users"]},
 {"id":"cgr_2","client_id":"w9mzBXyTPZ","audience":"https://other.example.com","scope":["read:users","read:invoices"]},
 {"id":"cgr_3","client_id":"gone","audience":"https://api.example.com","scope":["read:users"]}]`

func TestImportClientsOfAuth0(t *testing.T) {
	grants := func() *bulk.Source { return &bulk.Source{Name: "grants", From: strings.NewReader(auth0Grants)} }
	want := bulk.ClientResult{Rows: 6, Created: 2, Passed: 2, Refused: 2, Reasons: map[string]int64{"no_client_secret": 1, "unsupported_authentication": 1}}
	for audience, scopes := range map[string][]any{"": {"read:users", "write:users", "read:invoices"}, "https://other.example.com": {"read:users", "read:invoices"}} {
		s := authtest.New(t)
		if r := importClients(t, s, auth0Clients, bulk.ClientOptions{From: "auth0", Grants: grants(), Audience: audience}); !reflect.DeepEqual(r, want) {
			t.Errorf("imported %+v", r)
		}
		c := s.Call("GET", "/v1/m2m/clients/w9mzBXyTPZ", nil).OK()
		if got := c.Get("m2m_client", "scopes"); !reflect.DeepEqual(got, any(scopes)) {
			t.Errorf("scopes %v", got)
		}
		if c.Get("m2m_client", "trusted_metadata", "team") != "money" || c.Get("m2m_client", "client_name") != "Billing" || c.Get("m2m_client", "client_description") != "Invoices" {
			t.Errorf("imported %s", c.Text)
		}
		body := map[string]string{"grant_type": "client_credentials", "client_id": "w9mzBXyTPZ", "client_secret": "aPpX2k-9vQ_7LmRtY3nW8cDfGhJkLpQ1", "audience": "https://api.example.com"}
		s.Request("POST", "/v1/oauth2/token", body, nil).OK() // with Auth0's own parameter, too
	}
	s := authtest.New(t)
	for _, broken := range []string{`[{"audience":"x"}]`, `[{"client_id":"a","scope":"x"}]`, `[{"client_id":`} {
		_, err := s.Bulk().ImportClients(t.Context(), s.Env, bulk.Source{Name: "c", From: strings.NewReader(auth0Clients)},
			bulk.ClientOptions{From: "auth0", Grants: &bulk.Source{Name: "g", From: strings.NewReader(broken)}})
		if err == nil {
			t.Errorf("grants %s were taken", broken)
		}
	}
}
