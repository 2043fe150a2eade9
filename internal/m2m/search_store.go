package m2m

import (
	"fmt"
	"strings"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// filters are the filters of a search, each with the condition that it is on a
// row of clients c. The list of values takes the place of %s.
var filters = map[string]string{
	"client_id":   "c.client_id IN (%s)",
	"client_name": "c.name IN (%s)",
	"scopes":      "c.client_id IN (SELECT s.client_id FROM m2m_scopes s WHERE s.environment_id = c.environment_id AND s.scope IN (%s))",
}

// selection is a query on its way into SQL. Values enter it only as arguments.
type selection struct {
	env        *project.Environment
	anyOf      bool // OR
	conditions []condition
}

// where writes the conditions, and returns the arguments of the statement.
func (q *selection) where() (string, []any) {
	args := []any{q.env.ID}
	text := "c.environment_id = $1"
	var parts []string
	for _, c := range q.conditions {
		if len(c.values) == 0 {
			parts = append(parts, "FALSE")
			continue
		}
		// The length of a list is rounded up by repeating the last value, so that
		// few texts serve all lengths.
		n := 1
		for n < len(c.values) {
			n *= 2
		}
		list := make([]string, n)
		for i := range list {
			args = append(args, c.values[min(i, len(c.values)-1)])
			list[i] = fmt.Sprintf("$%d", len(args))
		}
		parts = append(parts, fmt.Sprintf(filters[c.filter], strings.Join(list, ",")))
	}
	word := " AND "
	if q.anyOf {
		word = " OR "
	}
	if len(parts) > 0 {
		text += " AND (" + strings.Join(parts, word) + ")"
	}
	return text, args
}

// count counts the clients that match, and returns -1 when there are more than
// limit.
func (q *selection) count(tx *store.Tx, limit int) (n int64, err error) {
	where, args := q.where()
	text := fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 AS one FROM m2m_clients c WHERE %s LIMIT %d) AS counted", where, limit+1)
	if err = tx.QueryRow(text, args...).Scan(&n); n > int64(limit) {
		n = -1
	}
	return n, err
}

// list returns at most limit clients in the order of their ids, from the one
// that follows after on.
func (q *selection) list(tx *store.Tx, after string, limit int) ([]*Client, error) {
	where, args := q.where()
	args = append(args, after, limit)
	rows, err := tx.Query(fmt.Sprintf("SELECT %s FROM m2m_clients c WHERE %s AND c.client_id > $%d ORDER BY c.client_id LIMIT $%d",
		columns, where, len(args)-1, len(args)), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []*Client{}
	for rows.Next() {
		c, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// Count is the number of clients of an environment.
func Count(tx *store.Tx, env *project.Environment) (n int64, err error) {
	err = tx.QueryRow(`SELECT COUNT(*) FROM m2m_clients WHERE environment_id = $1`, env.ID).Scan(&n)
	return n, err
}
