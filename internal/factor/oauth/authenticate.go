package oauth

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/pkce"
	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
)

var errNoToken = apierr.New(400, "oauth_token_not_found", "The OAuth token is unknown, was used already, or is older than five minutes. Sign in with the provider again.")

// prove finishes with a token: it uses the token up, and names whom the account
// in it signs in.
func (s *Service) prove(ctx context.Context, tx *store.Tx, req *authenticateRequest, resp *loginResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	proof := session.Proof{Factor: session.Factor{Type: factorType}}
	k, err := s.ticket(tx, env, req.Token)
	if err != nil {
		return proof, err
	}
	p, err := findProvider(k.provider)
	if err != nil {
		return proof, err
	}
	var a account
	if err := s.unseal(accountPurpose, env, k.sealed, &a); err != nil {
		return proof, err
	}
	proof.Factor = session.OAuth(p.Name, session.OAuthFactor{ProviderSubject: a.Identity.Subject})
	if err := pkce.Verify(k.challenge, req.CodeVerifier); err != nil {
		// The token stays for whoever has the verifier. To have a token is no
		// attempt at somebody's account, and locks nobody.
		return proof, err
	}
	o, err := held(tx, env, p, a.Identity, k.userID)
	if err != nil {
		return proof, err
	}
	first, err := takeToken(tx, env.ID, k.hash)
	if err != nil {
		return proof, err
	}
	if !first {
		return proof, errNoToken // another request was faster
	}
	if err := s.settle(tx, env, o, k.sessionID, &proof); err != nil {
		return proof, err
	}
	proof.Done = inTurn(proof.Done, s.keepTokens(env, o, &a))
	resp.fill(o, a.Tokens)
	return proof, nil
}

// ticket reads the ticket of a token that can still be used.
func (s *Service) ticket(tx *store.Tx, env *project.Environment, token string) (*ticket, error) {
	if !secret.ValidToken(token) {
		return nil, errNoToken
	}
	k, err := tokenByHash(tx, env.ID, secret.Hash(token))
	switch {
	case errors.Is(err, store.ErrNoRows):
		return nil, errNoToken
	case err == nil && !k.enabled:
		return nil, notSetUp(k.provider) // an operator has switched it off meanwhile
	}
	return k, err
}

// raced reports whether an error may come of two logins at one moment, which
// made a user of the same account or with the same address.
func raced(err error) bool {
	verdict := apierr.From(err)
	duplicate := verdict != nil && (verdict.Type == "duplicate_email" || verdict.Type == "duplicate_oauth_registration")
	return errors.Is(err, errRaced) || store.IsUnique(err) || duplicate
}

// Sandbox implements session.Sandboxed.
func (req *authenticateRequest) Sandbox() (*session.SandboxProof, error) {
	switch req.Token {
	case sandbox.OAuth:
		return &session.SandboxProof{
			Factor: session.OAuth("google", session.OAuthFactor{
				ID: sandbox.OAuthID, ProviderSubject: sandbox.OAuthSubject, EmailID: sandbox.EmailID,
			}),
			Fill: func(resp any) {
				r := resp.(*loginResponse)
				r.ProviderSubject, r.ProviderType, r.RegistrationID = sandbox.OAuthSubject, "Google", sandbox.OAuthID
				r.ProviderValues.Scopes = []string{}
			},
		}, nil
	case sandbox.OAuthAbsent:
		return nil, errNoToken
	}
	return nil, nil
}
