package webauthn

import (
	"bytes"
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errNotFound = apierr.New(404, "webauthn_registration_not_found", "There is no such passkey or security key. It may have been deleted: sign in another way and register it again.")
	errNoActive = apierr.New(400, "no_active_webauthn_registrations", "The user has no passkey or security key for this domain. Register one first.")
)

// startAuthentication is the server's door: with a user it is bound to them,
// without one any passkey of the domain will do.
func (s *Service) startAuthentication(ctx context.Context, req *startAuthenticationRequest) (*startAuthenticationResponse, error) {
	if req.UserID == "" {
		return s.startPrimary(ctx, req)
	}
	return s.startSecondary(ctx, req)
}

// startEither serves clients that do not say which of the two they mean: a
// session makes the difference.
func (s *Service) startEither(ctx context.Context, req *startAuthenticationRequest) (*startAuthenticationResponse, error) {
	if project.CallerFrom(ctx).SessionToken == "" {
		return s.startPrimary(ctx, req)
	}
	return s.startSecondary(ctx, req)
}

// startPrimary begins a login of somebody not known yet. Pages ask for it
// whenever they load, so it touches no storage.
func (s *Service) startPrimary(ctx context.Context, req *startAuthenticationRequest) (*startAuthenticationResponse, error) {
	caller := project.CallerFrom(ctx)
	rpID, err := checkDomain(caller, req.Domain)
	if err != nil {
		return nil, err
	}
	inURL := caller.Browser || req.UseBase64URL
	challenge, err := newAnonymousChallenge(s.keys, caller.Env.ID, rpID, s.db.Now(), caller.Env.Config.RequiresUserVerification(), !inURL)
	if err != nil {
		return nil, err
	}
	o := &requestOptions{rpID: rpID, challenge: challenge, userVerification: verification(caller.Env, req.ReturnPasskey)}
	return &startAuthenticationResponse{Options: o.json(encodingFor(inURL))}, nil
}

// startSecondary begins an authentication of a known user.
func (s *Service) startSecondary(ctx context.Context, req *startAuthenticationRequest) (*startAuthenticationResponse, error) {
	caller := project.CallerFrom(ctx)
	rpID, err := checkDomain(caller, req.Domain)
	if err != nil {
		return nil, err
	}
	challenge := newStoredChallenge()
	resp := &startAuthenticationResponse{}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		who, err := s.subject(ctx, tx, req.UserID)
		if err != nil {
			return err
		}
		if who.Status != user.Active {
			return errPendingUser
		}
		list, err := credentialsOf(tx, caller.Env.ID, who.UserID, rpID)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return errNoActive
		}
		o := &requestOptions{rpID: rpID, challenge: challenge, allow: descriptors(list), userVerification: verification(caller.Env, req.ReturnPasskey)}
		resp.UserID, resp.Options = who.UserID, o.json(encodingFor(caller.Browser || req.UseBase64URL))
		return insertChallenge(tx, caller.Env.ID, &pendingChallenge{
			ID: challengeID(challenge), Ceremony: ceremonyGet, UserID: who.UserID, SessionID: who.sessionID(), Domain: rpID,
			VerifyUser: caller.Env.Config.RequiresUserVerification(), UserHandle: []byte{}, ExpiresAt: tx.Now.Add(challengeLifetime),
		})
	})
	return resp, err
}

// authenticating is an authentication whose cryptography is done: what is left
// needs the transaction.
type authenticating struct {
	credential *credentialRecord
	pending    *pendingChallenge   // of a user-bound ceremony
	anonymous  *anonymousChallenge // of a usernameless one
	result     *asserted
	verdict    error // of the verification
}

var errStale = errAuthenticate.WithMessage("This sign-in was not started here, took longer than five minutes, or is finished. Start it again.")

// prepareAuthentication finds the credential and the ceremony, and verifies the
// signature outside of any transaction, where it holds nobody up.
func (s *Service) prepareAuthentication(ctx context.Context, req *authenticateRequest) (*authenticating, error) {
	caller := project.CallerFrom(ctx)
	env := caller.Env
	sent, err := parseAssertion(req.Credential)
	if err != nil {
		return nil, err
	}
	a := &authenticating{}
	sessionID := ""
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		if a.credential, err = credentialByID(tx, env.ID, sent.ID); err != nil || a.credential == nil {
			return err
		}
		if len(sent.ClientData.Challenge) == anonymousChallengeSize {
			return nil
		}
		if a.pending, err = challengeByID(tx, env.ID, challengeID(sent.ClientData.Challenge)); err != nil || a.pending == nil || a.pending.SessionID == "" {
			return err
		}
		who, err := s.core.Identify(ctx, tx)
		if err == nil {
			sessionID = who.Session.ID
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if a.credential == nil {
		return nil, errNotFound
	}
	verifyUser, err := s.openChallenge(env, sent, a, sessionID)
	if err != nil {
		return nil, err
	}
	if a.verdict = a.checkOwner(sent); a.verdict == nil {
		c := &ceremony{rules: rulesFor(caller, a.credential.Domain), verifyUser: verifyUser, algorithms: algorithms}
		a.result, a.verdict = c.verifyAssertion(sent, a.credential.PublicKey)
	}
	return a, nil
}

// openChallenge makes sure that the answered challenge is one of ours for this
// ceremony, domain and session. An anonymous one is recomputed from the
// credential's own domain. It returns whether user verification was required.
func (s *Service) openChallenge(env *project.Environment, sent *assertion, a *authenticating, sessionID string) (bool, error) {
	if p := a.pending; p != nil {
		if p.Ceremony != ceremonyGet || p.Domain != a.credential.Domain || p.SessionID != sessionID {
			return false, errStale
		}
		return p.VerifyUser, nil
	}
	anonymous, genuine, err := openAnonymousChallenge(s.keys, env.ID, a.credential.Domain, sent.ClientData.Challenge)
	if err != nil {
		return false, err
	}
	if !genuine {
		return false, errStale
	}
	a.anonymous = anonymous
	return anonymous.VerifyUser, nil
}

// checkOwner makes sure that the credential is one the ceremony allows, and
// that the authenticator keeps it for the user we know it to be of. Security
// keys that hold no user handle send none.
func (a *authenticating) checkOwner(sent *assertion) error {
	if a.pending != nil && a.pending.UserID != a.credential.UserID {
		return errAuthenticate.Because(errors.New("the credential is another user's"))
	}
	if sent.UserHandle != nil && !bytes.Equal(sent.UserHandle, a.credential.UserHandle) {
		return errAuthenticate.Because(errors.New("the user handle is not the credential's"))
	}
	return nil
}

// provenUser is whom the ceremony is about: the user it was started for, or
// else the credential's. A refused assertion is that user's failure.
func (a *authenticating) provenUser() string {
	if a.pending != nil {
		return a.pending.UserID
	}
	return a.credential.UserID
}

// proveAuthentication ends the ceremony and records the use of the credential.
// A challenge answered twice or too late is refused without counting towards
// the lock: it proves nothing about anybody.
func (s *Service) proveAuthentication(ctx context.Context, tx *store.Tx, _ *authenticateRequest, a *authenticating, resp *proofResponse) (session.Proof, error) {
	c, env := a.credential, project.CallerFrom(ctx).Env
	proof := session.Proof{Factor: factorOf(c.ID, c.Domain, c.UserAgent)}
	if err := user.Hold(tx, env, a.provenUser()); apierr.From(err) != nil {
		return proof, errNotFound.Because(err) // the user is gone, and the credential too
	} else if err != nil {
		return proof, err
	}
	if a.pending != nil {
		proof.SessionID = a.pending.SessionID
	}
	first, err := a.endCeremony(tx, env.ID)
	if err != nil {
		return proof, err
	}
	if !first {
		return proof, errStale
	}
	if a.verdict != nil {
		proof.UserID = a.provenUser()
		return proof, a.verdict
	}
	resp.RegistrationID = c.ID
	exists, err := s.recordUse(ctx, tx, a)
	if err == nil && !exists {
		return proof, errNotFound // deleted a moment ago: nobody's failure
	}
	proof.UserID = c.UserID
	return proof, err
}

// endCeremony reports whether this transaction is the one, in time, that
// answers the challenge.
func (a *authenticating) endCeremony(tx *store.Tx, envID string) (bool, error) {
	if a.pending != nil {
		if !tx.Now.Before(a.pending.ExpiresAt) {
			return false, nil
		}
		return takeChallenge(tx, envID, a.pending.ID)
	}
	if !tx.Now.Before(a.anonymous.Expires) {
		return false, nil
	}
	return markUsed(tx, envID, a.anonymous.UsedID)
}

// recordUse writes what the assertion says about the credential. A counter
// that did not go up hints at a copy of the key (WebAuthn L3, section 6.1.1):
// it raises an event, and the environment decides whether it also refuses.
// Authenticators without a counter stay at zero. It reports false when the
// credential is gone.
func (s *Service) recordUse(ctx context.Context, tx *store.Tx, a *authenticating) (bool, error) {
	env, c := project.CallerFrom(ctx).Env, a.credential
	// Some providers learn to sync after a key was made, so a changed flag is
	// worth knowing about and no reason to lock its owner out.
	if a.result.Flags.HasBackupEligible() != c.BackupEligible {
		if err := s.report(ctx, tx, eventBackupEligible, c, map[string]any{"backup_eligible": a.result.Flags.HasBackupEligible()}); err != nil {
			return false, err
		}
	}
	counted, err := useCredential(tx, env.ID, c.ID, a.result)
	if err != nil || counted {
		return true, err
	}
	stored, exists, err := signCount(tx, env.ID, c.ID)
	if err != nil || !exists {
		return exists, err
	}
	rejects := env.Config.RejectsSignCount()
	details := map[string]any{"stored": stored, "received": a.result.SignCount, "rejected": rejects}
	if err := s.report(ctx, tx, eventSignCount, c, details); err != nil {
		return true, err
	}
	if rejects {
		return true, errAuthenticate.WithMessage("The passkey's sign counter did not go up, which hints at a copy of it. Sign in another way and register the passkey again.")
	}
	return true, useClone(tx, env.ID, c.ID, a.result)
}
