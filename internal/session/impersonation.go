package session

import (
	"context"
	"errors"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// impersonated is the factor type of a session in which somebody else acts as
// the user. It stands alone in such a session.
const impersonated = "impersonated"

// impersonationMinutes is how long such a session lasts, whatever it is used for.
const impersonationMinutes = 60

var (
	errNotMutable = apierr.New(400, "session_not_mutable", "Somebody acts as the user in this session. It lasts an hour and cannot be changed: sign out first to sign in as yourself.")
	errNotOwn     = apierr.New(400, "user_impersonation_not_allowed", "Only the users themselves can do this, not somebody who acts as them. Ask the user to do it.")
)

// Impersonation is what a one-time token for acting as a user says.
type Impersonation struct {
	ID     string
	UserID string
	As     ImpersonatedFactor
	// Take uses the token up; it fails when another request was faster.
	Take func(*store.Tx) error
}

// Impersonate starts a session in which somebody acts as a user. It is a login
// of nobody: it joins no session, clears no failures, proves nothing about the
// user and changes nothing about them. A locked user stays out of reach. open
// runs inside the transaction, perhaps twice.
func (c *Core) Impersonate(ctx context.Context, open func(*store.Tx) (*Impersonation, error)) (*Result, error) {
	env := project.CallerFrom(ctx).Env
	var done *issued
	err := c.db.Update(ctx, func(tx *store.Tx) error {
		as, err := open(tx)
		if err != nil {
			return err
		}
		row, err := user.ForUpdate(tx, env, as.UserID)
		if err != nil {
			return err
		}
		if row.Locked(tx.Now) {
			return Locked(row.LockExpiresAt.Sub(tx.Now))
		}
		if err := as.Take(tx); err != nil {
			return err
		}
		done, err = c.impersonate(ctx, tx, env, row, as)
		return err
	})
	c.observe(impersonated, outcome(err))
	if err != nil {
		return nil, err
	}
	out := &Result{}
	return out, c.answer(ctx, done, out)
}

func (c *Core) impersonate(ctx context.Context, tx *store.Tx, env *project.Environment, row *user.Row, as *Impersonation) (*issued, error) {
	r, token, err := c.start(tx, env, row.UserID)
	if err != nil {
		return nil, err
	}
	factor := Factor{Type: impersonated, DeliveryMethod: "impersonation", ImpersonatedFactor: &as.As}
	if err := r.Factors.authenticated(factor, tx.Now); err != nil {
		return nil, err
	}
	minutes := impersonationMinutes
	r.Attributes = Started(ctx, nil)
	if err := r.extend(tx, env, &minutes, Claims{}); err != nil {
		return nil, err
	}
	if err := insert(tx, r); err != nil {
		return nil, err
	}
	err = reportImpersonation(ctx, tx, "impersonation.start", r, &as.As, map[string]any{"impersonation_id": as.ID})
	return &issued{record: r, user: row, token: token}, err
}

// reportImpersonation writes what happened to an impersonated session into the
// audit log, with who it is that acts as the user.
func reportImpersonation(ctx context.Context, tx *store.Tx, what string, r *Record, as *ImpersonatedFactor, details map[string]any) error {
	caller := project.CallerFrom(ctx)
	details["impersonator_id"], details["impersonator_email_address"] = as.ImpersonatorID, as.ImpersonatorEmailAddress
	e := event.Event{
		EnvironmentID: caller.Env.ID, Type: what, Factor: impersonated, UserID: r.UserID, ObjectID: r.ID,
		UserAgent: caller.UserAgent, RequestID: caller.RequestID, Details: details,
	}
	if caller.Browser && caller.IP.IsValid() {
		e.IP = caller.IP.String()
	}
	return event.Emit(tx, caller.Env.Kind, e)
}

// impersonator is who acts as the user in the session; nil for a session of
// the user's own.
func (r *Record) impersonator() (*ImpersonatedFactor, error) {
	factors, err := r.Factors.All()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(factors, func(f Factor) bool { return f.Type == impersonated })
	if at < 0 {
		return nil, nil
	}
	return factors[at].ImpersonatedFactor, nil
}

// refuseImpersonated returns the verdict when somebody else acts as the user.
func (r *Record) refuseImpersonated(verdict error) error {
	as, err := r.impersonator()
	if err == nil && as != nil {
		return verdict
	}
	return err
}

// own returns who it is, unless somebody else acts as them.
func (i *Identity) own() (*Identity, error) {
	if err := i.Session.refuseImpersonated(errNotOwn); err != nil {
		return nil, err
	}
	return i, nil
}

// mayJoin refuses a login that would join an impersonated session, before
// anything is tried: what the user proves there would become the property of
// whoever acts as them, and a failure would count against the user.
func (c *Core) mayJoin(tx *store.Tx, j *join) error {
	if j.existing == nil {
		return nil
	}
	r, err := find(tx, j.env.ID, *j.existing)
	if errors.Is(err, store.ErrNoRows) || err == nil && !r.Alive(tx.Now) {
		return nil // what that means, the login says
	}
	if err != nil {
		return err
	}
	return r.refuseImpersonated(errNotMutable)
}

// reportEnd notes that an impersonated session was ended.
func reportEnd(ctx context.Context, tx *store.Tx, r *Record) error {
	as, err := r.impersonator()
	if as == nil || err != nil {
		return err
	}
	return reportImpersonation(ctx, tx, "impersonation.end", r, as, map[string]any{})
}
