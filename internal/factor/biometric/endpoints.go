package biometric

import (
	"gatehouse/internal/session"
	"gatehouse/internal/wire"
)

// The product switches an app needs: to sign in, and to register devices.
const (
	needBiometrics = "biometrics"
	needCreate     = "biometrics.create"
)

// Endpoints are the routes of the biometrics group.
func (s *Service) Endpoints() []wire.Endpoint {
	register := session.LoginAfter(s.core, s.prepareRegistration, s.proveRegistration)
	authenticate := session.LoginAfter(s.core, s.prepareAuthentication, s.proveAuthentication)
	return []wire.Endpoint{
		wire.POST("/sdk/v1/biometrics/register/start", wire.Public, s.startRegistration, wire.Needs(needBiometrics, needCreate), wire.Summary("Start registering a device's key for the signed-in user")),
		wire.POST("/sdk/v1/biometrics/register", wire.Public, register, wire.Needs(needBiometrics, needCreate), wire.Summary("Finish registering a device's key for the signed-in user")),
		wire.POST("/sdk/v1/biometrics/authenticate/start", wire.Public, s.startAuthentication, wire.Needs(needBiometrics), wire.Summary("Start signing in with a device's key")),
		wire.POST("/sdk/v1/biometrics/authenticate", wire.Public, authenticate, wire.Needs(needBiometrics), wire.Summary("Finish signing in with a device's key")),
	}
}

type startRequest struct {
	PublicKey string `json:"public_key" required:"true" description:"The device's Ed25519 public key: 32 bytes in standard base64."`
}

type startResponse struct {
	wire.Meta
	UserID         string `json:"user_id" required:"true"`
	RegistrationID string `json:"biometric_registration_id" required:"true"`
	Challenge      string `json:"challenge" required:"true" description:"32 bytes in standard base64. The device signs the bytes, not the text."`
}

type finishRequest struct {
	session.Fields
	RegistrationID string `json:"biometric_registration_id" required:"true" description:"As the start answered it."`
	Signature      string `json:"signature" required:"true" description:"The Ed25519 signature of the challenge's bytes: 64 bytes in standard base64."`
}

// finishResponse answers both finishes.
type finishResponse struct {
	session.Result
	RegistrationID string `json:"biometric_registration_id" required:"true"`
}
