package session_test

import (
	"database/sql"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"
	_ "github.com/jackc/pgx/v5/stdlib"

	"gatehouse/internal/authtest"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// What docs/integrations.md says of row level security: a policy of PostgreSQL
// reads the claims of a verified JWT, as PostgREST hands them over.
func TestRowLevelSecurityByClaims(t *testing.T) {
	if !slices.Contains(storetest.Engines(), store.Postgres) {
		t.Skip("needs PostgreSQL: run it with test/with-postgres")
	}
	db, err := sql.Open("pgx", storetest.EmptyURL(t, store.Postgres))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() // also what is made here
	run := func(statement string, args ...any) {
		t.Helper()
		if _, err := tx.Exec(statement, args...); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	run(`CREATE ROLE gatehouse_rls_test NOLOGIN`)
	run(`CREATE SCHEMA gatehouse_rls_test`)
	run(`CREATE TABLE gatehouse_rls_test.documents (title text, tenant_id text, owner_id text)`)
	run(`ALTER TABLE gatehouse_rls_test.documents ENABLE ROW LEVEL SECURITY`)
	run(`CREATE POLICY own_tenant ON gatehouse_rls_test.documents
		USING (tenant_id = current_setting('request.jwt.claims', true)::json ->> 'tenant_id')`)
	run(`CREATE POLICY own_documents ON gatehouse_rls_test.documents
		USING (owner_id = current_setting('request.jwt.claims', true)::json ->> 'sub')`)
	run(`GRANT USAGE ON SCHEMA gatehouse_rls_test TO gatehouse_rls_test`)
	run(`GRANT SELECT ON gatehouse_rls_test.documents TO gatehouse_rls_test`)

	s := authtest.New(t)
	err = s.Projects.SetJWTTemplate(t.Context(), s.Env.ID, project.JWTTemplate{
		Type: jwttemplate.Session, Content: `{"role": "authenticated", "tenant_id": {{ user.trusted_metadata.tenant_id }}}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	acme, alone := s.Person("ada@example.com"), s.Person("bob@example.com")
	s.Call(put, "/v1/users/"+acme.UserID, fields{"trusted_metadata": fields{"tenant_id": "acme"}}).OK()
	run(`INSERT INTO gatehouse_rls_test.documents VALUES ('plan', 'acme', 'nobody'), ('secret', 'other', 'nobody'), ('diary', 'none', $1)`, alone.UserID)

	visible := func(p *authtest.Person) (n int) {
		t.Helper()
		claims := verified(t, s, p.Session().String("session_jwt"))
		run(`SET LOCAL ROLE gatehouse_rls_test`)
		run(`SELECT set_config('request.jwt.claims', $1, true)`, claims)
		if err := tx.QueryRow(`SELECT count(*) FROM gatehouse_rls_test.documents`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		run(`RESET ROLE`)
		return n
	}
	if n := visible(acme); n != 1 {
		t.Errorf("Ada sees %d rows of her tenant's one", n)
	}
	if n := visible(alone); n != 1 {
		t.Errorf("Bob, who has no tenant, sees %d rows and has one", n)
	}
}

// verified is the payload of a JWT, verified by the published keys alone, as a
// server in front of the database does.
func verified(t *testing.T, s *authtest.Server, token string) string {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := signed.Verify(jwks(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return string(payload)
}
