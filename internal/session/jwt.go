package session

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/project"
)

const (
	// jwtLifetime is fixed by the contract, whatever the session's own.
	jwtLifetime = 5 * time.Minute
	// maxJWT bounds what is parsed at all: claims are at most 4 KB.
	maxJWT       = 16 << 10
	sessionClaim = "https://stytch.com/session"
)

var errJWT = apierr.New(400, "unable_to_parse_session_jwt", "The session_jwt is malformed or its signature is invalid.")

var errNoKey = errors.New("no signing key is active")

// jwtSession is the session inside a JWT (contract.json, SessionJWTSessionClaim).
type jwtSession struct {
	ID                    string     `json:"id"`
	StartedAt             Timestamp  `json:"started_at"`
	LastAccessedAt        Timestamp  `json:"last_accessed_at"`
	ExpiresAt             Timestamp  `json:"expires_at"`
	Attributes            Attributes `json:"attributes"`
	AuthenticationFactors Factors    `json:"authentication_factors"`
	Roles                 []string   `json:"roles"`
}

// Issuer is the iss of an environment's JWTs: the public URL, or the form that
// every official SDK accepts whatever its base URL.
func (c *Core) Issuer(env *project.Environment) string {
	if env.Config.Session.Issuer == project.IssuerStytch {
		return "stytch.com/" + env.ID
	}
	return c.publicURL()
}

// mint signs a session JWT. It never outlives the session. What belongs to the
// token itself is written over the custom claims.
func (c *Core) mint(env *project.Environment, key *Key, r *Record, custom Claims, roles []string, now time.Time) (string, error) {
	expires := now.Add(jwtLifetime)
	if r.ExpiresAt.Before(expires) {
		expires = r.ExpiresAt
	}
	claims := map[string]any{}
	maps.Copy(claims, custom.object)
	claims["iss"], claims["aud"], claims["sub"] = c.Issuer(env), env.Audience(jwttemplate.Session), r.UserID
	claims["iat"], claims["nbf"], claims["exp"] = now.Unix(), now.Unix(), expires.Unix()
	claims[sessionClaim] = jwtSession{
		ID: r.ID, StartedAt: Timestamp(r.StartedAt), LastAccessedAt: Timestamp(r.LastAccessedAt), ExpiresAt: Timestamp(r.ExpiresAt),
		Attributes: r.Attributes, AuthenticationFactors: r.Factors, Roles: roles,
	}
	return key.sign(claims)
}

func (k *Key) sign(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	return k.signer.compact(payload)
}

// Sign makes a JWT of an environment that is about no session, such as the
// access token of a machine. The claims are the caller's, but for iss. It must
// not run inside a transaction: there may be a key to make first.
func (c *Core) Sign(ctx context.Context, env *project.Environment, claims map[string]any) (string, error) {
	keys, err := c.keys(ctx, env)
	if err != nil {
		return "", err
	}
	key := keys.signing(env.Config.JWTAlgorithm(), c.db.Now())
	if key == nil {
		return "", errNoKey
	}
	claims["iss"] = c.Issuer(env)
	return key.sign(claims)
}

// verifyJWT checks signature and audience, not the time, and returns
// the session's id: an expired JWT of a living session is refreshed.
func (c *Core) verifyJWT(ctx context.Context, env *project.Environment, token string) (string, error) {
	payload, err := verifySignature(token, func(kid string) (*Key, error) { return c.verificationKey(ctx, env, kid) })
	if err != nil {
		return "", err
	}
	sessionID, err := claimedSession(payload, env)
	if err != nil {
		return "", errJWT.Because(err)
	}
	return sessionID, nil
}

// claimedSession reads the session of a payload that our key has signed for
// this environment. Names are matched exactly, as everybody else matches them:
// a struct would also take a custom claim that merely looks like ours. The
// issuer is for others to check: here the key says who issued it, and a public
// URL may move while sessions live.
func claimedSession(payload []byte, env *project.Environment) (string, error) {
	var claims, inner map[string]json.RawMessage
	var sessionID string
	var audience jsonStrings
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", err
	}
	if err := json.Unmarshal(claims[sessionClaim], &inner); err != nil {
		return "", err
	}
	err := errors.Join(json.Unmarshal(claims["aud"], &audience), json.Unmarshal(inner["id"], &sessionID))
	if err != nil {
		return "", err
	}
	if !slices.Contains(audience, env.ID) || !id.Check(id.Session, env.Kind, sessionID) {
		return "", errors.New("audience or session of another environment")
	}
	return sessionID, nil
}

// verifySignature returns the payload of a compact JWS (RFC 7515) that the key
// it names has signed. The key decides the algorithm, the token's header does
// not; a nil key is unknown.
func verifySignature(token string, find func(kid string) (*Key, error)) ([]byte, error) {
	if len(token) > maxJWT || strings.Count(token, ".") != 2 || strings.ContainsFunc(token, notInJWT) {
		return nil, errJWT
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		return nil, errJWT.Because(err)
	}
	header := signed.Signatures[0].Protected
	key, err := find(header.KeyID)
	if err != nil {
		return nil, err
	}
	if key == nil || header.Algorithm != key.Algorithm {
		return nil, errJWT.Because(errors.New("no key of this environment has the kid and algorithm"))
	}
	payload, err := signed.Verify(key.public.Key)
	if err != nil {
		return nil, errJWT.Because(err)
	}
	return payload, nil
}

// notInJWT finds what no compact JWS holds (RFC 7515, section 7.1). Decoders
// skip line breaks, which would make one token acceptable in many spellings.
func notInJWT(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_' && r != '.'
}

// verificationKey finds a published key. One that it does not know makes it
// look whether the configuration has moved, since another node may just have
// made the key; a made-up kid costs no more than that look.
func (c *Core) verificationKey(ctx context.Context, env *project.Environment, kid string) (*Key, error) {
	if !id.Check(id.JWK, env.Kind, kid) {
		return nil, nil
	}
	set, err := c.keys(ctx, env)
	if err != nil {
		return nil, err
	}
	if key := set.byID(kid, c.db.Now()); key != nil {
		return key, nil
	}
	if err := c.projects.Refresh(ctx); err != nil {
		return nil, err
	}
	newest, err := c.projects.Environment(ctx, env.ID)
	if err != nil || newest == nil || newest.Version <= set.version {
		return nil, err
	}
	if set, err = c.keys(ctx, newest); err != nil {
		return nil, err
	}
	return set.byID(kid, c.db.Now()), nil
}

// jsonStrings reads a string or an array of strings (RFC 7519, section 4.1.3).
type jsonStrings []string

func (s *jsonStrings) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*s = jsonStrings{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(s))
}

// jwtKey is everything a JWT was made from. A cached JWT is served only to a
// session that is still exactly that.
type jwtKey struct {
	session     int64
	user        int64
	config      int64
	kid, issuer string
}

// signedJWT is a JWT with what the session beside it shows.
type signedJWT struct {
	key      jwtKey
	token    string
	roles    []string
	claims   Claims // as text alone, which is smaller to remember
	signedAt time.Time
}

// size is what the JWT takes of memory, about, in bytes.
func (s *signedJWT) size() int {
	const rest = 500 // the struct, its key, its place in a map
	n := len(s.token) + len(s.claims.text) + rest
	for _, role := range s.roles {
		n += len(role) + 16
	}
	return n
}

// jwtCacheBytes bounds one generation of remembered JWTs, in bytes: some 3,000 with
// RS256. The heap may waste twice what is alive in it, so both generations cost
// up to 24 MB.
const jwtCacheBytes = 4 << 20

// jwtCache remembers the latest JWT of busy sessions, because a signature
// costs more than everything else in a request. It forgets the older half when
// it is full, so its memory is bounded.
type jwtCache struct {
	mu       sync.Mutex
	young    map[string]*signedJWT
	old      map[string]*signedJWT
	bytes    int // of young
	capacity int // of one generation, in bytes
}

func newJWTCache(capacity int) *jwtCache {
	return &jwtCache{young: map[string]*signedJWT{}, old: map[string]*signedJWT{}, capacity: capacity}
}

func (c *jwtCache) get(sessionID string, key jwtKey, newerThan time.Time) *signedJWT {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry := c.young[sessionID]
	if entry == nil {
		entry = c.old[sessionID]
	}
	if entry == nil || entry.key != key || !entry.signedAt.After(newerThan) {
		return nil
	}
	if c.young[sessionID] == nil {
		c.put(sessionID, entry)
	}
	return entry
}

func (c *jwtCache) set(sessionID string, entry *signedJWT) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(sessionID, entry)
}

func (c *jwtCache) put(sessionID string, entry *signedJWT) {
	c.remove(sessionID)
	if c.bytes+entry.size() > c.capacity {
		c.young, c.old, c.bytes = map[string]*signedJWT{}, c.young, 0
	}
	c.young[sessionID] = entry
	c.bytes += entry.size()
}

func (c *jwtCache) forget(sessionID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(sessionID)
}

func (c *jwtCache) remove(sessionID string) {
	if had := c.young[sessionID]; had != nil {
		c.bytes -= had.size()
	}
	delete(c.young, sessionID)
	delete(c.old, sessionID)
}
