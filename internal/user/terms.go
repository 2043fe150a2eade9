package user

import "strings"

// The kinds of search term.
const (
	termName     = "name"     // "first last" and "last", folded: a prefix of either finds the user
	termDomain   = "domain"   // domain of an e-mail address
	termPhone    = "phone"    // every suffix of a number, so that a prefix of one is a substring of the number
	termProvider = "provider" // identity provider
)

// The fewest characters a fuzzy filter takes: less would match too many users
// to be of use, and needs more terms per phone number.
const minFuzzy = 3

// term is a word that a user is found by.
type term struct{ kind, text string }

// termsOf lists what a user is found by. An attachment that can still expire
// has no terms yet: they would outlive it.
func termsOf(u *User) []term {
	var list []term
	add := func(kind, text string) {
		t := term{kind, text}
		if text == "" {
			return
		}
		for _, have := range list {
			if have == t {
				return
			}
		}
		list = append(list, t)
	}
	add(termName, foldName(u.Name.FirstName+" "+u.Name.LastName))
	add(termName, foldName(u.Name.LastName))
	for _, f := range u.Factors() {
		if !f.ExpiresAt.IsZero() {
			continue
		}
		switch f.Kind {
		case KindEmail:
			add(termDomain, f.Value[strings.LastIndexByte(f.Value, '@')+1:])
		case KindPhone:
			for i := 0; len(f.Value)-i >= minFuzzy; i++ {
				add(termPhone, f.Value[i:])
			}
		case KindOAuth:
			provider, _, _ := strings.Cut(f.Value, "|")
			add(termProvider, provider)
		}
	}
	return list
}

// foldName makes names comparable: case, composition and spacing do not count.
func foldName(s string) string { return strings.Join(strings.Fields(fold(s)), " ") }

// difference is what a has and b has not.
func difference(a, b []term) []term {
	has := make(map[term]bool, len(b))
	for _, t := range b {
		has[t] = true
	}
	var rest []term
	for _, t := range a {
		if !has[t] {
			rest = append(rest, t)
		}
	}
	return rest
}
