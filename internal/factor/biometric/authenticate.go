package biometric

import (
	"context"
	"crypto/ed25519"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errNotFound     = apierr.New(404, "biometric_registration_not_found", "There is no such biometric registration. It may have been deleted: sign in another way and register the device again.")
	errNoActive     = apierr.New(400, "no_active_biometric_registrations", "The signed-in user has no biometric registration. Register the device first.")
	errAuthenticate = apierr.New(401, "unable_to_auth_biometric_registration", "The signature does not fit the challenge and the key. Start the sign-in again.")
)

var errStale = errAuthenticate.WithMessage("This sign-in was not started, took longer than five minutes, or is finished. Start it again.")

// startAuthentication gives a device a challenge, which takes the place of an
// earlier one. What names the key is the key itself, which the device and this
// server alone know, so the answer may say whose it is.
func (s *Service) startAuthentication(ctx context.Context, req *startRequest) (*startResponse, error) {
	env := project.CallerFrom(ctx).Env
	key, err := parsePublicKey(req.PublicKey)
	if err != nil {
		return nil, err
	}
	p := &pending{Ceremony: ceremonyAuthenticate, PublicKey: key, Challenge: newChallenge()}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		r, err := registrationByKey(tx, env.ID, key)
		if err != nil {
			return err
		}
		if r == nil {
			return s.unknownKey(ctx, tx)
		}
		p.RegistrationID, p.UserID, p.ExpiresAt = r.ID, r.UserID, tx.Now.Add(challengeLifetime)
		return putChallenge(tx, env.ID, p)
	})
	return p.answer(), err
}

// unknownKey is the verdict on a key that nobody has. Who is signed in and has
// no key at all is told so, which says nothing about anybody else.
func (s *Service) unknownKey(ctx context.Context, tx *store.Tx) error {
	who, err := s.core.Identify(ctx, tx)
	if apierr.From(err) != nil {
		return errNotFound // nobody is signed in
	}
	if err != nil {
		return err
	}
	u, err := who.User.User()
	if err == nil && len(u.BiometricRegistrations) == 0 {
		return errNoActive
	}
	if err != nil {
		return err
	}
	return errNotFound
}

// prepareAuthentication verifies the signature, outside of any transaction.
func (s *Service) prepareAuthentication(ctx context.Context, req *finishRequest) (*finishing, error) {
	env := project.CallerFrom(ctx).Env
	signature, err := parseFinish(env, req)
	if err != nil {
		return nil, err
	}
	f := &finishing{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		known, err := registrationExists(tx, env.ID, req.RegistrationID)
		if err != nil {
			return err
		}
		if !known {
			return errNotFound
		}
		f.pending, err = challengeOf(tx, env.ID, req.RegistrationID, ceremonyAuthenticate)
		if err == nil && f.pending == nil {
			err = errStale
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	f.genuine = ed25519.Verify(f.pending.PublicKey, f.pending.Challenge, signature)
	return f, nil
}

// proveAuthentication ends the ceremony. A wrong signature ends it too, and
// counts towards the lock: each failure takes a challenge, which takes the key.
// What comes twice or too late counts for nothing.
func (s *Service) proveAuthentication(ctx context.Context, tx *store.Tx, _ *finishRequest, f *finishing, resp *finishResponse) (session.Proof, error) {
	env, p := project.CallerFrom(ctx).Env, f.pending
	proof := session.Proof{Factor: factorOf(p.RegistrationID)}
	if err := user.Hold(tx, env, p.UserID); apierr.From(err) != nil {
		return proof, errNotFound.Because(err) // the user is gone, and the key too
	} else if err != nil {
		return proof, err
	}
	// The challenge goes with its registration, so who takes it has a key that
	// still counts.
	first, err := takeChallenge(tx, env.ID, p)
	if err != nil {
		return proof, err
	}
	if !first {
		return proof, errStale
	}
	proof.UserID, resp.RegistrationID = p.UserID, p.RegistrationID
	if !f.genuine {
		return proof, errAuthenticate
	}
	return proof, nil
}
