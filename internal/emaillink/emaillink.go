// Package emaillink owns one-time links that reach people by e-mail: their
// tokens, what they are bound to, where they lead, and the visit of the hosted
// hop, which changes nothing. It owns the table email_links. It never decides
// what a link proves: factors use links up and say so.
package emaillink

import (
	"errors"
	"net/url"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/pkce"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// Kind is what a link is for: the stytch_token_type that it arrives with.
type Kind string

// The kinds of links.
const (
	MagicLink     Kind = "magic_links"
	ResetPassword Kind = "reset_password"
	Login         Kind = "login"  // in without the password, from the mail that resets it
	Unlock        Kind = "unlock" // a magic link that also ends a lock
	Embedded      Kind = "embedded"
)

// keepFor is how long a link that is over is still told from one that never was.
const keepFor = 7 * 24 * time.Hour

var (
	errExpiration = apierr.New(400, "invalid_expiration", "The expiration must lie between 5 and 10080 minutes (a week).")
	errNative     = apierr.New(400, "pkce_required_for_native_callback", "A redirect URL that opens an app needs PKCE: send a code_challenge.")
	errChallenge  = apierr.New(400, "invalid_pkce_code_challenge", "Links for browsers need PKCE in this environment: send a code_challenge.")
	errNoToken    = apierr.New(400, "no_public_token", "The environment has no public token, which links are made with. Create one with `gatehouse public-token create`.")
)

// ErrUnknown is returned by Find for a token that names no link.
var ErrUnknown = errors.New("emaillink: no such link")

// The bounds of a link's lifetime, in minutes.
const (
	minMinutes = 5
	maxMinutes = 10080
)

// Lifetime is the lifetime a request asks for, or the usual one.
func Lifetime(asked *int, usual int) (time.Duration, error) {
	minutes := usual
	if asked != nil {
		minutes = *asked
	}
	if minutes < minMinutes || minutes > maxMinutes {
		return 0, errExpiration
	}
	return time.Duration(minutes) * time.Minute, nil
}

// CheckChallenge applies the rules for the code_challenge of a request whose
// links may lead to any of the destinations. required says whether the
// environment asks browsers for one.
func CheckChallenge(caller *project.Caller, required bool, challenge string, destinations ...string) error {
	if challenge != "" {
		return pkce.CheckChallenge(challenge)
	}
	for _, d := range destinations {
		if project.IsNative(d) {
			return errNative
		}
	}
	if caller.Browser && required {
		return errChallenge
	}
	return nil
}

// Link is a link as it is kept.
type Link struct {
	Kind          Kind
	UserID        string
	MethodID      string // the email_id it was sent to; of an embedded link, its own id
	Destination   string // where people go, without the token; "" for embedded links
	CodeChallenge string
	IPAddress     string // of the client that asked for it, bounded as session.Started does
	UserAgent     string
	SessionID     string // the session it has to be used in, "" for none
	BrowserID     string // what the asking browser's cookie says; only its hash is kept
	ExpiresAt     time.Time

	hash        []byte
	browserHash []byte
	used        bool
}

// Issue makes a link and returns its token: 264 bits, of which only the hash is
// kept.
func Issue(tx *store.Tx, env *project.Environment, l *Link) (token string, err error) {
	token = secret.Token()
	l.hash = secret.Hash(token)
	l.browserHash = []byte{}
	if l.BrowserID != "" {
		l.browserHash = secret.Hash(l.BrowserID)
	}
	return token, insert(tx, env.ID, l)
}

// URL is the address that a mail carries: the hosted hop at the public URL,
// whatever host a request named, or the destination itself where the
// environment wants that, for apps that take over links of their own domain.
func (l *Link) URL(base string, env *project.Environment, token string) (string, error) {
	if env.Config.EmailLinks.Direct {
		return l.Target(env, token)
	}
	if len(env.PublicTokens) == 0 {
		return "", errNoToken
	}
	return base + Path + "?public_token=" + env.PublicTokens[0].Token + "&stytch_token_type=" + string(l.Kind.tokenType()) + "&token=" + token, nil
}

// tokenType is what a link calls itself on its way: apps know no unlocking.
func (k Kind) tokenType() Kind {
	if k == Unlock {
		return MagicLink
	}
	return k
}

// Path is where the hosted hop is mounted.
const Path = "/v1/magic_links/redirect"

// Target is where a link leads in the end, with its token. The links of a mail
// that resets a password carry the public token too (platform.md, section 17).
func (l *Link) Target(env *project.Environment, token string) (string, error) {
	u, err := url.Parse(l.Destination)
	if err != nil {
		return "", err
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += "stytch_token_type=" + url.QueryEscape(string(l.Kind.tokenType())) + "&token=" + url.QueryEscape(token)
	if l.Kind == ResetPassword || l.Kind == Login {
		if len(env.PublicTokens) == 0 {
			return "", errNoToken
		}
		u.RawQuery += "&public_token=" + env.PublicTokens[0].Token
	}
	return u.String(), nil
}

// Find reads the link of a token of one of the kinds, or returns ErrUnknown.
func Find(tx *store.Tx, env *project.Environment, token string, kinds ...Kind) (*Link, error) {
	if !secret.ValidToken(token) {
		return nil, ErrUnknown
	}
	l, err := byHash(tx, env.ID, secret.Hash(token))
	if errors.Is(err, store.ErrNoRows) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	for _, k := range kinds {
		if l.Kind == k {
			return l, nil
		}
	}
	return nil, ErrUnknown
}

// Open reports whether the link can still be used.
func (l *Link) Open(now time.Time) bool { return !l.used && now.Before(l.ExpiresAt) }

// Use takes the link. Of several that try at once it tells exactly one true.
func (l *Link) Use(tx *store.Tx, env *project.Environment) (bool, error) {
	return take(tx, env.ID, l.hash)
}

// WithdrawOthers ends a user's links except those of one method, and returns how
// many there were.
func WithdrawOthers(tx *store.Tx, env *project.Environment, userID, methodID string) (int64, error) {
	return deleteOthers(tx, env.ID, userID, methodID)
}

// Exhaust uses up all open links of the kinds that a user has: what they were
// asked for has happened.
func Exhaust(tx *store.Tx, env *project.Environment, userID string, kinds ...Kind) error {
	for _, k := range kinds {
		if err := takeAll(tx, env.ID, userID, k); err != nil {
			return err
		}
	}
	return nil
}

// Purge removes up to budget links that have been over for a week.
func Purge(tx *store.Tx, budget int) (int64, error) { return purge(tx, tx.Now.Add(-keepFor), budget) }
