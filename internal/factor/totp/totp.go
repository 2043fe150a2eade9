// Package totp is the factor that an authenticator app proves: app and server
// share a secret, and whoever types the code that it yields at this moment
// (RFC 6238) has the device. It owns the secrets and the recovery codes that
// stand in for a lost device (table totps). It never signs in anybody whom
// nothing else has named, never mints a session, and never shows a secret
// twice.
package totp

import (
	"context"
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errExpiration  = apierr.New(400, "invalid_expiration", "The expiration must lie between 5 and 1440 minutes.")
	errPendingUser = apierr.New(400, "cannot_use_totp_with_pending_user", "The user is pending. Let them sign in once before they add an authenticator app.")
	errActive      = apierr.New(400, "active_totp_exists", "The user has an authenticator app already. Delete it before adding another one.")
	errNone        = apierr.New(404, "totps_not_found_for_user", "The user has no authenticator app. Add one first.")
)

const (
	// purpose binds what is sealed.
	purpose = "totp"
	// How many minutes an enrolment waits for its first code.
	usualMinutes, minMinutes, maxMinutes = 1440, 5, 1440
	// keepFor is how long an enrolment that is over is still told from one that
	// never was.
	keepFor = 24 * time.Hour
)

// The events of this package, beside the logins that the session core reports.
const (
	eventCreated = "totp.create"
	eventRead    = "totp.recovery_codes.read"
)

// Recovered is told, in the transaction of the login, that a recovery code was
// used and how many are left.
type Recovered func(tx *store.Tx, env *project.Environment, row *user.Row, left int) error

// Service serves authenticator apps at both doors.
type Service struct {
	db        *store.DB
	keys      *secret.Keyring
	users     *user.Service
	core      *session.Core
	recovered Recovered
}

// New returns the service. List Hooks among the hooks of the users.
func New(db *store.DB, keys *secret.Keyring, users *user.Service, core *session.Core, recovered Recovered) *Service {
	return &Service{db, keys, users, core, recovered}
}

// subject is the user a call is about: at the server's door the one it names,
// at the browser's door whoever is signed in, identity then says in what. The
// user's row is held before anything else of the user is looked at.
func (s *Service) subject(ctx context.Context, tx *store.Tx, userID string) (row *user.Row, identity *session.Identity, err error) {
	caller := project.CallerFrom(ctx)
	if caller.Browser {
		if identity, err = s.core.Identify(ctx, tx); err != nil {
			return nil, nil, err
		}
		userID = identity.User.UserID
	}
	if row, err = user.ForUpdate(tx, caller.Env, userID); err != nil || identity == nil {
		return row, nil, err
	}
	// The session may have changed while the row was waited for.
	identity, err = s.core.Identify(ctx, tx)
	return row, identity, err
}

func (s *Service) create(ctx context.Context, req *createRequest) (*createResponse, error) {
	caller := project.CallerFrom(ctx)
	lifetime, err := lifetime(req.ExpirationMinutes)
	if err != nil {
		return nil, err
	}
	if inSandbox(caller, req.UserID) {
		return createInSandbox(caller)
	}
	var resp *createResponse
	var uri string
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		row, identity, err := s.subject(ctx, tx, req.UserID)
		if err != nil {
			return err
		}
		if row.Status != user.Active {
			return errPendingUser
		}
		if identity != nil {
			if err := identity.StepUp(tx.Now); err != nil {
				return err
			}
		}
		e := newEnrolment(caller.Env, tx.Now)
		if err := s.enrol(tx, caller.Env, row, e, tx.Now.Add(lifetime)); err != nil {
			return err
		}
		u, err := row.User()
		if err != nil {
			return err
		}
		uri = keyURI(caller.Env.ProjectName, account(u), e.base32())
		resp = &createResponse{TOTPID: e.ID, Secret: e.base32(), RecoveryCodes: e.unused(), User: row.JSON, UserID: row.UserID}
		return report(ctx, tx, eventCreated, row.UserID, e.ID)
	})
	if err != nil {
		return nil, err
	}
	if caller.Browser {
		resp.User = resp.User.ForBrowser()
		resp.BrowserUser = &resp.User
	}
	resp.QRCode, err = qrCode(uri)
	return resp, err
}

// enrol gives a user an authenticator app that waits for its first code. It
// takes the place of one that still does; one that is in use stays.
func (s *Service) enrol(tx *store.Tx, env *project.Environment, row *user.Row, e *enrolment, expires time.Time) error {
	err := s.users.Apply(tx, env, row, func(u *user.User) error {
		if slices.ContainsFunc(u.TOTPs, func(t user.TOTP) bool { return t.Verified }) {
			return errActive
		}
		u.TOTPs = []user.TOTP{{TOTPID: e.ID, ExpiresAt: expires}}
		return nil
	})
	if err != nil {
		return err
	}
	sealed, err := s.seal(env, e)
	if err != nil {
		return err
	}
	return put(tx, env.ID, &record{userID: row.UserID, id: e.ID, sealed: sealed, expiresAt: expires})
}

// lifetime is how long a request lets an enrolment wait, or the usual time.
func lifetime(asked *int) (time.Duration, error) {
	minutes := usualMinutes
	if asked != nil {
		minutes = *asked
	}
	if minutes < minMinutes || minutes > maxMinutes {
		return 0, errExpiration
	}
	return time.Duration(minutes) * time.Minute, nil
}

// recoveryCodes shows the recovery codes that are left. Whoever reads them can
// stand in for the device, so a page has to step up, and the audit log tells.
func (s *Service) recoveryCodes(ctx context.Context, req *recoveryCodesRequest) (*recoveryCodesResponse, error) {
	caller := project.CallerFrom(ctx)
	if inSandbox(caller, req.UserID) {
		return &recoveryCodesResponse{UserID: sandbox.UserID, TOTPs: []totpWithCodes{{sandbox.TOTPID, true, []string{sandbox.RecoveryCode}}}}, nil
	}
	var resp *recoveryCodesResponse
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		row, identity, err := s.subject(ctx, tx, req.UserID)
		if err != nil {
			return err
		}
		if identity != nil {
			if err := identity.StepUp(tx.Now); err != nil {
				return err
			}
		}
		h, err := s.hold(tx, caller.Env, row)
		if err != nil {
			return err
		}
		resp = &recoveryCodesResponse{UserID: row.UserID, TOTPs: []totpWithCodes{{h.record.id, h.verified, h.enrolment.unused()}}}
		return report(ctx, tx, eventRead, row.UserID, h.record.id)
	})
	return resp, err
}

// held is a user's authenticator app, its secrets opened.
type held struct {
	record    *record
	enrolment *enrolment
	verified  bool
}

// hold reads the authenticator app of a user whose row is held.
func (s *Service) hold(tx *store.Tx, env *project.Environment, row *user.Row) (*held, error) {
	u, err := row.User()
	if err != nil {
		return nil, err
	}
	r, err := byUser(tx, env.ID, row.UserID, tx.ForUpdate())
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, errNone
	}
	at := slices.IndexFunc(u.TOTPs, func(t user.TOTP) bool { return t.TOTPID == r.id })
	switch {
	case at < 0 && r.over(tx.Now) && tx.Now.Before(r.expiresAt.Add(keepFor)):
		return nil, errExpired
	case at < 0:
		return nil, errNone
	}
	e, err := s.open(env, r)
	return &held{r, e, u.TOTPs[at].Verified}, err
}

// Hooks end the secrets of an authenticator app with the app or its user.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnFactorRemoved: func(tx *store.Tx, env *project.Environment, u *user.User, kind, factorID string) error {
			if kind != user.KindTOTP {
				return nil
			}
			return removed(tx, env, u.UserID, factorID)
		},
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return deleteOfUser(tx, env.ID, userID)
		},
	}
}

// removed keeps an enrolment that nobody finished in time, so that whoever
// types a code of it is told so.
func removed(tx *store.Tx, env *project.Environment, userID, totpID string) error {
	r, err := byUser(tx, env.ID, userID, tx.ForUpdate())
	if err != nil || r == nil || r.id != totpID || r.over(tx.Now) {
		return err
	}
	return deleteOfUser(tx, env.ID, userID)
}

// Purge removes up to budget enrolments that nobody is told about any more.
func Purge(tx *store.Tx, budget int) (int64, error) { return purge(tx, tx.Now.Add(-keepFor), budget) }

func report(ctx context.Context, tx *store.Tx, what, userID, totpID string) error {
	caller := project.CallerFrom(ctx)
	e := event.Event{
		EnvironmentID: caller.Env.ID, Type: what, Factor: user.KindTOTP, UserID: userID, ObjectID: totpID, RequestID: caller.RequestID,
	}
	// At the server's door the address is the customer's own server's.
	if caller.Browser {
		e.UserAgent = caller.UserAgent
		if caller.IP.IsValid() {
			e.IP = caller.IP.String()
		}
	}
	return event.Emit(tx, caller.Env.Kind, e)
}
