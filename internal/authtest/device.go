package authtest

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/http"
)

// Device is a phone with an app on it, whose owner unlocks an Ed25519 key by
// finger or face.
type Device struct{ Key ed25519.PrivateKey }

// NewDevice returns a phone with a new key.
func NewDevice() *Device {
	_, key, _ := ed25519.GenerateKey(nil) // fails only when its reader does
	return &Device{key}
}

// PublicKey is the public half as the mobile SDKs send it.
func (d *Device) PublicKey() string {
	return base64.StdEncoding.EncodeToString(d.Key.Public().(ed25519.PublicKey))
}

// Sign signs a challenge as the mobile SDKs do. What is no base64 it signs as it
// is, for tests that hand it such.
func (d *Device) Sign(challenge string) string {
	b, err := base64.StdEncoding.DecodeString(challenge)
	if err != nil {
		b = []byte(challenge)
	}
	return base64.StdEncoding.EncodeToString(ed25519.Sign(d.Key, b))
}

// Mobile returns an app in which nobody is signed in: a caller without an origin.
func (s *Server) Mobile() *Browser { return &Browser{server: s} }

// Enrol registers the device for whoever is signed in, for an hour.
func (b *Browser) Enrol(d *Device) *Answer {
	b.server.t.Helper()
	return b.sign(d, "/sdk/v1/biometrics/register")
}

// Unlock signs in with the device, for an hour.
func (b *Browser) Unlock(d *Device) *Answer {
	b.server.t.Helper()
	return b.sign(d, "/sdk/v1/biometrics/authenticate")
}

// sign goes through both steps of a ceremony and returns the answer that refused
// it, or the last.
func (b *Browser) sign(d *Device, path string) *Answer {
	b.server.t.Helper()
	start := b.Call(http.MethodPost, path+"/start", map[string]any{"public_key": d.PublicKey()})
	if start.Status != http.StatusOK {
		return start
	}
	return b.Call(http.MethodPost, path, map[string]any{
		"biometric_registration_id": start.String("biometric_registration_id"),
		"signature":                 d.Sign(start.String("challenge")), "session_duration_minutes": 60,
	})
}
