package session

import (
	"context"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Holder are the fields by which a server says whose a new address or number
// is to be. At most one is given. Embed it in the request type.
type Holder struct {
	UserID       string `json:"user_id" door:"server" description:"Adds the address or number to this user, by id or external id."`
	SessionToken string `json:"session_token" door:"server" description:"Adds it to the user of this session."`
	SessionJWT   string `json:"session_jwt" door:"server" description:"The same by the session's JWT."`
}

// Held is a Holder that was understood, ready for a transaction.
type Held struct {
	core   *Core
	env    *project.Environment
	userID string
	which  *selector
}

// Holding reads a Holder, outside of any transaction: verifying a JWT may have
// to read keys. It returns nil when nobody is named.
func (c *Core) Holding(ctx context.Context, h *Holder) (*Held, error) {
	held := &Held{core: c, env: project.CallerFrom(ctx).Env, userID: h.UserID}
	session := h.SessionToken != "" || h.SessionJWT != ""
	switch {
	case h.UserID == "" && !session:
		return nil, nil
	case h.UserID != "" && session:
		return nil, wire.BadRequest("Send one of user_id, session_token and session_jwt, not several.")
	case h.UserID != "":
		return held, nil
	}
	which, err := c.named(ctx, held.env, h.SessionToken, h.SessionJWT)
	held.which = &which
	return held, err
}

// User reads the user, for update.
func (h *Held) User(tx *store.Tx) (*user.Row, error) {
	if h.which == nil {
		return user.ForUpdate(tx, h.env, h.userID)
	}
	_, row, err := h.core.read(tx, h.env, *h.which)
	return row, err
}
