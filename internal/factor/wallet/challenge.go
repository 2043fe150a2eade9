package wallet

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
)

const (
	// lifetime is how long a message can be signed.
	lifetime = 5 * time.Minute
	// keepFor is how long a message that is over is still told from one that never
	// was.
	keepFor = time.Hour
	// maxCandidates bounds the messages that one signature is compared with.
	maxCandidates = 8
	// randomness of a plain message in bytes: 80 characters.
	randomness = 60
)

// challenge is a message that a wallet is asked to sign.
type challenge struct {
	asker     string // see asker; "user <user_id>" where a certain user adds the wallet
	userID    string
	creates   bool   // the user is still to be made
	walletID  string // "" while the user is still to be made
	sessionID string // the session it has to be signed in, "" for none
	message   string
	siwe      *siwe     // nil: a plain message
	validFrom time.Time // zero unless the request says when
	expires   time.Time
}

// challenge makes a message. Each is random enough never to be made again.
func (r *request) challenge(now time.Time) *challenge {
	c := &challenge{asker: asker(r.caller), expires: now.Add(lifetime)}
	if r.siwe == nil {
		c.message = plainMessage(r.caller.Env)
		return c
	}
	m := *r.siwe
	c.siwe, c.validFrom = &m, m.notBefore
	if m.IssuedAt.IsZero() {
		m.IssuedAt = now
	}
	if m.notBefore.IsZero() {
		m.notBefore = now // not held against anybody: the next node's clock may be behind
	}
	c.message = m.text(r.wallet.address, rand.Text(), c.expires)
	return c
}

// plainMessage names the project, so that people see what they sign in to.
func plainMessage(env *project.Environment) string {
	b := make([]byte, randomness)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return "Signing in with Project: " + env.ProjectName + " " + base64.RawURLEncoding.EncodeToString(b)
}

// asker is on whose behalf a message is made: a network of browsers, or the
// environment's servers. A new message takes the place of an earlier one of the
// same asker only. Addresses are public: a stranger who asks for messages again
// and again would else keep people from signing in.
func asker(caller *project.Caller) string {
	if !caller.Browser {
		return "server"
	}
	return "network " + ratelimit.Network(caller.IP).String()
}
