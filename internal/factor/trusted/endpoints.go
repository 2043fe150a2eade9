package trusted

import (
	"gatehouse/internal/session"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Endpoints are the routes that take tokens of other issuers. The browser's
// door has no switch of its own for them: without a profile, which only an
// operator makes, nothing can be attested.
func (s *Service) Endpoints() []wire.Endpoint {
	attest := session.Retried(session.LoginAfter(s.core, s.prepare, s.prove), user.Raced)
	return []wire.Endpoint{
		wire.POST("/v1/sessions/attest", wire.Secret, attest, wire.Summary("Sign in with a token of an issuer that is trusted")),
		wire.POST("/sdk/v1/sessions/attest", wire.Public, attest, wire.Summary("Sign in with a token of an issuer that is trusted")),
	}
}

type attestRequest struct {
	session.Fields
	ProfileID string `json:"profile_id" required:"true" description:"The trusted token profile of the token's issuer."`
	Token     string `json:"token" required:"true" description:"The JWT. It can be used once."`
}

type attestResponse struct {
	session.Result
	session.Reset
}
