package user

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// filter is one condition of a search in the forms that a plan can use.
type filter struct {
	key    string // the condition in normal form, for the cursor
	values int    // how many values were given
	tried  order
	// candidates writes a SELECT of the ids that meet the condition, in the order
	// of the index that finds them, so that a limit ends the reading early; nil
	// when that would be no selection.
	candidates func(q *statement, limit int)
	// holds writes the condition on a row of users u.
	holds func(q *statement)
	// from and before bound the user ids, when the condition is just that.
	from, before string
}

// order is how selective a filter promises to be.
type order int

const (
	exact order = iota // as many users as values at most
	fuzzyOrder
	flagged // possibly everybody
	ranged  // possibly everybody, and free to check
	broad   // never selective
)

// statement is an SQL text under construction. Values enter it only as
// arguments.
type statement struct {
	strings.Builder
	args     []any
	env      *project.Environment
	now      int64
	envParam string
}

func newStatement(tx *store.Tx, env *project.Environment) *statement {
	return &statement{env: env, now: store.Millis(tx.Now)}
}

// arg adds an argument and returns its placeholder.
func (q *statement) arg(v any) string {
	q.args = append(q.args, v)
	return fmt.Sprintf("$%d", len(q.args))
}

func (q *statement) envID() string {
	if q.envParam == "" {
		q.envParam = q.arg(q.env.ID)
	}
	return q.envParam
}

// in writes a list of arguments. Its length is rounded up by repeating the
// last one, so that few texts serve all lengths.
func (q *statement) in(values []string) {
	n := 1
	for n < len(values) {
		n *= 2
	}
	q.WriteString(" IN (")
	for i := range n {
		if i > 0 {
			q.WriteByte(',')
		}
		q.WriteString(q.arg(values[min(i, len(values)-1)]))
	}
	q.WriteByte(')')
}

// lastRune ends a prefix range: no term contains it.
const lastRune = "\U0010ffff"

func (q *statement) prefix(column, prefix string) {
	fmt.Fprintf(q, " AND %[1]s >= %[2]s AND %[1]s < %[3]s", column, q.arg(prefix), q.arg(prefix+lastRune))
}

// limited ends a list of candidates.
func (q *statement) limited(order string, limit int) {
	fmt.Fprintf(q, " ORDER BY %s LIMIT %s", order, q.arg(limit))
}

// factors writes which rows of the index of factors are meant: those of a kind
// that have not expired.
func (q *statement) factors(kind string) {
	fmt.Fprintf(q, " FROM user_factors f WHERE f.environment_id = %s AND f.kind = '%s' AND (f.expires_at IS NULL OR f.expires_at > %s)",
		q.envID(), kind, q.arg(q.now))
}

func (q *statement) terms(kind string) {
	fmt.Fprintf(q, " FROM user_terms t WHERE t.environment_id = %s AND t.kind = '%s'", q.envID(), kind)
}

// userHas writes the condition that user u has an index row, read as the
// single value of a subquery. EXISTS would say the same, but PostgreSQL may
// answer it by reading the whole index first, for all users at once.
func (q *statement) userHas(row func()) {
	q.WriteString("(SELECT 1")
	row()
	q.WriteString(" LIMIT 1) IS NOT NULL")
}

// The conditions that lead to the index rows of one user u.
const (
	factorOfUser = " AND f.user_id = u.id AND f.verified IN (TRUE, FALSE)"
	termOfUser   = " AND t.user_id = u.id"
)

// unindexed makes an expression of a column: the rows of one user are few, and
// must be found by the user and not by the column.
func unindexed(column string) string { return "(" + column + " || '')" }

// normalForm sorts values and drops repetitions.
func normalForm(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}

func never(key string) filter {
	return filter{key: key, tried: exact,
		candidates: func(q *statement, _ int) { q.WriteString("SELECT '' AS user_id WHERE FALSE") },
		holds:      func(q *statement) { q.WriteString("FALSE") },
	}
}

// factorIn selects users by a column of their factors' index rows.
func factorIn(kind, column string, values []string, given int) filter {
	values = normalForm(values)
	f := never(strings.Join(values, "\x00"))
	f.values = given
	if len(values) == 0 {
		return f
	}
	f.candidates = func(q *statement, _ int) {
		if column == "id" { // says its kind, and leads to one row
			fmt.Fprintf(q, "SELECT f.user_id FROM user_factors f WHERE f.environment_id = %s AND (f.expires_at IS NULL OR f.expires_at > %s)", q.envID(), q.arg(q.now))
		} else {
			q.WriteString("SELECT f.user_id")
			q.factors(kind)
		}
		q.WriteString(" AND f." + column)
		q.in(values)
	}
	f.holds = func(q *statement) {
		q.userHas(func() {
			q.factors(kind)
			q.WriteString(factorOfUser + " AND " + unindexed("f."+column))
			q.in(values)
		})
	}
	return f
}

// verifiedIs selects users who have a factor of the kind in that state.
func verifiedIs(kind string, verified bool) filter {
	word := map[bool]string{true: "TRUE", false: "FALSE"}[verified]
	return filter{key: word, tried: flagged,
		candidates: func(q *statement, limit int) {
			q.WriteString("SELECT f.user_id")
			q.factors(kind)
			q.WriteString(" AND f.verified = " + word)
			q.limited("f.user_id", limit)
		},
		holds: func(q *statement) {
			q.userHas(func() {
				q.factors(kind)
				q.WriteString(" AND f.user_id = u.id AND f.verified = " + word)
			})
		},
	}
}

func noFactor(kind string) filter {
	return filter{key: "none", tried: broad, holds: func(q *statement) {
		// Written so that PostgreSQL expects most users to meet it.
		q.WriteString("COALESCE((SELECT 1")
		q.factors(kind)
		q.WriteString(factorOfUser + " LIMIT 1), 0) <> 1")
	}}
}

// userIn selects users by a unique column of their own.
func userIn(column string, values []string, given int) filter {
	values = normalForm(values)
	f := never(strings.Join(values, "\x00"))
	f.values = given
	if len(values) == 0 {
		return f
	}
	f.candidates = func(q *statement, _ int) {
		fmt.Fprintf(q, "SELECT c.id AS user_id FROM users c WHERE c.environment_id = %s AND c.%s", q.envID(), column)
		q.in(values)
	}
	f.holds = func(q *statement) {
		fmt.Fprintf(q, "(u.%s IS NOT NULL AND u.%s", column, column)
		q.in(values)
		q.WriteByte(')')
	}
	return f
}

func hasStatus(status string) filter {
	f := filter{key: status, tried: broad, holds: func(q *statement) { fmt.Fprintf(q, "u.status = '%s'", status) }}
	if status == Pending { // the few, which have an index of their own
		f.tried = flagged
		f.candidates = func(q *statement, limit int) {
			fmt.Fprintf(q, "SELECT c.id AS user_id FROM users c WHERE c.environment_id = %s AND c.status = 'pending'", q.envID())
			q.limited("c.id", limit)
		}
	}
	return f
}

// termIn selects users by whole search terms.
func termIn(kind string, values []string, given int) filter {
	values = normalForm(values)
	f := never(strings.Join(values, "\x00"))
	f.values = given
	if len(values) == 0 {
		return f
	}
	f.tried = fuzzyOrder
	f.candidates = func(q *statement, limit int) {
		q.WriteString("SELECT t.user_id")
		q.terms(kind)
		if len(values) == 1 {
			fmt.Fprintf(q, " AND t.term = %s", q.arg(values[0]))
			q.limited("t.user_id", limit)
			return
		}
		q.WriteString(" AND t.term")
		q.in(values)
		fmt.Fprintf(q, " LIMIT %s", q.arg(limit))
	}
	f.holds = func(q *statement) {
		q.userHas(func() {
			q.terms(kind)
			q.WriteString(termOfUser + " AND t.term")
			q.in(values)
		})
	}
	return f
}

// prefixOf is a range of search terms, or of e-mail addresses for KindEmail.
type prefixOf struct{ kind, prefix string }

func (p prefixOf) candidates(q *statement, limit int) {
	if p.kind == KindEmail {
		q.WriteString("SELECT f.user_id")
		q.factors(KindEmail)
		q.prefix("f.value", p.prefix)
		q.limited("f.value", limit)
		return
	}
	q.WriteString("SELECT t.user_id")
	q.terms(p.kind)
	q.prefix("t.term", p.prefix)
	q.limited("t.term", limit)
}

func (p prefixOf) holds(q *statement) {
	q.userHas(func() {
		if p.kind == KindEmail {
			q.factors(KindEmail)
			q.WriteString(factorOfUser)
			q.prefix(unindexed("f.value"), p.prefix)
			return
		}
		q.terms(p.kind)
		q.WriteString(termOfUser)
		q.prefix("t.term", p.prefix)
	})
}

// startsWith selects users by the beginning of a term, in one range or another.
func startsWith(key string, ranges ...prefixOf) filter {
	if !findable(key) || len(key) > 4*maxFuzzy {
		return never(key)
	}
	return filter{key: key, tried: fuzzyOrder, values: 1,
		candidates: func(q *statement, limit int) {
			for i, p := range ranges {
				if i > 0 {
					q.WriteString(" UNION ALL ")
				}
				q.WriteString("SELECT user_id FROM (")
				p.candidates(q, limit)
				q.WriteString(") r")
			}
		},
		holds: func(q *statement) {
			q.WriteByte('(')
			for i, p := range ranges {
				if i > 0 {
					q.WriteString(" OR ")
				}
				p.holds(q)
			}
			q.WriteByte(')')
		},
	}
}

// created selects users by when they were created, from <= t < before in
// milliseconds.
func created(env *project.Environment, from, before int64) filter {
	lo, hi := idAt(env, from), idAt(env, before)
	return filter{key: lo + "\x00" + hi, tried: ranged, from: lo, before: hi,
		candidates: func(q *statement, limit int) {
			fmt.Fprintf(q, "SELECT c.id AS user_id FROM users c WHERE c.environment_id = %s AND c.id >= %s AND c.id < %s",
				q.envID(), q.arg(lo), q.arg(hi))
			q.limited("c.id", limit)
		},
		holds: func(q *statement) { fmt.Fprintf(q, "(u.id >= %s AND u.id < %s)", q.arg(lo), q.arg(hi)) },
	}
}

// selectCandidates returns the ids that meet a filter, in order, and false when
// the filter has more than limit index rows: they are not even read then.
func selectCandidates(tx *store.Tx, env *project.Environment, f *filter, limit int) ([]string, bool, error) {
	q := newStatement(tx, env)
	f.candidates(q, limit+1)
	ids, err := texts(tx.Query(q.String(), q.args...))
	if err != nil || len(ids) > limit {
		return nil, false, err
	}
	return normalForm(ids), true, nil
}

// maxIDs bounds the ids in one statement.
const maxIDs = 256

// selectHolding returns which of the ids, in their order, belong to users for
// whom all conditions hold.
func selectHolding(tx *store.Tx, env *project.Environment, ids []string, conditions []filter) ([]string, error) {
	var holding []string
	for chunk := range slices.Chunk(ids, maxIDs) {
		q := newStatement(tx, env)
		fmt.Fprintf(q, "SELECT u.id FROM users u WHERE u.environment_id = %s AND u.id", q.envID())
		q.in(chunk)
		for _, f := range conditions {
			q.WriteString(" AND ")
			f.holds(q)
		}
		q.WriteString(" ORDER BY u.id")
		list, err := texts(tx.Query(q.String(), q.args...))
		if err != nil {
			return nil, err
		}
		holding = append(holding, list...)
	}
	return holding, nil
}

// selectUsers reads the users with the given ids, in the order of the ids,
// which are sorted.
func selectUsers(tx *store.Tx, env *project.Environment, ids []string) ([]JSON, error) {
	var users []JSON
	for chunk := range slices.Chunk(ids, maxIDs) {
		q := newStatement(tx, env)
		fmt.Fprintf(q, "SELECT %s FROM users u WHERE u.environment_id = %s AND u.id", RowColumns, q.envID())
		q.in(chunk)
		q.WriteString(" ORDER BY u.id")
		rows, err := documents(tx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			users = append(users, r.JSON)
		}
	}
	return users, nil
}

// scanUsers reads users in the order of their ids, from after the one given,
// for whom all (or, with anyOf, one) of the conditions hold.
func scanUsers(tx *store.Tx, env *project.Environment, from, before, after string, conditions []filter, anyOf bool, limit int) ([]*Row, error) {
	q := newStatement(tx, env)
	pageStatement(q, from, before, after, conditions, anyOf, limit)
	return documents(tx, q)
}

func pageStatement(q *statement, from, before, after string, conditions []filter, anyOf bool, limit int) {
	fmt.Fprintf(q, "SELECT %s FROM users u WHERE u.environment_id = %s", RowColumns, q.envID())
	switch {
	case after != "" && after >= from:
		fmt.Fprintf(q, " AND u.id > %s", q.arg(after))
	case from != "":
		fmt.Fprintf(q, " AND u.id >= %s", q.arg(from))
	}
	if before != "" {
		fmt.Fprintf(q, " AND u.id < %s", q.arg(before))
	}
	for i, f := range conditions {
		switch {
		case anyOf && i > 0:
			q.WriteString(" OR ")
		case anyOf:
			q.WriteString(" AND (")
		default:
			q.WriteString(" AND ")
		}
		f.holds(q)
	}
	if anyOf && len(conditions) > 0 {
		q.WriteByte(')')
	}
	fmt.Fprintf(q, " ORDER BY u.id LIMIT %s", q.arg(limit))
}

func documents(tx *store.Tx, q *statement) ([]*Row, error) {
	rows, err := tx.Query(q.String(), q.args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*Row
	for rows.Next() {
		r, err := ScanRow(tx, rows)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}
