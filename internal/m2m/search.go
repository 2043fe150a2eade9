package m2m

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errLimit        = apierr.New(400, "m2m_search_invalid_limit", "The limit must lie between 1 and 1000.")
	errCursor       = apierr.New(400, "m2m_search_invalid_cursor", "The cursor does not belong to this query. Send the query of the first page with it, or start again without a cursor.")
	errOperator     = apierr.New(400, "m2m_search_invalid_operator", "The operator of the query must be AND or OR.")
	errNoFilterName = apierr.New(400, "m2m_search_missing_filter_name", "Every operand needs a filter_name.")
	errFilterName   = apierr.New(400, "m2m_search_filter_name_must_be_string", "The filter_name of every operand must be a string.")
	errFilter       = apierr.New(400, "m2m_search_filter_name_not_recognized", "There is no such filter: there are client_id, client_name and scopes.")
	errNoValue      = apierr.New(400, "m2m_search_missing_filter_value", "Every operand needs a filter_value with one value at least.")
	errWantStrings  = apierr.New(400, "m2m_search_expected_array_of_strings", "The filter_value must be a list of strings.")
	errTooManyParts = apierr.New(400, "m2m_search_maximum_filter_value_count_exceeded", "A query may have at most 1000 filter values and 50 operands.")
)

// The bounds of a page, and of a query, whose parameters they bound.
const (
	defaultLimit = 100
	maxLimit     = 1000
	maxOperands  = 50
	maxValues    = 1000
	// maxTotal is how far the clients that match are counted.
	maxTotal = 10_000
)

// Query selects clients. Its zero value, and one without operands, is all.
type Query struct {
	Operator string    `json:"operator" enum:"AND,OR" description:"AND (the default) or OR."`
	Operands []Operand `json:"operands" description:"Empty: every client."`
}

// Operand is one condition: the client_id or the client_name is one of the
// values, or one of the scopes is.
type Operand struct {
	FilterName  json.RawMessage `json:"filter_name" example:"\"scopes\"" description:"client_id, client_name or scopes."`
	FilterValue json.RawMessage `json:"filter_value" description:"A list of strings."`
}

// Search is a request for one page of clients, in the order of their ids, which
// for ids of ours is that of their creation.
type Search struct {
	Query  Query
	Cursor string // "" for the first page
	Limit  int    // 1..1000
}

// Page is the answer to a Search.
type Page struct {
	Clients    []*Client
	Total      int64  // of all pages; -1 when there are too many to count
	NextCursor string // "" on the last page
}

// condition is one operand: the values of a filter, in normal form.
type condition struct {
	filter string
	values []string
}

// Search returns one page. A cursor holds while clients come and go.
func (s *Service) Search(ctx context.Context, env *project.Environment, search Search) (*Page, error) {
	if search.Limit < 1 || search.Limit > maxLimit {
		return nil, errLimit
	}
	conditions, err := search.Query.compile()
	if err != nil {
		return nil, err
	}
	q := selection{env: env, anyOf: search.Query.Operator == "OR", conditions: conditions}
	after, page := "", &Page{Clients: []*Client{}}
	if search.Cursor != "" {
		if after, page.Total, err = s.openCursor(env, q.key(), search.Cursor); err != nil {
			return nil, err
		}
	}
	err = s.DB.View(ctx, func(tx *store.Tx) (err error) {
		if after == "" {
			if page.Total, err = q.count(tx, maxTotal); err != nil {
				return err
			}
		}
		page.Clients, err = q.list(tx, after, search.Limit+1)
		return err
	})
	if err != nil || len(page.Clients) <= search.Limit {
		return page, err
	}
	page.Clients = page.Clients[:search.Limit]
	page.NextCursor, err = s.sealCursor(env, q.key(), page.Clients[search.Limit-1].ClientID, page.Total)
	return page, err
}

const cursorPurpose = "m2m client search cursor"

// A cursor is the total and the id of the last client of the page, stamped for
// the query it belongs to.
func (s *Service) sealCursor(env *project.Environment, query []byte, after string, total int64) (string, error) {
	return s.Keyring.Stamp(cursorPurpose, env.ID, append(binary.BigEndian.AppendUint64(nil, uint64(total)), after...), query)
}

func (s *Service) openCursor(env *project.Environment, query []byte, cursor string) (after string, total int64, err error) {
	payload, ok, err := s.Keyring.Stamped(cursorPurpose, env.ID, cursor, query)
	if err != nil {
		return "", 0, err
	}
	if !ok || len(payload) <= 8 {
		return "", 0, errCursor
	}
	return string(payload[8:]), int64(binary.BigEndian.Uint64(payload)), nil
}

// compile reads the operands of a query. Their order makes no difference.
func (q *Query) compile() ([]condition, error) {
	if q.Operator != "" && q.Operator != "AND" && q.Operator != "OR" {
		return nil, errOperator
	}
	if len(q.Operands) > maxOperands {
		return nil, errTooManyParts
	}
	var list []condition
	given := 0
	for _, o := range q.Operands {
		c, err := o.compile()
		if err != nil {
			return nil, err
		}
		if given += len(c.values); given > maxValues {
			return nil, errTooManyParts
		}
		slices.Sort(c.values)
		c.values = slices.Compact(slices.DeleteFunc(c.values, unfindable))
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b condition) int { return strings.Compare(a.key(), b.key()) })
	return list, nil
}

func (o *Operand) compile() (c condition, err error) {
	var name *string
	if len(o.FilterName) > 0 {
		if err := json.Unmarshal(o.FilterName, &name); err != nil {
			return c, errFilterName
		}
	}
	if name == nil {
		return c, errNoFilterName
	}
	if _, known := filters[*name]; !known {
		return c, errFilter
	}
	var values []*string
	if len(o.FilterValue) == 0 || string(o.FilterValue) == "null" {
		return c, errNoValue
	}
	if err := json.Unmarshal(o.FilterValue, &values); err != nil || slices.Contains(values, nil) {
		return c, errWantStrings
	}
	if len(values) == 0 {
		return c, errNoValue
	}
	c.filter = *name
	for _, v := range values {
		c.values = append(c.values, *v)
	}
	return c, nil
}

// unfindable reports whether s is a text that no row can have.
func unfindable(s string) bool { return !utf8.ValidString(s) || strings.Contains(s, "\x00") }

func (c *condition) key() string { return c.filter + "\x00" + strings.Join(c.values, "\x00") }

// key is the query in normal form, for the cursor.
func (q *selection) key() []byte {
	key := []byte("AND")
	if q.anyOf && len(q.conditions) > 1 {
		key = []byte("OR")
	}
	for i := range q.conditions {
		key = append(append(key, 0, 0), q.conditions[i].key()...)
	}
	return key
}

// Filter is an Operand made in Go.
func Filter(name string, values []string) (o Operand, err error) {
	if o.FilterName, err = json.Marshal(name); err != nil {
		return o, err
	}
	o.FilterValue, err = json.Marshal(values)
	return o, err
}
