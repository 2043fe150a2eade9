package impersonation

import (
	"gatehouse/internal/session"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// need is the product switch of the browser's door.
const need = "user_impersonation"

// Endpoints are the routes of the impersonation group on both surfaces.
func (s *Service) Endpoints() []wire.Endpoint {
	return []wire.Endpoint{
		wire.POST("/v1/impersonation/authenticate", wire.Secret, s.authenticate, wire.Summary("Begin a session in which an operator acts as a user")),
		wire.POST("/sdk/v1/impersonation/authenticate", wire.Public, s.authenticate, wire.Needs(need), wire.Summary("Begin a session in which an operator acts as a user")),
	}
}

type authenticateRequest struct {
	Token string `json:"impersonation_token" required:"true" description:"From the link that gatehouse impersonate has printed. It works once, and for five minutes."`
}

type authenticateResponse struct {
	wire.Meta
	UserID       string           `json:"user_id" required:"true"`
	User         user.JSON        `json:"user" required:"true"`
	SessionToken string           `json:"session_token" required:"true"`
	SessionJWT   string           `json:"session_jwt" required:"true"`
	Session      *session.Session `json:"session" required:"true" description:"It ends after 60 minutes, whatever happens."`
	BrowserUser  *user.JSON       `json:"__user,omitempty"`
}
