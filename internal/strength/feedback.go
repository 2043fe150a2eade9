package strength

import "slices"

// feedback says in zxcvbn's words what is wrong with a password and what to do
// better. It is about the longest of its matches, and nothing when the
// password is good enough.
func feedback(t text, score int, matches []match) (warning string, suggestions []string) {
	if len(matches) == 0 {
		return "", []string{
			"Use a few words, avoid common phrases",
			"No need for symbols, digits, or uppercase letters",
		}
	}
	if score >= Sufficient {
		return "", []string{}
	}
	longest := &matches[0]
	for k := range matches {
		if matches[k].len() > longest.len() {
			longest = &matches[k]
		}
	}
	warning, suggestions = about(t, longest, len(matches) == 1)
	return warning, slices.Insert(suggestions, 0, "Add another word or two. Uncommon words are better.")
}

// about is the feedback about one match; sole: it is the whole password.
func about(t text, m *match, sole bool) (warning string, suggestions []string) {
	switch m.pattern {
	case dictionary:
		return aboutWord(m, sole), hintsAboutWord(t, m)
	case spatial:
		warning = "Short keyboard patterns are easy to guess"
		if m.turns == 1 {
			warning = "Straight rows of keys are easy to guess"
		}
		return warning, []string{"Use a longer keyboard pattern with more turns"}
	case repeat:
		warning = `Repeats like "abcabcabc" are only slightly harder to guess than "abc"`
		if m.base == 1 {
			warning = `Repeats like "aaa" are easy to guess`
		}
		return warning, []string{"Avoid repeated words and characters"}
	case sequence:
		return "Sequences like abc or 6543 are easy to guess", []string{"Avoid sequences"}
	case recentYear:
		return "Recent years are easy to guess", []string{"Avoid recent years", "Avoid years that are associated with you"}
	case date:
		return "Dates are often easy to guess", []string{"Avoid dates and years that are associated with you"}
	}
	return "", nil
}

// aboutWord is the warning about a word.
func aboutWord(m *match, sole bool) string {
	switch m.list {
	case passwords:
		switch {
		case sole && len(m.subs) == 0 && !m.reversed && m.rank <= 10:
			return "This is a top-10 common password"
		case sole && len(m.subs) == 0 && !m.reversed && m.rank <= 100:
			return "This is a top-100 common password"
		case sole && len(m.subs) == 0 && !m.reversed:
			return "This is a very common password"
		case m.guesses <= 10000:
			return "This is similar to a commonly used password"
		}
	case wikipedia:
		if sole {
			return "A word by itself is easy to guess"
		}
	case surnames, maleNames, femaleNames:
		if sole {
			return "Names and surnames by themselves are easy to guess"
		}
		return "Common names and surnames are easy to guess"
	}
	return ""
}

// hintsAboutWord are the suggestions about how a word is written.
func hintsAboutWord(t text, m *match) []string {
	var hints []string
	u, lower := t.units[m.i:m.j+1], t.lower[m.i:m.j+1]
	switch {
	case startUpper(u):
		hints = append(hints, "Capitalization doesn't help very much")
	case count(u, isLower) == 0 && !slices.Equal(u, lower):
		hints = append(hints, "All-uppercase is almost as easy to guess as all-lowercase")
	}
	if m.reversed && m.len() >= 4 {
		hints = append(hints, "Reversed words aren't much harder to guess")
	}
	if len(m.subs) > 0 {
		hints = append(hints, "Predictable substitutions like '@' instead of 'a' don't help very much")
	}
	return hints
}
