package session

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

const (
	// keyLead is how long a new key is published before it signs, so that no
	// verifier meets a key it cannot know.
	keyLead = 5 * time.Minute
	// keyOverlap is how long an old key stays published after its successor
	// signs (factors.md, section 10.3).
	keyOverlap = 30 * 24 * time.Hour
	keyPurpose = "session signing key"
	rsaKeyBits = 2048
)

var errProjectNotFound = apierr.New(404, "project_not_found", "The project was not found.")

// Key is a signing key as it is published and managed.
type Key struct {
	ID        string     `json:"key_id"`
	Algorithm string     `json:"algorithm"`
	CreatedAt time.Time  `json:"created_at"`
	SignsAt   time.Time  `json:"signs_at"`
	RetiresAt *time.Time `json:"retires_at,omitempty"` // not published any more from then on

	sealed []byte
	cert   []byte // DER of a self-signed certificate: the x5c of the JWKS
	public jose.JSONWebKey
	signer *jwsSigner
}

func (k *Key) published(now time.Time) bool { return k.RetiresAt == nil || now.Before(*k.RetiresAt) }
func (k *Key) signs(now time.Time) bool     { return k.published(now) && !now.Before(k.SignsAt) }

// keySet is the keys of one environment at one version of the configuration.
type keySet struct {
	version int64
	keys    []*Key // newest first
}

// signing picks the newest active key of the wanted algorithm; while a first
// key of that algorithm is waiting, the keys verifiers know go on signing.
func (s *keySet) signing(algorithm string, now time.Time) *Key {
	var other *Key
	for _, k := range s.keys {
		switch {
		case !k.signs(now):
		case k.Algorithm == algorithm:
			return k
		case other == nil:
			other = k
		}
	}
	return other
}

// has reports whether there is a key of the algorithm that will not retire: one
// that waits for its end must not be all there is.
func (s *keySet) has(algorithm string) bool {
	for _, k := range s.keys {
		if k.Algorithm == algorithm && k.RetiresAt == nil {
			return true
		}
	}
	return false
}

func (s *keySet) byID(kid string, now time.Time) *Key {
	for _, k := range s.keys {
		if k.ID == kid && k.published(now) {
			return k
		}
	}
	return nil
}

// keyCache holds the key sets of all environments in use.
type keyCache struct {
	mu   sync.RWMutex
	sets map[string]*keySet
	make sync.Mutex // one key is generated at a time: it takes all of a core
}

// keys returns an environment's key set, read again when the configuration has
// moved, and with a first key made when there is none for its algorithm.
func (c *Core) keys(ctx context.Context, env *project.Environment) (*keySet, error) {
	c.keyCache.mu.RLock()
	set := c.keyCache.sets[env.ID]
	c.keyCache.mu.RUnlock()
	if set != nil && set.version >= env.Version {
		return set, nil
	}
	set, err := c.loadKeys(ctx, env)
	if err != nil {
		return nil, err
	}
	if set.has(env.Config.JWTAlgorithm()) {
		return set, nil
	}
	c.keyCache.make.Lock()
	defer c.keyCache.make.Unlock()
	// Whoever waited for the lock finds the key that was made meanwhile.
	if set, err = c.loadKeys(ctx, env); err != nil || set.has(env.Config.JWTAlgorithm()) {
		return set, err
	}
	err = c.addKey(ctx, env, "signing_key.create", func(set *keySet, now time.Time) (bool, time.Time) {
		lead := keyLead
		if set.signing(env.Config.JWTAlgorithm(), now) == nil {
			lead = 0
		}
		return !set.has(env.Config.JWTAlgorithm()), now.Add(lead)
	})
	if err != nil {
		return nil, err
	}
	return c.loadKeys(ctx, env)
}

func (c *Core) loadKeys(ctx context.Context, env *project.Environment) (*keySet, error) {
	set := &keySet{version: env.Version}
	err := c.db.View(ctx, func(tx *store.Tx) (err error) {
		set.keys, err = readKeys(tx, env.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, k := range set.keys {
		// A retired key is used for nothing, and may be the last thing that an
		// old master key had sealed.
		if !k.published(c.db.Now()) {
			continue
		}
		if err := c.unseal(env, k); err != nil {
			return nil, fmt.Errorf("signing key %s: %w", k.ID, err)
		}
	}
	if len(set.keys) > 0 { // a first key is on its way: who comes meanwhile must wait for it too
		c.keyCache.mu.Lock()
		c.keyCache.sets[env.ID] = set
		c.keyCache.mu.Unlock()
	}
	return set, nil
}

// Rotate gives an environment a new signing key. It is published at once and
// signs after five minutes, or at once when now is set. Its predecessors stay
// published for a month, or not at all when revoke is set: that refuses every
// JWT they signed.
func (c *Core) Rotate(ctx context.Context, env *project.Environment, now, revoke bool) error {
	c.keyCache.make.Lock()
	defer c.keyCache.make.Unlock()
	return c.rotate(ctx, env, now, revoke, func(*keySet, time.Time) bool { return true })
}

// RotateByAge replaces an environment's signing key once it is older than the
// environment wants. It does nothing while there is no key yet.
func (c *Core) RotateByAge(ctx context.Context, env *project.Environment) error {
	due := func(set *keySet, at time.Time) bool {
		for _, k := range set.keys {
			if k.Algorithm == env.Config.JWTAlgorithm() {
				return at.Sub(k.CreatedAt) >= env.Config.KeyRotation()
			}
		}
		return false
	}
	set, err := c.loadKeys(ctx, env)
	if err != nil || !due(set, c.db.Now()) {
		return err
	}
	c.keyCache.make.Lock()
	defer c.keyCache.make.Unlock()
	return c.rotate(ctx, env, false, false, due)
}

func (c *Core) rotate(ctx context.Context, env *project.Environment, now, revoke bool, due func(*keySet, time.Time) bool) error {
	what := "signing_key.rotate"
	if revoke {
		what = "signing_key.revoke"
	}
	return c.addKey(ctx, env, what, func(set *keySet, at time.Time) (bool, time.Time) {
		if !due(set, at) {
			return false, at
		}
		signsAt := at.Add(keyLead)
		if now || revoke || set.signing(env.Config.JWTAlgorithm(), at) == nil {
			signsAt = at
		}
		retires := signsAt.Add(keyOverlap)
		if revoke {
			retires = at
		}
		for _, k := range set.keys {
			if k.RetiresAt == nil || k.RetiresAt.After(retires) {
				k.RetiresAt = &retires
			}
		}
		return true, signsAt
	})
}

// addKey makes a key and stores it if decide, which sees the keys as they
// stand in the transaction and may set when they retire, still wants it. what is
// the type of the event that tells of it.
func (c *Core) addKey(ctx context.Context, env *project.Environment, what string, decide func(*keySet, time.Time) (bool, time.Time)) error {
	fresh, err := c.generate(env)
	if err != nil {
		return err
	}
	err = c.db.Update(ctx, func(tx *store.Tx) error {
		// Configuration is one row to all nodes, so taking it first makes
		// two nodes decide one after the other.
		if err := project.BumpVersion(tx); err != nil {
			return err
		}
		keys, err := readKeys(tx, env.ID)
		if err != nil {
			return err
		}
		add, signsAt := decide(&keySet{keys: keys}, tx.Now)
		if !add {
			return nil
		}
		for _, k := range keys {
			if err := retireKey(tx, env.ID, k); err != nil {
				return err
			}
		}
		fresh.CreatedAt, fresh.SignsAt = tx.Now, signsAt
		if err := insertKey(tx, env.ID, fresh); err != nil {
			return err
		}
		details := map[string]any{"algorithm": fresh.Algorithm, "signs_at": signsAt}
		return event.Emit(tx, env.Kind, event.Event{EnvironmentID: env.ID, Type: what, ObjectID: fresh.ID, Details: details})
	})
	if err != nil {
		return err
	}
	c.keyCache.mu.Lock()
	delete(c.keyCache.sets, env.ID)
	c.keyCache.mu.Unlock()
	return nil
}

// Keys lists an environment's keys, newest first.
func (c *Core) Keys(ctx context.Context, env *project.Environment) ([]*Key, error) {
	set, err := c.loadKeys(ctx, env)
	if err != nil {
		return nil, err
	}
	return set.keys, nil
}

// Signing returns which of an environment's keys signs at an instant; nil when
// none does.
func Signing(env *project.Environment, keys []*Key, at time.Time) *Key {
	return (&keySet{keys: keys}).signing(env.Config.JWTAlgorithm(), at)
}

// CheckKeys makes sure that the master keys open an environment's signing keys;
// if they do not, the error is secret.ErrSealed.
func (c *Core) CheckKeys(ctx context.Context, env *project.Environment) error {
	_, err := c.loadKeys(ctx, env)
	return err
}

// EnsureKey makes sure that an environment can sign, so that the first login
// does not wait for a key to be made.
func (c *Core) EnsureKey(ctx context.Context, env *project.Environment) error {
	_, err := c.keys(ctx, env)
	return err
}

func (c *Core) generate(env *project.Environment) (*Key, error) {
	k := &Key{Algorithm: env.Config.JWTAlgorithm(), ID: id.New(id.JWK, env.Kind, c.db.Now())}
	var private crypto.Signer
	var err error
	if k.Algorithm == project.ES256 {
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		private, err = rsa.GenerateKey(rand.Reader, rsaKeyBits)
	}
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	if k.sealed, err = c.keyring.Seal(keyPurpose, env.ID, der); err != nil {
		return nil, err
	}
	k.cert, err = certificate(private, k.ID, c.db.Now())
	return k, err
}

// certificate wraps the public key as the JWKS publishes it (RFC 7517, section
// 4.7). Nothing verifies it: trust comes from where the JWKS was fetched.
func certificate(private crypto.Signer, name string, now time.Time) ([]byte, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixMilli()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	return x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
}

func (c *Core) unseal(env *project.Environment, k *Key) error {
	der, err := c.keyring.Open(keyPurpose, env.ID, k.sealed)
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return err
	}
	private, ok := parsed.(crypto.Signer)
	if !ok {
		return fmt.Errorf("a %T cannot sign", parsed)
	}
	k.public = jose.JSONWebKey{Key: private.Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"}
	k.signer, err = newJWSSigner(private, k.Algorithm, k.ID)
	return err
}

// jwk is a key as the JWKS endpoint shows it (contract.json, JWK). The names
// x5tS256 and the always present n and e are the contract's.
type jwk struct {
	Kty     string   `json:"kty"`
	Use     string   `json:"use"`
	KeyOps  []string `json:"key_ops"`
	Alg     string   `json:"alg"`
	Kid     string   `json:"kid"`
	X5C     []string `json:"x5c"`
	X5TS256 string   `json:"x5tS256"`
	N       string   `json:"n"`
	E       string   `json:"e"`
	Crv     string   `json:"crv,omitempty"`
	X       string   `json:"x,omitempty"`
	Y       string   `json:"y,omitempty"`
}

func (k *Key) jwk() (*jwk, error) {
	sum := sha256.Sum256(k.cert)
	out := &jwk{
		Use: "sig", KeyOps: []string{"verify"}, Alg: k.Algorithm, Kid: k.ID,
		X5C: []string{base64.StdEncoding.EncodeToString(k.cert)}, X5TS256: base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	b64 := base64.RawURLEncoding.EncodeToString
	switch public := k.public.Key.(type) {
	case *rsa.PublicKey:
		out.Kty, out.N, out.E = "RSA", b64(public.N.Bytes()), b64(big.NewInt(int64(public.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			return nil, err
		}
		out.Kty, out.Crv, out.X, out.Y = "EC", "P-256", b64(point[1:33]), b64(point[33:65])
	default:
		return nil, fmt.Errorf("no JWK form for %T", public)
	}
	return out, nil
}

// openToken unseals the opaque token of a session.
func openToken(k *secret.Keyring, envID string, sealed []byte) (string, error) {
	plain, err := k.Open(tokenPurpose, envID, sealed)
	return string(plain), err
}
