// Package webauthn owns passkeys and security keys: the two WebAuthn
// ceremonies (https://www.w3.org/TR/webauthn-3/), the credentials they leave
// behind, and the challenges between their two steps. It decides which domains
// may be an RP ID, which origins may speak for one, and what an authenticator
// must prove.
//
// It never mints a session (package session does, from the proof this package
// returns), never writes a user but through package user, and never asks a
// metadata service whether an authenticator's model is trustworthy.
package webauthn
