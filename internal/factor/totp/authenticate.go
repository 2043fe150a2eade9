package totp

import (
	"context"
	"errors"
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errExpired          = apierr.New(401, "expired_totp", "The authenticator app was not confirmed in time. Add it again.")
	errUnable           = apierr.New(401, "unable_to_authenticate_totp", "The code is not right. Wait for the next one, and make sure that the device's clock is right.")
	errReplayed         = apierr.New(401, "totp_code_already_authenticated", "The code was already used. Wait for the next one.")
	errNothingToRecover = apierr.New(400, "no_active_recovery_code_backed_factor", "The user has no authenticator app in use, so there is nothing to recover.")
	errUnableRecovery   = apierr.New(401, "unable_to_authenticate_recovery_code", "The recovery code is not right, or was already used. Try another one.")
	errNoRecoveryCodes  = apierr.New(404, "recovery_codes_not_found", "All recovery codes have been used. Sign in with the authenticator app.")
)

// perUser bounds guessing at a user's codes of both kinds, whichever
// authenticator apps are added meanwhile and whatever the lock allows.
var perUser = ratelimit.Rule{Name: "authenticator app attempts per user", Limit: 20, Per: 10 * time.Minute}

// understoodCode refuses what cannot be right before anything is counted.
func understoodCode(_ context.Context, req *authenticateRequest) (string, error) {
	return parseCode(req.Code)
}

func understoodRecoveryCode(_ context.Context, req *recoverRequest) (string, error) {
	return parseRecoveryCode(req.Code)
}

// attempt finds the authenticator app that somebody wants to prove, and counts
// the attempt. At the browser's door the proof belongs to the session that it
// is made in: an app is a second factor there, and nothing without a first.
func (s *Service) attempt(ctx context.Context, tx *store.Tx, userID string, proof *session.Proof) (*user.Row, *held, error) {
	env := project.CallerFrom(ctx).Env
	row, identity, err := s.subject(ctx, tx, userID)
	if err != nil {
		return nil, nil, err
	}
	if identity != nil {
		proof.SessionID = identity.Session.ID
	}
	if err := ratelimit.Spend(tx, perUser, env.ID, ratelimit.Of(row.UserID)); err != nil {
		return nil, nil, err
	}
	h, err := s.hold(tx, env, row)
	return row, h, err
}

// prove finishes with a code of the app. The first one that is right makes an
// enrolment an authenticator app in use. A code that was used already wins
// nothing, so it is nobody's failure: people press twice.
func (s *Service) prove(ctx context.Context, tx *store.Tx, req *authenticateRequest, code string, resp *authenticateResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	proof := session.Proof{Factor: session.Factor{Type: "totp", DeliveryMethod: "authenticator_app"}}
	row, h, err := s.attempt(ctx, tx, req.UserID, &proof)
	if err != nil {
		return proof, err
	}
	proof.UserID = row.UserID
	at, right := matching(h.enrolment.Secret, code, tx.Now)
	if !right {
		return proof, errUnable
	}
	sealed, err := s.resealed(env, h)
	if err != nil {
		return proof, err
	}
	first, err := accept(tx, env.ID, h.record, at, sealed)
	if err != nil {
		return proof, err
	}
	if proof.Uncounted = !first; proof.Uncounted {
		return proof, errReplayed
	}
	proof.Factor.AuthenticatorAppFactor = &session.AuthenticatorAppFactor{TOTPID: h.record.id}
	resp.TOTPID = h.record.id
	if !h.verified {
		proof.Apply = confirm(h.record.id)
	}
	return proof, nil
}

// resealed is what an authenticator app's secrets are kept as after its use:
// sealed with the newest master key, so that old keys can go some day.
func (s *Service) resealed(env *project.Environment, h *held) ([]byte, error) {
	if s.keys.SealedWithFirst(h.record.sealed) {
		return h.record.sealed, nil
	}
	return s.seal(env, h.enrolment)
}

// confirm is the change that comes with the first code.
func confirm(totpID string) func(*user.User) error {
	return func(u *user.User) error {
		at := slices.IndexFunc(u.TOTPs, func(t user.TOTP) bool { return t.TOTPID == totpID })
		if at < 0 {
			return errNone
		}
		u.TOTPs[at].Verified = true
		return nil
	}
}

// proveRecovery finishes with a recovery code, which is used up. One that was
// used already wins nothing, like a code of the app.
func (s *Service) proveRecovery(ctx context.Context, tx *store.Tx, req *recoverRequest, text string, resp *recoverResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	proof := session.Proof{Factor: session.Factor{Type: "recovery_codes", DeliveryMethod: "recovery_code"}}
	row, h, err := s.attempt(ctx, tx, req.UserID, &proof)
	switch {
	case errors.Is(err, errNone), errors.Is(err, errExpired), err == nil && !h.verified:
		return proof, errNothingToRecover
	case err != nil:
		return proof, err
	}
	proof.UserID = row.UserID
	if proof.Uncounted = len(h.enrolment.unused()) == 0; proof.Uncounted {
		return proof, errNoRecoveryCodes
	}
	code := h.enrolment.find(text)
	if proof.Uncounted = code != nil && code.used(); code == nil || code.used() {
		return proof, errUnableRecovery
	}
	code.use(tx.Now)
	sealed, err := s.seal(env, h.enrolment)
	if err != nil {
		return proof, err
	}
	first, err := replaceSealed(tx, env.ID, h.record, sealed)
	if err != nil {
		return proof, err
	}
	if proof.Uncounted = !first; proof.Uncounted {
		return proof, errUnableRecovery
	}
	proof.Factor.RecoveryCodeFactor = &session.RecoveryCodeFactor{RecoveryCodeID: code.ID}
	resp.TOTPID = h.record.id
	left := len(h.enrolment.unused())
	proof.Done = func(tx *store.Tx) error { return s.recovered(tx, env, row, left) }
	return proof, nil
}
