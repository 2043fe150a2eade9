package user

import (
	"context"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errLimit  = apierr.New(400, "user_search_invalid_limit", "The limit must lie between 1 and 1000.")
	errCursor = apierr.New(400, "user_search_invalid_cursor", "The cursor does not belong to this query. Send the query of the first page with it, or start again without a cursor.")
)

// The bounds of a page.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// maxCandidates bounds what a search looks at beyond the page it returns: how
// many index rows the most selective filter may have to be worth starting from,
// and so how far totals are counted. Looking in vain at 1000 costs about a
// millisecond, which only the first page of a search pays.
const maxCandidates = 1000

// fewCandidates is when it is cheaper to check each candidate against the other
// filters than to ask those for their candidates too.
const fewCandidates = 64

// Search is a request for one page of users, in the order of their creation.
type Search struct {
	Query  Query
	Cursor string // "" for the first page
	Limit  int    // 1..1000
}

// Page is the answer to a Search.
type Page struct {
	Results    []JSON
	Total      int64  // of all pages; -1 when it is not known
	NextCursor string // "" on the last page
}

// Search returns one page. A cursor holds while users are created and deleted:
// who is created meanwhile appears at the end.
func (s *Service) Search(ctx context.Context, env *project.Environment, search Search) (page *Page, err error) {
	if search.Limit < 1 || search.Limit > maxLimit {
		return nil, errLimit
	}
	conditions, err := compile(env, &search.Query)
	if err != nil {
		return nil, err
	}
	if !env.Live() && search.Query.asksForSandbox() {
		row, err := Sandbox()
		return &Page{Results: []JSON{row.JSON}, Total: 1}, err
	}
	p := plan{env: env, anyOf: search.Query.Operator == "OR" && len(conditions) > 1, conditions: conditions, limit: search.Limit, few: s.candidates}
	at := position{}
	if search.Cursor != "" {
		if at, err = s.openCursor(env, p.key(), search.Cursor); err != nil {
			return nil, err
		}
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		page, err = s.page(tx, p, at)
		return err
	})
	return page, err
}

func (s *Service) page(tx *store.Tx, p plan, at position) (*Page, error) {
	found, err := p.run(tx, at)
	if err != nil {
		return nil, err
	}
	page := &Page{Results: notNil(found.users), Total: found.total}
	if at.after != "" {
		page.Total = at.total
	}
	if found.last != "" {
		page.NextCursor, err = s.sealCursor(p.env, p.key(), position{after: found.last, total: page.Total})
	}
	return page, err
}

// plan is how a search is carried out. Filters that select few users are asked
// for them first; the ids are combined here, and only the users of the page are
// read. When no filter selects few, users are read in order and checked, which
// finds a page soon because many match. Either way the database is only asked
// questions that one index answers, so its planner has nothing to get wrong.
type plan struct {
	env        *project.Environment
	anyOf      bool // OR
	conditions []filter
	limit      int
	few        int // see maxCandidates
}

// result is a page as found; last is the id to go on after, "" at the end.
type result struct {
	users []JSON
	total int64
	last  string
}

// key is the query in normal form.
func (p *plan) key() []byte {
	key := []byte("AND")
	if p.anyOf {
		key = []byte("OR")
	}
	for _, f := range p.conditions {
		key = append(append(key, 0, 0), f.key...)
	}
	return key
}

func (p *plan) run(tx *store.Tx, at position) (*result, error) {
	var ids []string
	var rest []filter
	var err error
	few := false
	switch {
	case at.after != "" && at.total < 0:
		// The first page found that no filter is selective.
	case p.anyOf:
		ids, few, err = p.union(tx)
	default:
		ids, rest, few, err = p.intersection(tx)
	}
	if err != nil {
		return nil, err
	}
	if !few {
		return p.scan(tx, at)
	}
	if len(rest) > 0 {
		if ids, err = selectHolding(tx, p.env, ids, rest); err != nil {
			return nil, err
		}
	}
	r := &result{total: int64(len(ids))}
	start, found := slices.BinarySearch(ids, at.after)
	if found {
		start++
	}
	ids = ids[start:]
	if len(ids) > p.limit {
		ids = ids[:p.limit]
		r.last = ids[p.limit-1]
	}
	r.users, err = selectUsers(tx, p.env, ids)
	return r, err
}

// union asks every filter for its users. It is false when one has too many.
func (p *plan) union(tx *store.Tx) ([]string, bool, error) {
	for _, f := range p.conditions {
		if f.candidates == nil {
			return nil, false, nil
		}
	}
	var all []string
	for i := range p.conditions {
		ids, few, err := selectCandidates(tx, p.env, &p.conditions[i], p.few)
		if err != nil || !few {
			return nil, false, err
		}
		all = append(all, ids...)
	}
	return normalForm(all), true, nil
}

// intersection asks the filters for their users until few are left, and
// returns the filters still to be checked on each. It is false when every
// filter has too many.
func (p *plan) intersection(tx *store.Tx) (ids []string, rest []filter, few bool, err error) {
	for i := range p.conditions {
		f := &p.conditions[i]
		switch {
		case few && f.tried == ranged:
			ids = slices.DeleteFunc(ids, func(id string) bool { return id < f.from || id >= f.before })
			continue
		case f.candidates == nil, few && len(ids) <= fewCandidates:
			rest = append(rest, *f)
			continue
		}
		found, ok, err := selectCandidates(tx, p.env, f, p.few)
		switch {
		case err != nil:
			return nil, nil, false, err
		case !ok:
			rest = append(rest, *f)
		case !few:
			ids, few = found, true
		default:
			has := make(map[string]bool, len(found))
			for _, id := range found {
				has[id] = true
			}
			ids = slices.DeleteFunc(ids, func(id string) bool { return !has[id] })
		}
	}
	return ids, rest, few, nil
}

// scan reads users in order. Nothing is counted except all users, whose number
// is known, and those of a page that is also the last.
func (p *plan) scan(tx *store.Tx, at position) (*result, error) {
	from, before, conditions := "", "", p.conditions
	if !p.anyOf {
		// Ranges bound the reading instead of being checked on every user.
		conditions = nil
		for _, f := range p.conditions {
			if f.before == "" {
				conditions = append(conditions, f)
				continue
			}
			from = max(from, f.from)
			if before == "" || f.before < before {
				before = f.before
			}
		}
	}
	rows, err := scanUsers(tx, p.env, from, before, at.after, conditions, p.anyOf, p.limit+1)
	if err != nil {
		return nil, err
	}
	r := &result{total: int64(len(rows))}
	if len(rows) > p.limit {
		rows = rows[:p.limit]
		r.last = rows[p.limit-1].UserID
		r.total = -1
	}
	if len(p.conditions) == 0 && at.after == "" {
		if r.total, err = Count(tx, p.env); err != nil {
			return nil, err
		}
	}
	for _, row := range rows {
		r.users = append(r.users, row.JSON)
	}
	return r, nil
}
