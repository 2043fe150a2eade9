package totp

import (
	"gatehouse/internal/session"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// The product switches a browser needs: to prove an authenticator app, and to
// add one.
const (
	needTOTPs  = "totps"
	needCreate = "totps.create"
)

// Endpoints are the routes of the totps group on both surfaces.
func (s *Service) Endpoints() []wire.Endpoint {
	authenticate := session.LoginAfter(s.core, understoodCode, s.prove)
	recovery := session.LoginAfter(s.core, understoodRecoveryCode, s.proveRecovery)
	return []wire.Endpoint{
		wire.POST("/v1/totps", wire.Secret, s.create, wire.Summary("Add an authenticator app to a user")),
		wire.POST("/v1/totps/authenticate", wire.Secret, authenticate, wire.Summary("Prove an authenticator app with its code")),
		wire.POST("/v1/totps/recovery_codes", wire.Secret, s.recoveryCodes, wire.Summary("Show the recovery codes a user has left")),
		wire.POST("/v1/totps/recover", wire.Secret, recovery, wire.Summary("Use a recovery code in place of an authenticator app")),

		wire.POST("/sdk/v1/totps", wire.Public, s.create, wire.Needs(needTOTPs, needCreate), wire.Summary("Add an authenticator app to the signed-in user")),
		wire.POST("/sdk/v1/totps/authenticate", wire.Public, authenticate, wire.Needs(needTOTPs), wire.Summary("Add the code of an authenticator app to the session")),
		wire.POST("/sdk/v1/totps/recovery_codes", wire.Public, s.recoveryCodes, wire.Needs(needTOTPs), wire.Summary("Show the recovery codes the signed-in user has left")),
		wire.POST("/sdk/v1/totps/recover", wire.Public, recovery, wire.Needs(needTOTPs), wire.Summary("Add a recovery code to the session, in place of an authenticator app")),
	}
}

type createRequest struct {
	UserID            string `json:"user_id" required:"true" door:"server" description:"The user's id or external id."`
	ExpirationMinutes *int   `json:"expiration_minutes" min:"5" max:"1440" description:"How long the app may take to show its first code; 1440 when left out."`
}

type createResponse struct {
	wire.Meta
	TOTPID        string     `json:"totp_id" required:"true"`
	Secret        string     `json:"secret" required:"true" description:"In base32, for those who cannot scan. It is shown this once."`
	QRCode        string     `json:"qr_code" required:"true" description:"The same as the address of an image of 200 by 200 pixels: data:image/png;base64,..."`
	RecoveryCodes []string   `json:"recovery_codes" required:"true" description:"Each stands in for the app once. They work as soon as the app is verified."`
	User          user.JSON  `json:"user" required:"true"`
	UserID        string     `json:"user_id" required:"true"`
	BrowserUser   *user.JSON `json:"__user,omitempty"`
}

type authenticateRequest struct {
	session.Fields
	UserID string `json:"user_id" required:"true" door:"server" description:"The user's id or external id."`
	Code   string `json:"totp_code" required:"true" description:"The six digits that the app shows."`
}

type authenticateResponse struct {
	session.Result
	TOTPID string `json:"totp_id" required:"true"`
}

type recoverRequest struct {
	session.Fields
	UserID string `json:"user_id" required:"true" door:"server" description:"The user's id or external id."`
	Code   string `json:"recovery_code" required:"true" example:"a1b2-c3d4-e5f6"`
}

type recoverResponse struct {
	session.Result
	TOTPID string `json:"totp_id" required:"true" description:"The authenticator app that the code stands in for."`
}

type recoveryCodesRequest struct {
	UserID string `json:"user_id" required:"true" door:"server" description:"The user's id or external id."`
}

type recoveryCodesResponse struct {
	wire.Meta
	UserID string          `json:"user_id" required:"true"`
	TOTPs  []totpWithCodes `json:"totps" required:"true"`
}

type totpWithCodes struct {
	TOTPID        string   `json:"totp_id" required:"true"`
	Verified      bool     `json:"verified" required:"true" description:"Whether a code of the app was ever right."`
	RecoveryCodes []string `json:"recovery_codes" required:"true" description:"Those that have not been used."`
}
