package session

import (
	"context"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Holder are the fields by which a server says whose a new address, number or
// wallet is to be. At most one is given. Embed it in the request type.
type Holder struct {
	UserID       string `json:"user_id" door:"server" description:"Adds the address, number or wallet to this user, by id or external id."`
	SessionToken string `json:"session_token" door:"server" description:"Adds it to the user of this session."`
	SessionJWT   string `json:"session_jwt" door:"server" description:"The same by the session's JWT."`
}

// Held is a Holder that was understood, ready for a transaction.
type Held struct {
	core   *Core
	env    *project.Environment
	userID string // "" where a session says whose it is, or nobody is named
	which  *selector
}

// Holding reads a Holder, outside of any transaction: verifying a JWT may have
// to read keys.
func (c *Core) Holding(ctx context.Context, h *Holder) (*Held, error) {
	held := &Held{core: c, env: project.CallerFrom(ctx).Env, userID: h.UserID}
	session := h.SessionToken != "" || h.SessionJWT != ""
	switch {
	case h.UserID == "" && !session:
		return held, nil
	case h.UserID != "" && session:
		return nil, wire.BadRequest("Send one of user_id, session_token and session_jwt, not several.")
	case h.UserID != "":
		return held, nil
	}
	which, err := c.named(ctx, held.env, h.SessionToken, h.SessionJWT)
	held.which = &which
	return held, err
}

// Identify returns the session that was named and its user: at the browser's
// door the one that was presented.
func (h *Held) Identify(ctx context.Context, tx *store.Tx) (*Identity, error) {
	switch {
	case project.CallerFrom(ctx).Browser:
		return h.core.Identify(ctx, tx)
	case h.which == nil:
		return nil, errNoArguments
	}
	return h.named(tx)
}

// named returns whose session a server names: the user's own.
func (h *Held) named(tx *store.Tx) (*Identity, error) {
	r, u, err := h.core.read(tx, h.env, *h.which)
	if err != nil {
		return nil, err
	}
	return (&Identity{r, u}).own()
}

// User reads the user who was named, and the id of the session that names them,
// "" where a server does; nil when nobody is named.
func (h *Held) User(tx *store.Tx) (row *user.Row, sessionID string, err error) {
	switch {
	case h.which != nil:
		who, err := h.named(tx)
		if err != nil {
			return nil, "", err
		}
		return who.User, who.Session.ID, nil
	case h.userID != "":
		row, err := user.ForUpdate(tx, h.env, h.userID)
		return row, "", err
	}
	return nil, "", nil
}

// Reach finds whom a message to a contact goes to: the user who was named, who
// gets the contact if it is new to them, or else whoever has it.
func (h *Held) Reach(tx *store.Tx, c user.Contact) (*user.Reached, error) {
	row, sessionID, err := h.User(tx)
	switch {
	case err != nil:
		return nil, err
	case row != nil:
		return h.core.users.Attach(tx, h.env, row, c, sessionID)
	}
	return c.Find(tx, h.env)
}
