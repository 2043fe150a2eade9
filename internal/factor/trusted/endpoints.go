package trusted

import (
	"context"

	"gatehouse/internal/session"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Endpoints are the routes that take tokens of other issuers. The browser's
// door has no switch of its own for them: without a profile, which only an
// operator makes, nothing can be attested.
func (s *Service) Endpoints() []wire.Endpoint {
	attest := retried(session.LoginAfter(s.core, s.prepare, s.prove))
	return []wire.Endpoint{
		wire.POST("/v1/sessions/attest", wire.Secret, attest, wire.Summary("Sign in with a token of an issuer that is trusted")),
		wire.POST("/sdk/v1/sessions/attest", wire.Public, attest, wire.Summary("Sign in with a token of an issuer that is trusted")),
	}
}

// retried runs a login once more when another one made a user of the same
// address at the same moment.
func retried[Req, Resp any](login func(context.Context, Req) (Resp, error)) func(context.Context, Req) (Resp, error) {
	return func(ctx context.Context, req Req) (resp Resp, err error) {
		err = user.Retry(func() (err error) {
			resp, err = login(ctx, req)
			return err
		})
		return resp, err
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
