package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"gatehouse/internal/jwks"
)

// leeway is how far the clock of a provider may be from ours.
const leeway = 30 * time.Second

var errAnotherIssuer = errors.New("the answer is from another issuer")

// expect is what an id_token of a provider must say: its issuer, for one of our
// client ids, and that it ends.
func (p *Provider) expect(c *Credentials, at place) jwks.Expect {
	x := jwks.Expect{
		Issuers: []string{at.Issuer}, Audience: []string{c.ClientID}, AuthorizedParty: true,
		Types:  []string{"JWT", "id_token+jwt"}, // an access token may be for the same audience
		Leeway: leeway, RequireExpiry: true,
	}
	if p.issuer != nil && c.Endpoints.Issuer == "" {
		x.Issuer = func(iss string) bool { return p.issuer(c, iss) }
	}
	return x
}

// checkIssuer compares the issuer that an answer names with the provider the
// browser was sent to (RFC 9207): a code of another must not go to this one.
func checkIssuer(p *Provider, c *Credentials, at place, iss string) error {
	if iss == "" {
		if at.namesIssuer {
			return errors.New("the answer does not name its issuer")
		}
		return nil
	}
	if at.Issuer == "" {
		return nil // it is not known by what name this provider goes
	}
	x := p.expect(c, at)
	if x.Issuer != nil && !x.Issuer(iss) || x.Issuer == nil && !slices.Contains(x.Issuers, iss) {
		return errAnotherIssuer
	}
	return nil
}

// readIDToken verifies the id_token that came with the tokens.
func (v *visit) readIDToken(ctx context.Context) error {
	if v.tokens.ID == "" {
		return v.p.incomplete(errors.New("the answer has no id_token"))
	}
	x := v.p.expect(v.c, v.at)
	if v.p.Nonce {
		if v.answer.Nonce == "" {
			return errCallback.Because(errors.New("the flow has no nonce"))
		}
		x.Nonce = v.answer.Nonce
	}
	claims, err := v.s.keys.Verify(ctx, v.at.JWKS, v.tokens.ID, x)
	if err != nil {
		return errCallback.Because(err)
	}
	v.claims = claims
	return nil
}

// incomplete is the verdict on an answer in which something is missing.
func (p *Provider) incomplete(cause error) error {
	if p == google {
		return errGoogleMissing.Because(cause)
	}
	return errCallback.Because(cause)
}

// openIDAccount reads an account from the id_token, and what that does not say
// from the UserInfo endpoint, where there is one.
func openIDAccount(ctx context.Context, v *visit) (*Identity, error) {
	if v.at.UserInfo != "" {
		more, err := v.get(ctx, v.at.UserInfo, nil)
		if err != nil {
			return nil, err
		}
		// A UserInfo answer about somebody else is not used (Core, section 5.3.2).
		if more.String("sub") != v.claims.String("sub") {
			return nil, errors.New("the UserInfo endpoint speaks of another account")
		}
		v.add(more)
	}
	return v.fromClaims(v.claims), nil
}

// aboutEmail are an address and the claims that vouch for it, which are worth
// nothing beside another address.
var aboutEmail = []string{"email", "email_verified", "xms_edov", "tid"}

// add adds to the id_token what the UserInfo endpoint says beyond it. What the
// id_token says stays: it is signed, and was made for us. An address and what
// vouches for it come from one of the two: from the id_token if it has an
// address, unless it says nothing of it that UserInfo says of the same one.
func (v *visit) add(more jwks.Claims) {
	address, other := v.claims.String("email"), more.String("email")
	vouched := func(name string) bool { return name != "email" && v.claims[name] != nil }
	unused := more
	if address == "" || address == other && !slices.ContainsFunc(aboutEmail, vouched) {
		unused = v.claims
	}
	for _, name := range aboutEmail {
		delete(unused, name)
	}
	for name, value := range more {
		if said := v.claims[name]; said == nil || said == "" {
			v.claims[name] = value
		}
	}
}

// VerifyIDToken reads the account from an id_token that an app or Google One
// Tap got without us. A token with a nonce needs that nonce, as it is or as the
// value whose SHA-256 it is in hexadecimal, and a nonce needs a token with one.
func (s *Service) VerifyIDToken(ctx context.Context, p *Provider, c *Credentials, token, nonce string) (*Identity, error) {
	if !p.native {
		return nil, errNotNative
	}
	at, err := s.find(ctx, p, c)
	if err != nil {
		return nil, errIDToken.Because(err)
	}
	x := p.expect(c, at)
	// Google names the app that asked in azp, and whom the token is for in aud.
	x.Audience, x.AuthorizedParty = slices.Concat(x.Audience, c.NativeClientIDs), false
	claims, err := s.keys.Verify(ctx, at.JWKS, token, x)
	if err != nil {
		return nil, tokenFault(err)
	}
	if said, is := claims["nonce"]; is || nonce != "" {
		text, _ := said.(string)
		sum := sha256.Sum256([]byte(nonce))
		if nonce == "" || text == "" || text != nonce && text != hex.EncodeToString(sum[:]) {
			return nil, errIDTokenNonce
		}
	}
	v := &visit{s: s, p: p, c: c, at: at, tokens: &Tokens{ID: token}, claims: claims}
	who := v.fromClaims(claims)
	if err := who.tidy(); err != nil {
		return nil, errIDToken.Because(err)
	}
	return who, nil
}

func tokenFault(err error) error {
	switch {
	case errors.Is(err, jwks.ErrUnavailable):
		return err // no fault of the token; it may be tried again
	case errors.Is(err, jwks.ErrExpired):
		return errIDTokenExpired.Because(err)
	case errors.Is(err, jwks.ErrAudience):
		return errIDTokenAudience.Because(err)
	}
	return errIDToken.Because(err)
}
