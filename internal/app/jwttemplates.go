package app

import (
	"sync"
	"time"

	"gatehouse/internal/project"
)

// oversizedEvery is how often an environment is warned about: a JWT is signed
// every few seconds.
const oversizedEvery = time.Minute

// oversized tells the log of a user, or a client, whose JWTs lack the template's
// claims.
type oversized struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (a *App) oversizedClaims(env *project.Environment, subject string) {
	now := a.DB.Now()
	a.oversized.mu.Lock()
	if last, warned := a.oversized.last[env.ID]; warned && now.Sub(last) < oversizedEvery {
		a.oversized.mu.Unlock()
		return
	}
	if a.oversized.last == nil {
		a.oversized.last = map[string]time.Time{}
	}
	a.oversized.last[env.ID] = now
	a.oversized.mu.Unlock()
	a.Logger.Warn("a JWT was signed without the claims of the template: they are larger than 4 KB. `gatehouse jwt-template preview` shows them", "project_id", env.ID, "sub", subject)
}
