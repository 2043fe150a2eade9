package authtest

import (
	"net/http"

	"gatehouse/internal/factor/webauthn/virtualkey"
)

// Person is a user with a passkey, as someone with a phone is.
type Person struct {
	UserID         string
	Email          string
	RegistrationID string
	Key            *virtualkey.Authenticator
	server         *Server
}

// Domain is the RP ID tests register passkeys for.
const Domain = "localhost"

// Page is the page a person's browser shows.
func Page() virtualkey.Page { return virtualkey.Page{Origin: "http://localhost:3000"} }

// Person creates a user with an address and a passkey, through the backend API.
func (s *Server) Person(email string) *Person {
	s.t.Helper()
	p := &Person{Email: email, Key: virtualkey.New(), server: s}
	p.UserID = s.Call(http.MethodPost, "/v1/users", map[string]any{"email": email}).OK().String("user_id")
	p.RegistrationID = p.Register(nil).String("webauthn_registration_id")
	return p
}

// Register adds a passkey; more goes into the final request.
func (p *Person) Register(more map[string]any) *Answer {
	p.server.t.Helper()
	body := map[string]any{"user_id": p.UserID, "public_key_credential": p.Created()}
	for name, value := range more {
		body[name] = value
	}
	return p.server.Call(http.MethodPost, "/v1/webauthn/register", body).OK()
}

// Created is a new passkey's answer to fresh creation options.
func (p *Person) Created() string {
	p.server.t.Helper()
	options := p.server.Call(http.MethodPost, "/v1/webauthn/register/start", map[string]any{
		"user_id": p.UserID, "domain": Domain, "return_passkey_credential_options": true, "use_base64_url_encoding": true,
	}).OK().String("public_key_credential_creation_options")
	created, err := p.Key.Create(Page(), options)
	if err != nil {
		p.server.t.Fatal(err)
	}
	return created.JSON(virtualkey.Base64URL)
}

// Assertion is the person's answer to a fresh challenge, for the final request
// of a sign-in.
func (p *Person) Assertion() string {
	p.server.t.Helper()
	options := p.server.Call(http.MethodPost, "/v1/webauthn/authenticate/start", map[string]any{
		"domain": Domain, "return_passkey_credential_options": true, "use_base64_url_encoding": true,
	}).OK().String("public_key_credential_request_options")
	got, err := p.Key.Get(Page(), options)
	if err != nil {
		p.server.t.Fatal(err)
	}
	return got.JSON(virtualkey.Base64URL)
}

// SignIn signs in with the passkey through the backend API; more goes into the
// final request, where a session_duration_minutes asks for a session.
func (p *Person) SignIn(more map[string]any) *Answer {
	p.server.t.Helper()
	body := map[string]any{"public_key_credential": p.Assertion()}
	for name, value := range more {
		body[name] = value
	}
	return p.server.Call(http.MethodPost, "/v1/webauthn/authenticate", body)
}

// Session signs in for an hour and returns the answer.
func (p *Person) Session() *Answer {
	p.server.t.Helper()
	return p.SignIn(map[string]any{"session_duration_minutes": 60}).OK()
}
