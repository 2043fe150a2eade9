package session

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

const (
	tokenPurpose = "session token"
	// touchEvery is how stale last_accessed_at may get: writing it on every
	// request would turn every read into a durable write.
	touchEvery = time.Minute
)

// Config is what a Core needs.
type Config struct {
	DB      *store.DB
	Keyring *secret.Keyring
	Users   *user.Service
	// Projects finds environments for the public JWKS route.
	Projects *project.Service
	// PublicURL is where clients reach this server; the default issuer.
	PublicURL func() string
	// Locked is called in the transaction in which failures lock a user. An
	// error ends the whole attempt. It may be nil.
	Locked func(tx *store.Tx, env *project.Environment, row *user.Row) error
	// Started is called in the transaction in which a login starts a session, not
	// where it joins one, with the user as the login leaves them and what the
	// session knows of the client. An error ends the login. It may be nil.
	Started func(tx *store.Tx, env *project.Environment, row *user.Row, seen Attributes) error
	// Observe is told about every attempt to log in: the factor's type, and
	// "success" or the error_type that refused it. It may be nil.
	Observe func(factor, outcome string)
	// Oversized is told about a JWT that was signed without the claims of the
	// environment's template, because they are larger than JWTs may hold for this
	// user. It may be nil.
	Oversized func(env *project.Environment, userID string)
}

// Core is the session core. Every factor logs in through it.
type Core struct {
	db        *store.DB
	keyring   *secret.Keyring
	users     *user.Service
	projects  *project.Service
	publicURL func() string
	locked    func(tx *store.Tx, env *project.Environment, row *user.Row) error
	started   func(tx *store.Tx, env *project.Environment, row *user.Row, seen Attributes) error
	observe   func(factor, outcome string)
	oversized func(env *project.Environment, userID string)
	keyCache  keyCache
	jwts      *jwtCache
}

// New returns a session core.
func New(c Config) *Core {
	if c.Observe == nil {
		c.Observe = func(string, string) {}
	}
	if c.Oversized == nil {
		c.Oversized = func(*project.Environment, string) {}
	}
	if c.Locked == nil {
		c.Locked = func(*store.Tx, *project.Environment, *user.Row) error { return nil }
	}
	if c.Started == nil {
		c.Started = func(*store.Tx, *project.Environment, *user.Row, Attributes) error { return nil }
	}
	return &Core{
		db: c.DB, keyring: c.Keyring, users: c.Users, projects: c.Projects, publicURL: c.PublicURL,
		locked: c.Locked, started: c.Started, observe: c.Observe, oversized: c.Oversized,
		keyCache: keyCache{sets: map[string]*keySet{}}, jwts: newJWTCache(jwtCacheBytes),
	}
}

// Identity is a signed-in person: a live session and its user.
type Identity struct {
	Session *Record
	User    *user.Row
}

// Identify returns who presented a live session at the browser's door, or
// user_unauthenticated. It reads the rows, so a revocation holds at once, and
// touches nothing but the transaction. It is the person themselves: somebody who
// acts as them is refused.
func (c *Core) Identify(ctx context.Context, tx *store.Tx) (*Identity, error) {
	who, err := c.Look(ctx, tx)
	if err != nil {
		return nil, err
	}
	return who.own()
}

// Look is Identify for what shows the user and changes nothing: who acts as the
// user may see it too.
func (c *Core) Look(ctx context.Context, tx *store.Tx) (*Identity, error) {
	which, err := presented(ctx)
	if err != nil {
		return nil, err
	}
	r, u, err := c.read(tx, project.CallerFrom(ctx).Env, which)
	if err != nil {
		return nil, err
	}
	return &Identity{r, u}, nil
}

type presentedKey struct{}

// presentation is what became of the session a browser presented.
type presentation struct {
	which selector
	err   error
}

// Gate is a gate of the browser's door behind which the presented session can
// be identified. A JWT is verified here, before there is any transaction:
// verifying may have to read keys, and a transaction that waits for another
// one is how a server stops.
func (c *Core) Gate(next wire.Gate) wire.Gate {
	return func(ctx context.Context, in *wire.Incoming) (context.Context, error) {
		ctx, err := next(ctx, in)
		if err != nil {
			return nil, err
		}
		p := &presentation{}
		p.which, p.err = c.recognize(ctx, project.CallerFrom(ctx))
		return context.WithValue(ctx, presentedKey{}, p), nil
	}
}

// recognize names the session a browser brought. Anything it cannot be, down
// to the shape, is a session that does not exist: SDKs then forget it, while
// they would send a malformed one again for ever.
func (c *Core) recognize(ctx context.Context, caller *project.Caller) (selector, error) {
	switch {
	case caller.SessionToken == "":
		return selector{}, errUnauthenticated
	case len(caller.SessionToken) > 100:
		sessionID, err := c.verifyJWT(ctx, caller.Env, caller.SessionToken)
		if errors.Is(err, errJWT) {
			err = errNotFound.Because(err)
		}
		return selector{id: sessionID}, err
	case !secret.ValidToken(caller.SessionToken):
		return selector{}, errNotFound
	}
	return selector{hash: secret.Hash(caller.SessionToken)}, nil
}

// presented names the session that the gate recognised.
func presented(ctx context.Context) (selector, error) {
	p, ok := ctx.Value(presentedKey{}).(*presentation)
	if !ok {
		return selector{}, errUnauthenticated
	}
	return p.which, p.err
}

// named is the selector of a session that a server names in its request.
func (c *Core) named(ctx context.Context, env *project.Environment, token, jwt string) (selector, error) {
	switch {
	case token != "" && jwt != "":
		return selector{}, errTooMany
	case jwt != "":
		sessionID, err := c.verifyJWT(ctx, env, jwt)
		return selector{id: sessionID}, err
	case !secret.ValidToken(token):
		return selector{}, errTokenShape
	default:
		return selector{hash: secret.Hash(token)}, nil
	}
}

// read finds a live session and its user.
func (c *Core) read(tx *store.Tx, env *project.Environment, which selector) (*Record, *user.Row, error) {
	r, u, err := readWithUser(tx, env.ID, which)
	if errors.Is(err, store.ErrNoRows) || err == nil && !r.Alive(tx.Now) {
		return nil, nil, errNotFound
	}
	return r, u, err
}

// start makes a session for a user and returns it with its token.
func (c *Core) start(tx *store.Tx, env *project.Environment, userID string) (*Record, string, error) {
	token := secret.Token()
	sealed, err := c.keyring.Seal(tokenPurpose, env.ID, []byte(token))
	if err != nil {
		return nil, "", err
	}
	return &Record{
		ID: id.New(id.Session, env.Kind, tx.Now), UserID: userID, EnvironmentID: env.ID,
		StartedAt: tx.Now, LastAccessedAt: tx.Now, tokenHash: secret.Hash(token), tokenSealed: sealed,
	}, token, nil
}

// issued is a session with everything an answer needs to show it.
type issued struct {
	record *Record
	user   *user.Row
	token  string // "" until unsealed
	// verdict of an authorization check, nil when none was asked for.
	verdict *verdict
	reset   bool // what was made before the user's first proof was ended (Reset)
}

// show fills a result with a session: its token, a JWT, itself. It signs, so
// it must not run inside a transaction.
func (c *Core) show(ctx context.Context, env *project.Environment, s *issued, out *Result) error {
	if s.token == "" {
		var err error
		if s.token, err = openToken(c.keyring, env.ID, s.record.tokenSealed); err != nil {
			return err
		}
	}
	signed, err := c.jwt(ctx, env, s)
	if err != nil {
		return err
	}
	out.SessionToken, out.SessionJWT, out.Session = s.token, signed.token, s.record.wire(signed.roles, signed.claims)
	c.keepFromScripts(ctx, s.record, out)
	return nil
}

// jwt returns a JWT for a session that was just read: one signed moments ago
// from exactly the same rows, or a new one.
func (c *Core) jwt(ctx context.Context, env *project.Environment, s *issued) (*signedJWT, error) {
	keys, err := c.keys(ctx, env)
	if err != nil {
		return nil, err
	}
	now := c.db.Now()
	key := keys.signing(env.Config.JWTAlgorithm(), now)
	if key == nil {
		return nil, errNoKey
	}
	made := jwtKey{session: s.record.Version, user: s.user.Version, config: env.Version, kid: key.ID, issuer: c.Issuer(env)}
	if hit := c.jwts.get(s.record.ID, made, now.Add(-env.Config.JWTReuse())); hit != nil {
		return hit, nil
	}
	u, err := s.user.User()
	if err != nil {
		return nil, err
	}
	signed := &signedJWT{key: made, roles: env.Policy().RolesOf(u.Roles), signedAt: now}
	claims := c.claims(env, s.record, u, signed.roles)
	if signed.claims, err = claims.written(); err != nil {
		return nil, err
	}
	if signed.token, err = c.mint(env, key, s.record, claims, signed.roles, now); err != nil {
		return nil, err
	}
	if env.Config.JWTReuse() > 0 {
		c.jwts.set(s.record.ID, signed)
	}
	return signed, nil
}

// keepFromScripts moves the tokens of an answer to a browser into HttpOnly
// cookies where the environment wants that.
func (c *Core) keepFromScripts(ctx context.Context, r *Record, out *Result) {
	caller := project.CallerFrom(ctx)
	if !hidesTokens(caller) {
		return
	}
	for name, value := range map[string]string{project.SessionCookie: out.SessionToken, project.SessionJWTCookie: out.SessionJWT} {
		wire.CallFrom(ctx).SetCookie(sessionCookie(caller, name, value, r.ExpiresAt))
	}
	out.SessionToken, out.SessionJWT = "", ""
}

func hidesTokens(caller *project.Caller) bool {
	return caller.Browser && caller.Env.Config.HTTPOnlyCookies() && caller.Origin != ""
}

// sessionCookie is a cookie no script can read. Plain http is for localhost,
// where browsers keep Secure cookies too.
func sessionCookie(caller *project.Caller, name, value string, expires time.Time) wire.Cookie {
	return wire.Cookie{
		Name: name, Value: value, Domain: caller.Env.Config.SDK.Cookies.Domain, Expires: expires,
		HTTPOnly: true, Secure: true, SameSite: wire.SameSiteLax,
	}
}

// dropCookies makes a browser forget its session.
func dropCookies(ctx context.Context) {
	caller := project.CallerFrom(ctx)
	if !hidesTokens(caller) {
		return
	}
	for _, name := range []string{project.SessionCookie, project.SessionJWTCookie} {
		cookie := sessionCookie(caller, name, "", time.Time{})
		cookie.Delete = true
		wire.CallFrom(ctx).SetCookie(cookie)
	}
}
