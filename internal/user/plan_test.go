package user

import (
	"fmt"
	"strings"
	"testing"

	"gatehouse/internal/store"
)

// explain returns how the engine would run a statement.
func (f *fixture) explain(write func(q *statement)) string {
	f.Helper()
	word := map[store.Engine]string{store.SQLite: "EXPLAIN QUERY PLAN ", store.Postgres: "EXPLAIN "}[f.db.Engine()]
	var plan strings.Builder
	err := f.db.View(f.Context(), func(tx *store.Tx) error {
		q := newStatement(tx, f.env)
		write(q)
		rows, err := tx.Query(word+q.String(), q.args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var line string
			var n int64
			if f.db.Engine() == store.SQLite {
				err = rows.Scan(&n, &n, &n, &line)
			} else {
				err = rows.Scan(&line)
			}
			if err != nil {
				return err
			}
			plan.WriteString(line + "\n")
		}
		return rows.Err()
	})
	if err != nil {
		f.Fatal(err)
	}
	return plan.String()
}

// Whatever is asked, an index leads to the answer: the candidates of a filter
// through an index of the filter, a check of one user through that user, a page
// in the order of an index. SQLite plans without looking at the data; for
// PostgreSQL there is enough of it here, and statistics.
func TestSearchPlans(t *testing.T) {
	each(t, func(f *fixture) {
		f.fill(t, 4000)
		if f.db.Engine() == store.Postgres {
			f.analyze(t)
		}
		stamp := `"2026-01-02T03:04:05Z"`
		for name, value := range map[string]string{
			"created_at_greater_than": stamp, "status": `"pending"`, "user_id": `["a","b","c"]`, "full_name_fuzzy": `"needle"`, "oauth_provider": `["google"]`,
			"phone_number": `["+14155552671"]`, "phone_verified": `true`, "phone_number_fuzzy": `"415"`, "email_address": `["user1@example.com","user2@example.com","user3@example.com"]`,
			"email_address_fuzzy": `"needle"`, "email_domain": `["example1.com"]`, "totp_verified": `false`, "password_exists": `true`,
			"email_id": `["email-test-01930e2c-4c7a-7c1e-9a51-0b6a3d1f2e4c"]`,
		} {
			c, err := compileOperand(f.env, Operand{FilterName: fmt.Appendf(nil, "%q", name), FilterValue: []byte(value)})
			if err != nil {
				f.Fatal(err)
			}
			f.checkPlan(name+" candidates", f.explain(func(q *statement) { c.candidates(q, 1001) }))
			f.checkPlan(name+" checked", f.explain(func(q *statement) {
				fmt.Fprintf(q, "SELECT u.id FROM users u WHERE u.environment_id = %s AND u.id = %s AND ", q.envID(), q.arg("user-test-1"))
				c.holds(q)
			}))
			if c.tried != exact { // exact filters always give candidates
				f.checkPlan(name+" page", f.explain(func(q *statement) { pageStatement(q, "", "", "user-test-0", []filter{c}, false, 50) }))
			}
		}
		f.checkPlan("page", f.explain(func(q *statement) { pageStatement(q, "", "", "user-test-0", nil, false, 50) }))
		for name, query := range map[string]string{"by value": selectByValue, "by factor": selectByFactor} {
			f.checkPlan(name, f.explain(func(q *statement) {
				q.WriteString(query)
				q.args = []any{f.env.ID, KindEmail, "user1@example1.com"}
				if query == selectByFactor {
					q.args = []any{f.env.ID, q.now, "email-test-1"}
				}
			}))
		}
	})
}

// checkPlan refuses plans that read a table from end to end, or sort. The rows
// of a condition on users as they are read are no table.
func (f *fixture) checkPlan(what, plan string) {
	f.Helper()
	for line := range strings.Lines(plan) {
		line = strings.TrimSpace(line)
		constant := strings.Contains(line, "CONSTANT ROW") || line == "SCAN r" // what an index has limited
		if strings.HasPrefix(line, "SCAN ") && !constant || strings.Contains(line, "TEMP B-TREE") ||
			strings.Contains(line, "Seq Scan") || strings.Contains(line, "Sort") || strings.Contains(line, "Hash") {
			f.Errorf("%s is not led by an index:\n%s", what, plan)
			return
		}
	}
}
