package m2m

import (
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/strength"
)

// The bounds of a client.
const (
	maxClientID    = 128
	maxName        = 256  // characters
	maxDescription = 2048 // characters
	maxScopes      = 100
	maxScopeBytes  = 4096 // of all scopes of a client, which every token carries
	minSecret      = 8
	maxSecret      = 256
)

var (
	errClientID    = apierr.New(400, "m2m_client_invalid_client_id", "A client_id has 1 to 128 letters, digits and characters of . _ ~ @ : | - and begins with a letter or a digit. One that looks like ours must be of this environment's kind.")
	errName        = apierr.New(400, "m2m_client_invalid_client_name", "The client_name may have 256 characters at most.")
	errDescription = apierr.New(400, "m2m_client_invalid_client_description", "The client_description may have 2048 characters at most.")
	errStatus      = apierr.New(400, "m2m_client_invalid_status", "The status must be active or inactive.")
	errScope       = apierr.New(400, "invalid_m2m_client_scope", "A scope is printable ASCII without spaces, double quotes and backslashes.")
	errScopes      = apierr.New(400, "too_many_m2m_client_scopes", "A client may have 100 scopes, of 4096 characters in total.")
	errSecret      = apierr.New(400, "m2m_client_invalid_client_secret", "A client_secret is printable ASCII without spaces.")
	errLongSecret  = apierr.New(400, "client_secret_too_long", "The client_secret may have 256 characters at most.")
	errWeakSecret  = apierr.New(400, "insecure_m2m_client_secret", "The client_secret is too easy to guess: it needs 8 characters at least, and no words, dates or patterns. Leave it out to have one made.")
)

// checkClientID says whether a client may be called so. The ids of ours are
// allowed, for clients that come from a system with the same kind of ids.
func checkClientID(env *project.Environment, clientID string) error {
	if !isClientID(clientID) {
		return errClientID
	}
	if _, kind, ours := id.Split(clientID); ours && !id.Check(id.M2MClient, env.Kind, clientID) || ours && kind != env.Kind {
		return errClientID
	}
	return nil
}

// isClientID reports whether some client could be called so. Every text that it
// accepts stands for itself in a path and in a form.
func isClientID(s string) bool {
	if s == "" || len(s) > maxClientID || !alphanumeric(rune(s[0])) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune("._~@:|-", r) })
}

func alphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

func checkName(name string) error {
	if utf8.RuneCountInString(name) > maxName {
		return errName
	}
	return nil
}

func checkDescription(description string) error {
	if utf8.RuneCountInString(description) > maxDescription {
		return errDescription
	}
	return nil
}

// cleanScopes checks a client's scopes (RFC 6749, section 3.3) and drops
// repetitions. It returns a list of its own, never nil.
func cleanScopes(scopes []string) ([]string, error) {
	clean, size := make([]string, 0, len(scopes)), 0
	for _, scope := range scopes {
		if !isScope(scope) {
			return nil, errScope
		}
		if slices.Contains(clean, scope) {
			continue
		}
		size += len(scope) + 1
		if clean = append(clean, scope); len(clean) > maxScopes || size > maxScopeBytes {
			return nil, errScopes
		}
	}
	return clean, nil
}

func isScope(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

// checkSecret judges a secret that somebody brings along. It is measured like a
// password: below the mark, guessing would be worth the while even at the pace
// that the token endpoint allows. The measure counts ten guesses for a character
// that no pattern explains, where an attacker needs dozens, and so eight such
// characters end a hair below the mark; one more is what they are credited with.
func checkSecret(clientID, name, value string) error {
	switch {
	case len(value) > maxSecret:
		return errLongSecret
	case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errSecret
	case len(value) < minSecret:
		return errWeakSecret
	}
	if strength.Measure(value+"~", clientID, name).Score < strength.Sufficient {
		return errWeakSecret
	}
	return nil
}

// lastFour is the end of a secret, by which people tell it from others.
func lastFour(value string) string { return value[len(value)-4:] }
