package session

import (
	"context"
	"errors"

	"gatehouse/internal/apierr"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/event"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Proof is a factor's answer to its one question: whom did this prove, and by
// what?
type Proof struct {
	// UserID is the user concerned. A failed proof names it too as soon as it
	// is known, so that the failure counts towards the user's lock.
	UserID string
	Factor Factor
	// SessionID, when set, is the live session that the proof is part of: it was
	// started there and is worth nothing anywhere else.
	SessionID string
	// Attributes, when the request carries them, replace what the session
	// remembers of the client.
	Attributes *Attributes
	// Uncounted is set by a verdict that is nobody's failure, such as on a link
	// that was used already. A locked user is refused all the same.
	Uncounted bool
	// Unlocks lifts the user's lock: the proof was sent to the user for that.
	Unlocks bool
	// Apply is the change to the user that comes with the proof, such as an
	// address that is now verified. It may be nil.
	Apply func(*user.User) error
	// Settle, beside Apply, changes the user once what a first proof takes away is
	// gone: a password that is set with the proof stays. It may be nil.
	Settle func(*user.User) error
	// Ends says which of the user's sessions end with the login.
	Ends Ending
	// Done runs last in the transaction of a login that succeeds, for rows that
	// many logins wait for. It may be nil.
	Done func(*store.Tx) error
}

type request[T any] interface {
	*T
	sessionFields() *Fields
}

type response[T any] interface {
	*T
	sessionResult() *Result
}

// Login turns a factor's proof into a whole authenticate endpoint: the
// transaction, the user's lock, joining a session or starting one, the event,
// the JWT and the answer. prove runs inside the transaction, perhaps twice.
func Login[Req, Resp any, PReq request[Req], PResp response[Resp]](
	c *Core, prove func(ctx context.Context, tx *store.Tx, req PReq, resp PResp) (Proof, error),
) func(context.Context, PReq) (PResp, error) {
	return LoginAfter(c,
		func(context.Context, PReq) (struct{}, error) { return struct{}{}, nil },
		func(ctx context.Context, tx *store.Tx, req PReq, _ struct{}, resp PResp) (Proof, error) {
			return prove(ctx, tx, req, resp)
		})
}

// LoginAfter is Login for factors that check the request, hash or call another
// server first: prepare runs once, outside any transaction, and hands its result to prove.
func LoginAfter[Req, Resp, P any, PReq request[Req], PResp response[Resp]](
	c *Core, prepare func(ctx context.Context, req PReq) (P, error),
	prove func(ctx context.Context, tx *store.Tx, req PReq, prepared P, resp PResp) (Proof, error),
) func(context.Context, PReq) (PResp, error) {
	return func(ctx context.Context, req PReq) (PResp, error) {
		if resp, err := inSandbox[Resp, PResp](ctx, c, req); resp != nil || err != nil {
			return resp, err
		}
		join, err := c.joining(ctx, req.sessionFields())
		if err != nil {
			return nil, err
		}
		prepared, err := prepare(ctx, req)
		if err != nil {
			return nil, err
		}
		var resp PResp
		done, err := c.login(ctx, join, func(tx *store.Tx) (Proof, error) {
			resp = new(Resp)
			// The transaction's context refuses a second transaction inside.
			return prove(tx.Context(), tx, req, prepared, resp)
		})
		if err != nil {
			return nil, err
		}
		if r, ok := any(resp).(interface{ resetResult() *Reset }); ok {
			r.resetResult().ResetSessions = done.reset
		}
		return resp, c.answer(ctx, done, resp.sessionResult())
	}
}

// Retried is a login that runs once more when another one made a user of the
// same account or address at the same moment, which raced tells by its error:
// what was to be made exists now, and is found.
func Retried[Req, Resp any](login func(context.Context, Req) (Resp, error), raced func(error) bool) func(context.Context, Req) (Resp, error) {
	return func(ctx context.Context, req Req) (Resp, error) {
		resp, err := login(ctx, req)
		if raced(err) {
			return login(ctx, req)
		}
		return resp, err
	}
}

// join is what a login wants of sessions, checked before anything else.
type join struct {
	env      *project.Environment
	existing *selector // the session to add the factor to
	optional bool      // a browser's old session that has died is simply replaced
	minutes  *int
	claims   Claims
}

func (c *Core) joining(ctx context.Context, f *Fields) (*join, error) {
	caller := project.CallerFrom(ctx)
	j := &join{env: caller.Env, minutes: f.SessionDurationMinutes, claims: f.SessionCustomClaims}
	if err := checkDuration(caller, j.minutes); err != nil {
		return nil, err
	}
	if _, err := j.claims.merged(j.claims); err != nil {
		return nil, err
	}
	var which selector
	var err error
	switch {
	case caller.Browser && caller.SessionToken == "", !caller.Browser && f.SessionToken == "" && f.SessionJWT == "":
		return j, nil
	case caller.Browser:
		j.optional = true
		if which, err = presented(ctx); errors.Is(err, errNotFound) {
			return j, nil
		}
	default:
		which, err = c.named(ctx, caller.Env, f.SessionToken, f.SessionJWT)
	}
	j.existing = &which
	return j, err
}

func checkDuration(caller *project.Caller, minutes *int) error {
	if minutes == nil {
		return nil
	}
	limit := project.MaxSessionMinutes
	if caller.Browser {
		limit = caller.Env.Config.MaxSessionMinutes()
	}
	if *minutes < project.MinSessionMinutes || *minutes > limit {
		return errDuration.WithMessage("session_duration_minutes must lie between %d and %d minutes.", project.MinSessionMinutes, limit)
	}
	return nil
}

// login runs the transaction of a login and reports the attempt.
func (c *Core) login(ctx context.Context, j *join, prove func(*store.Tx) (Proof, error)) (*issued, error) {
	var done *issued
	var proof Proof
	err := c.db.Update(ctx, func(tx *store.Tx) (err error) {
		done = nil
		if err := c.mayJoin(tx, j); err != nil {
			return err
		}
		var verdict error
		proof, verdict = prove(tx)
		switch {
		case proof.UserID == "" && verdict == nil:
			return errors.New("the proof names no user")
		case proof.UserID == "":
			return verdict
		}
		done, err = c.settle(ctx, tx, j, &proof, verdict)
		return err
	})
	c.observe(proof.Factor.Type, outcome(err))
	return done, err
}

// settle decides about a proof under the user's lock. A locked user is refused
// whatever the verdict, so that no verdict beyond the threshold is revealed;
// a failure counts even though the request fails.
func (c *Core) settle(ctx context.Context, tx *store.Tx, j *join, proof *Proof, verdict error) (*issued, error) {
	row, err := user.ForUpdate(tx, j.env, proof.UserID)
	if err != nil {
		return nil, err
	}
	if row.Locked(tx.Now) && verdict == nil && proof.Unlocks {
		if row, err = user.Unlock(tx, j.env, row.UserID); err != nil {
			return nil, err
		}
	}
	if row.Locked(tx.Now) {
		return nil, Locked(row.LockExpiresAt.Sub(tx.Now))
	}
	if verdict != nil && proof.Uncounted {
		return nil, store.Keep(verdict)
	}
	if verdict != nil {
		return nil, c.failed(ctx, tx, j.env, row, proof, verdict)
	}
	if err := user.ClearFailures(tx, j.env, row); err != nil {
		return nil, err
	}
	reset, err := c.apply(ctx, tx, j, row, proof)
	if err != nil {
		return nil, err
	}
	if err := c.end(tx, j, row, proof); err != nil {
		return nil, err
	}
	done, err := c.joinOrStart(ctx, tx, j, row, proof)
	if err != nil {
		return nil, err
	}
	done.reset = reset
	err = c.emit(ctx, tx, j.env, "login", proof, done.record, "success")
	if err == nil && proof.Done != nil {
		err = proof.Done(tx)
	}
	return done, err
}

// apply makes the change that comes with a proof. The first proof of a user
// whom nothing vouched for until now may come from somebody else than whoever
// made the user: unless it is part of one of the user's sessions, all sessions
// end, and so do the ways to sign in that were added meanwhile (pre-hijacking).
// It reports whether there were any. A password that was chosen before anybody
// proved to read the user's mail has to be set anew after such a proof, whatever
// else vouches for the user.
func (c *Core) apply(ctx context.Context, tx *store.Tx, j *join, row *user.Row, proof *Proof) (reset bool, err error) {
	if proof.Apply == nil {
		return false, nil
	}
	own, err := c.joinsOwn(tx, j, row.UserID)
	if err != nil {
		return false, err
	}
	first := false
	err = c.users.Apply(tx, j.env, row, func(u *user.User) error {
		unvouched, unread := !u.Proven(), !u.ReadsMail()
		if err := proof.Apply(u); err != nil {
			return err
		}
		if first = unvouched && u.Proven() && !own; first {
			reset = u.DropUnvouched()
		}
		if unread && u.ReadsMail() && !own {
			u.DistrustPassword()
		}
		if proof.Settle == nil {
			return nil
		}
		return proof.Settle(u)
	})
	if err != nil || !first {
		return false, err
	}
	links, err := emaillink.WithdrawOthers(tx, j.env, row.UserID, proof.Factor.id())
	if err != nil {
		return false, err
	}
	sessions, err := removeOfUser(tx, j.env.ID, row.UserID)
	if err != nil || links+sessions == 0 && !reset {
		return false, err
	}
	return true, c.emit(ctx, tx, j.env, "user.reset", proof, nil, "")
}

// joinsOwn reports whether the login continues a live session of the user.
func (c *Core) joinsOwn(tx *store.Tx, j *join, userID string) (bool, error) {
	if j.existing == nil {
		return false, nil
	}
	r, err := c.lockLive(tx, j)
	return r != nil && r.UserID == userID, err
}

func (c *Core) failed(ctx context.Context, tx *store.Tx, env *project.Environment, row *user.Row, proof *Proof, verdict error) error {
	var refused *apierr.Error
	if !errors.As(verdict, &refused) {
		return verdict // a failure of ours is not an attempt of theirs
	}
	locked, err := user.CountFailure(tx, env, row)
	if err != nil {
		return err
	}
	if err := c.emit(ctx, tx, env, "login", proof, nil, refused.Type); err != nil {
		return err
	}
	if locked {
		if err := c.emit(ctx, tx, env, "user.lock", proof, nil, ""); err != nil {
			return err
		}
		if err := c.locked(tx, env, row); err != nil {
			return err
		}
	}
	return store.Keep(verdict)
}

// joinOrStart adds the factor to the caller's session, or starts one when a
// duration asks for it.
func (c *Core) joinOrStart(ctx context.Context, tx *store.Tx, j *join, row *user.Row, proof *Proof) (*issued, error) {
	done := &issued{user: row}
	fresh := false
	var err error
	if j.existing != nil {
		if done.record, err = c.lockLive(tx, j); err != nil {
			return nil, err
		}
	}
	switch {
	case proof.SessionID != "" && (done.record == nil || done.record.ID != proof.SessionID):
		return nil, errNotFound
	case done.record != nil && done.record.UserID != proof.UserID:
		return nil, errUserMismatch
	case done.record == nil && j.minutes == nil:
		return done, nil
	case done.record == nil:
		fresh = true
		if done.record, done.token, err = c.start(tx, j.env, proof.UserID); err != nil {
			return nil, err
		}
	}
	r := done.record
	if err := r.Factors.authenticated(proof.Factor, tx.Now); err != nil {
		return nil, err
	}
	r.Attributes = clientAttributes(ctx, proof, r.Attributes)
	if err := r.extend(tx, j.env, j.minutes, j.claims); err != nil {
		return nil, err
	}
	if !fresh {
		return done, update(tx, r)
	}
	if err := insert(tx, r); err != nil {
		return nil, err
	}
	return done, c.started(tx, j.env, row, r.Attributes)
}

// lockLive returns the session to join, nil when a browser's old one is gone.
func (c *Core) lockLive(tx *store.Tx, j *join) (*Record, error) {
	r, err := lock(tx, j.env.ID, *j.existing)
	dead := errors.Is(err, store.ErrNoRows) || err == nil && !r.Alive(tx.Now)
	switch {
	case dead && j.optional:
		return nil, nil
	case dead:
		return nil, errNotFound
	}
	return r, err
}

func clientAttributes(ctx context.Context, proof *Proof, old Attributes) Attributes {
	switch {
	case proof.Attributes != nil:
		return proof.Attributes.bounded()
	case project.CallerFrom(ctx).Browser:
		return Started(ctx, nil)
	}
	return old
}

// extend moves the expiry to the given number of minutes from now and merges
// claims. Every change of what a JWT shows moves the version.
func (r *Record) extend(tx *store.Tx, env *project.Environment, minutes *int, claims Claims) error {
	merged, err := r.Claims.mergedOver(env.JWTTemplate(jwttemplate.Session).Template(), claims)
	if err != nil {
		return err
	}
	r.Claims = merged
	if minutes != nil {
		r.ExpiresAt = tx.Now.Add(minutesOf(*minutes))
	}
	r.LastAccessedAt = tx.Now
	r.Version++
	return nil
}

// answer fills the part of the response that every login shares.
func (c *Core) answer(ctx context.Context, done *issued, out *Result) error {
	out.UserID, out.User = done.user.UserID, done.user.JSON
	c.forBrowser(ctx, out)
	if done.record == nil {
		return nil
	}
	return c.show(ctx, project.CallerFrom(ctx).Env, done, out)
}

// forBrowser shows the user as browsers get it, also under the name that the
// browser SDK reads.
func (c *Core) forBrowser(ctx context.Context, out *Result) {
	if project.CallerFrom(ctx).Browser {
		out.User = out.User.ForBrowser()
		out.BrowserUser = &out.User
	}
}

func (c *Core) emit(ctx context.Context, tx *store.Tx, env *project.Environment, what string, proof *Proof, r *Record, result string) error {
	caller := project.CallerFrom(ctx)
	e := event.Event{
		EnvironmentID: env.ID, Type: what, Outcome: result, Factor: proof.Factor.Type, UserID: proof.UserID,
		UserAgent: caller.UserAgent, RequestID: caller.RequestID,
	}
	if caller.Browser && caller.IP.IsValid() {
		e.IP = caller.IP.String()
	}
	if r != nil {
		e.ObjectID = r.ID
	}
	return event.Emit(tx, env.Kind, e)
}

func outcome(err error) string {
	var refused *apierr.Error
	switch {
	case err == nil:
		return "success"
	case errors.As(err, &refused):
		return refused.Type
	default:
		return "error"
	}
}
