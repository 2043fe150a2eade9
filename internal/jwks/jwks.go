// Package jwks owns the verification of JSON Web Tokens that others have
// signed: what a token must look like, which key fits it, what its claims must
// say, and the key sets of issuers, fetched and remembered. It never signs,
// never trusts a key or an address that a token names, and never knows what a
// verified token is good for.
package jwks

import (
	"crypto/subtle"
	"errors"
	"slices"
	"time"
)

// What is wrong with a token. Callers turn these into errors of their own; the
// text is for the log.
var (
	ErrMalformed   = errors.New("the token is malformed")
	ErrSignature   = errors.New("the token's signature does not hold")
	ErrUnknownKey  = errors.New("the token is signed with a key that is not known")
	ErrIssuer      = errors.New("the token is from another issuer")
	ErrAudience    = errors.New("the token is for another audience")
	ErrExpired     = errors.New("the token has expired")
	ErrNotYet      = errors.New("the token is not valid yet")
	ErrNonce       = errors.New("the token belongs to another request")
	ErrUnavailable = errors.New("the keys of the issuer cannot be read")
	// ErrKeys is about a key set, never about a token.
	ErrKeys = errors.New("the keys cannot be used")
)

// Expect is what a token must say. An Expect that names no issuer or no
// audience accepts nothing.
type Expect struct {
	Issuers  []string              // one of these, exactly
	Issuer   func(iss string) bool // in place of Issuers, for an issuer with a part that varies
	Audience []string              // one of these must be among the token's audiences, exactly
	// AuthorizedParty applies OpenID Connect Core 3.1.3.7, numbers 4 and 5: a
	// token for several audiences names in azp whom it was issued to, and
	// whoever is named must be in Audience.
	AuthorizedParty bool
	Algorithms      []string // of RS, PS, ES and EdDSA; none given: all of these
	Types           []string // the typ of the header, where there is one; none given: JWT, at+jwt, id_token+jwt
	Leeway          time.Duration
	Nonce           string // empty: none was sent
	RequireExpiry   bool   // exp is judged whenever it is there; this refuses a token without
}

// check judges the claims at an instant.
func (e *Expect) check(c Claims, now time.Time) error {
	iss := c.String("iss")
	switch {
	case iss == "":
		return ErrIssuer
	case e.Issuer != nil && !e.Issuer(iss):
		return ErrIssuer
	case e.Issuer == nil && !slices.Contains(e.Issuers, iss):
		return ErrIssuer
	}
	if err := e.audience(c); err != nil {
		return err
	}
	if err := e.times(c, now); err != nil {
		return err
	}
	if e.Nonce != "" && subtle.ConstantTimeCompare([]byte(c.String("nonce")), []byte(e.Nonce)) != 1 {
		return ErrNonce
	}
	return nil
}

func (e *Expect) audience(c Claims) error {
	aud := c.Strings("aud")
	expected := func(one string) bool { return one != "" && slices.Contains(e.Audience, one) }
	if !slices.ContainsFunc(aud, expected) {
		return ErrAudience
	}
	if !e.AuthorizedParty {
		return nil
	}
	azp, is := c["azp"]
	if !is && len(aud) == 1 {
		return nil
	}
	if name, _ := azp.(string); !expected(name) {
		return ErrAudience
	}
	return nil
}

func (e *Expect) times(c Claims, now time.Time) error {
	leeway := max(e.Leeway, 0)
	for _, name := range []string{"exp", "nbf", "iat"} {
		_, is := c[name]
		at, readable := c.Time(name)
		switch {
		case !is && name == "exp" && e.RequireExpiry:
			return malformed("exp is missing")
		case !is:
		case !readable:
			return malformed("%s is not a time", name)
		case name == "exp" && !now.Before(at.Add(leeway)):
			return ErrExpired
		case name != "exp" && now.Add(leeway).Before(at):
			return ErrNotYet
		}
	}
	return nil
}
