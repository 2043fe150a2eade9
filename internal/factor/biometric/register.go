package biometric

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errPendingUser = apierr.New(400, "cannot_use_biometrics_with_pending_user", "The user is pending. Let them sign in once before they use biometrics.")
	errDuplicate   = apierr.New(400, "duplicate_biometric_registration", "This key is already registered. Make a new key on the device and register that one.")
	errTooMany     = apierr.New(400, "too_many_biometric_registrations_for_user", "The user has as many biometric registrations as are allowed. Delete one first.")
	errRegister    = apierr.New(401, "unable_to_register_biometric_registration", "The signature does not fit the challenge and the key. Start the registration again.")
)

var errNotRegistering = errRegister.WithMessage("No registration of this key is under way here: it was not started in this session, took longer than five minutes, or is finished. Start it again.")

const (
	// challengeLifetime is how long a ceremony may take between its two steps.
	challengeLifetime = 5 * time.Minute
	// maxRegistrations is how many keys a user may have. Apps that are deleted and
	// installed again leave their old ones behind.
	maxRegistrations = 50
)

// startRegistration gives the signed-in person's device a challenge. It takes
// the place of one that the session was given before.
func (s *Service) startRegistration(ctx context.Context, req *startRequest) (*startResponse, error) {
	env := project.CallerFrom(ctx).Env
	key, err := parsePublicKey(req.PublicKey)
	if err != nil {
		return nil, err
	}
	p := &pending{Ceremony: ceremonyRegister, PublicKey: key, Challenge: newChallenge()}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		who, err := s.person(ctx, tx)
		if err != nil {
			return err
		}
		taken, err := registrationByKey(tx, env.ID, key)
		if err != nil {
			return err
		}
		if taken != nil {
			return errDuplicate
		}
		p.RegistrationID, p.UserID, p.SessionID = id.New(id.Biometric, env.Kind, tx.Now), who.UserID, who.sessionID
		p.ExpiresAt = tx.Now.Add(challengeLifetime)
		if err := deleteOfSession(tx, env.ID, p.UserID, p.SessionID); err != nil {
			return err
		}
		return putChallenge(tx, env.ID, p)
	})
	return p.answer(), err
}

// person is the signed-in person, who may have a key registered.
type person struct {
	*user.User
	sessionID string
}

// person identifies who is signed in and decides whether they may have another
// key: their session must have earned it, and they must be active.
func (s *Service) person(ctx context.Context, tx *store.Tx) (*person, error) {
	who, err := s.core.Identify(ctx, tx)
	if err != nil {
		return nil, err
	}
	u, err := who.User.User()
	if err != nil {
		return nil, err
	}
	if err := hasRoom(u); err != nil {
		return nil, err
	}
	return &person{u, who.Session.ID}, who.StepUp(tx.Now)
}

func hasRoom(u *user.User) error {
	switch {
	case u.Status != user.Active:
		return errPendingUser
	case len(u.BiometricRegistrations) >= maxRegistrations:
		return errTooMany
	}
	return nil
}

func (p *pending) answer() *startResponse {
	return &startResponse{
		UserID: p.UserID, RegistrationID: p.RegistrationID, Challenge: base64.StdEncoding.EncodeToString(p.Challenge),
	}
}

// finishing is a ceremony whose cryptography is done: what is left needs the
// transaction.
type finishing struct {
	pending *pending
	genuine bool // the signature is the key's, of this challenge
}

// prepareRegistration verifies the signature, outside of any transaction.
func (s *Service) prepareRegistration(ctx context.Context, req *finishRequest) (*finishing, error) {
	env := project.CallerFrom(ctx).Env
	signature, err := parseFinish(env, req)
	if err != nil {
		return nil, err
	}
	f := &finishing{}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		who, err := s.core.Identify(ctx, tx)
		if err != nil {
			return err
		}
		f.pending, err = challengeOf(tx, env.ID, req.RegistrationID, ceremonyRegister)
		if err == nil && (f.pending == nil || f.pending.SessionID != who.Session.ID) {
			err = errNotRegistering
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	f.genuine = ed25519.Verify(f.pending.PublicKey, f.pending.Challenge, signature)
	return f, nil
}

func parseFinish(env *project.Environment, req *finishRequest) ([]byte, error) {
	if err := checkID(env, req.RegistrationID); err != nil {
		return nil, err
	}
	return parseSignature(req.Signature)
}

// proveRegistration ends the ceremony and adds the key. A refusal ends it too,
// but does not count towards the user's lock: nothing can be guessed by
// registering.
func (s *Service) proveRegistration(ctx context.Context, tx *store.Tx, _ *finishRequest, f *finishing, resp *finishResponse) (session.Proof, error) {
	env, p := project.CallerFrom(ctx).Env, f.pending
	proof := session.Proof{Factor: factorOf(p.RegistrationID), SessionID: p.SessionID}
	if err := user.Hold(tx, env, p.UserID); err != nil {
		return proof, err
	}
	// What held when the ceremony began must still hold: the session may have
	// been revoked since, or have grown too old.
	if _, err := s.person(ctx, tx); err != nil {
		return proof, err
	}
	first, err := takeChallenge(tx, env.ID, p)
	switch {
	case err != nil:
		return proof, err
	case !first:
		return proof, errNotRegistering
	case !f.genuine:
		return proof, store.Keep(errRegister)
	}
	added, err := insertRegistration(tx, env.ID, &registration{ID: p.RegistrationID, UserID: p.UserID, PublicKey: p.PublicKey})
	if err != nil {
		return proof, err
	}
	if !added {
		return proof, store.Keep(errDuplicate)
	}
	proof.UserID, resp.RegistrationID = p.UserID, p.RegistrationID
	proof.Apply = func(u *user.User) error {
		if err := hasRoom(u); err != nil {
			return err
		}
		// Signing took the device and, with it, the person.
		u.BiometricRegistrations = append(u.BiometricRegistrations, user.BiometricRegistration{BiometricRegistrationID: p.RegistrationID, Verified: true})
		return nil
	}
	return proof, report(ctx, tx, p)
}

// report writes the registration into the audit log.
func report(ctx context.Context, tx *store.Tx, p *pending) error {
	caller := project.CallerFrom(ctx)
	e := event.Event{
		EnvironmentID: caller.Env.ID, Type: "biometric.register", Factor: "signature_challenge", UserID: p.UserID, ObjectID: p.RegistrationID,
		UserAgent: caller.UserAgent, RequestID: caller.RequestID,
	}
	if caller.IP.IsValid() {
		e.IP = caller.IP.String()
	}
	return event.Emit(tx, caller.Env.Kind, e)
}
