package m2m_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
)

func operand(name any, value any) fields { return fields{"filter_name": name, "filter_value": value} }

// find returns the names of the clients that a query finds.
func find(s *authtest.Server, operator string, operands ...fields) string {
	a := s.Call(http.MethodPost, "/v1/m2m/clients/search", fields{"query": fields{"operator": operator, "operands": append([]fields{}, operands...)}}).OK()
	var names []string
	for _, c := range a.Get("m2m_clients").([]any) {
		names = append(names, c.(fields)["client_name"].(string))
	}
	if total := a.Get("results_metadata", "total"); total != float64(len(names)) {
		names = append(names, fmt.Sprint("of ", total))
	}
	return strings.Join(names, " ")
}

func TestSearchFilters(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for i, scopes := range [][]string{{"read:users"}, {"read:users", "write:users"}, {"write:users"}, {}} {
			s.Call(http.MethodPost, "/v1/m2m/clients", fields{"client_id": fmt.Sprint("c", i), "client_name": fmt.Sprint("N", i), "scopes": scopes}).OK()
		}
		newClient(s.Environment("other"), "read:users")
		for _, c := range []struct{ operator, want, got string }{
			{"", "N0 N1 N2 N3", find(s, "")},
			{"AND", "N1 N3", find(s, "AND", operand("client_id", []string{"c1", "c3", "c9"}))},
			{"AND", "N1", find(s, "AND", operand("client_name", []string{"N1"}))},
			{"AND", "", find(s, "AND", operand("client_name", []string{"n1", "N"}))},
			{"AND", "N0 N1", find(s, "AND", operand("scopes", []string{"read:users"}))},
			{"AND", "N0 N1 N2", find(s, "AND", operand("scopes", []string{"read:users", "write:users"}))},
			{"AND", "N1", find(s, "AND", operand("scopes", []string{"read:users"}), operand("scopes", []string{"write:users"}))},
			{"OR", "N0 N1 N3", find(s, "OR", operand("scopes", []string{"read:users"}), operand("client_id", []string{"c3"}))},
			{"AND", "", find(s, "AND", operand("scopes", []string{"read:*"}))},
			{"AND", "", find(s, "AND", operand("client_name", []string{"' OR 1=1 --", "\ufffd%"}))},
		} {
			if c.got != c.want {
				t.Errorf("%s: found %q, want %q", c.operator, c.got, c.want)
			}
		}
	})
}

func TestSearchRefusals(t *testing.T) {
	s := authtest.New(t)
	many := make([]string, 1001)
	for _, c := range []struct {
		body   fields
		refuse string
	}{
		{fields{"query": fields{"operator": "NOT"}}, "m2m_search_invalid_operator"},
		{fields{"query": fields{"operands": []fields{{"filter_value": []string{"a"}}}}}, "m2m_search_missing_filter_name"},
		{fields{"query": fields{"operands": []fields{operand(1, []string{"a"})}}}, "m2m_search_filter_name_must_be_string"},
		{fields{"query": fields{"operands": []fields{operand("status", []string{"a"})}}}, "m2m_search_filter_name_not_recognized"},
		{fields{"query": fields{"operands": []fields{{"filter_name": "scopes"}}}}, "m2m_search_missing_filter_value"},
		{fields{"query": fields{"operands": []fields{operand("scopes", []string{})}}}, "m2m_search_missing_filter_value"},
		{fields{"query": fields{"operands": []fields{operand("scopes", "a")}}}, "m2m_search_expected_array_of_strings"},
		{fields{"query": fields{"operands": []fields{operand("scopes", []any{"a", nil})}}}, "m2m_search_expected_array_of_strings"},
		{fields{"query": fields{"operands": []fields{operand("scopes", many)}}}, "m2m_search_maximum_filter_value_count_exceeded"},
		{fields{"query": fields{"operands": slices.Repeat([]fields{operand("scopes", []string{"a"})}, 51)}}, "m2m_search_maximum_filter_value_count_exceeded"},
		{fields{"limit": 0}, "m2m_search_invalid_limit"},
		{fields{"limit": 1001}, "m2m_search_invalid_limit"},
		{fields{"cursor": "x"}, "m2m_search_invalid_cursor"},
	} {
		s.Call(http.MethodPost, "/v1/m2m/clients/search", c.body).Refused(400, c.refuse)
	}
}

func TestSearchPages(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for i := range 25 {
			s.Call(http.MethodPost, "/v1/m2m/clients", fields{"client_id": fmt.Sprintf("c%02d", i), "scopes": []string{"a"}}).OK()
		}
		query := fields{"operator": "AND", "operands": []fields{operand("scopes", []string{"a"})}}
		var found []string
		body := fields{"limit": 10, "query": query}
		for pages := 1; ; pages++ {
			a := s.Call(http.MethodPost, "/v1/m2m/clients/search", body).OK()
			for _, c := range a.Get("m2m_clients").([]any) {
				found = append(found, c.(fields)["client_id"].(string))
			}
			if a.Get("results_metadata", "total") != 25.0 {
				t.Errorf("page %d: %v", pages, a.Get("results_metadata"))
			}
			next, _ := a.Get("results_metadata", "next_cursor").(string)
			if pages == 1 {
				// Who comes and goes meanwhile moves nobody.
				s.Call(http.MethodDelete, "/v1/m2m/clients/c03", nil).OK()
				for _, other := range []fields{{}, {"query": fields{"operands": []fields{operand("scopes", []string{"b"})}}}} {
					other["cursor"] = next
					s.Call(http.MethodPost, "/v1/m2m/clients/search", other).Refused(400, "m2m_search_invalid_cursor")
				}
				s.Environment("other").Call(http.MethodPost, "/v1/m2m/clients/search", fields{"query": query, "cursor": next}).Refused(400, "m2m_search_invalid_cursor")
				users := s.Call(http.MethodPost, "/v1/users/search", fields{"cursor": next})
				users.Refused(400, "user_search_invalid_cursor")
			}
			if next == "" {
				if pages != 3 {
					t.Errorf("%d pages", pages)
				}
				break
			}
			body["cursor"] = next
		}
		if len(found) != 25 || !slices.IsSorted(found) || len(slices.Compact(found)) != 25 {
			t.Errorf("found %v", found)
		}
	})
}
