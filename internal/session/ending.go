package session

import (
	"gatehouse/internal/apierr"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Ending says which sessions of a user a login ends.
type Ending int

// The endings. A password that was forgotten may be known to somebody else, who
// may be signed in.
const (
	EndsNone   Ending = iota
	EndsOthers        // all but the session that the login joins
	EndsAll           // all; the login may start a new one
)

var errPreserve = apierr.New(400, "cannot_preserve_existing_sessions", "This ends all sessions of the user, so it cannot join one. Leave session_token and session_jwt out.")

// end ends the sessions that a proof says. A browser brings its session along
// with every request, so there it is replaced; a server that names one is told
// that it cannot be kept.
func (c *Core) end(tx *store.Tx, j *join, row *user.Row, proof *Proof) error {
	keep := ""
	switch {
	case proof.Ends == EndsNone:
		return nil
	case proof.Ends == EndsAll && j.existing != nil && !j.optional:
		return errPreserve
	case proof.Ends == EndsOthers && j.existing != nil:
		r, err := c.lockLive(tx, j)
		if err != nil {
			return err
		}
		if r != nil {
			keep = r.ID
		}
	}
	return removeOthers(tx, j.env.ID, row.UserID, keep)
}
