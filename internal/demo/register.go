package demo

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Whoever asks first gets the address, as nothing here proves that it is theirs: an app of your own would send
// a link or a code to it before it trusts the address. What the demo does take care of is that the second to
// come never gets into the first one's account: an address that has an account cannot register here again.
var (
	errAccountExists = failure{409, "account_exists", "This e-mail already has an account. Sign in with your passkey, or use another e-mail."}
	errNotStarted    = failure{400, "registration_not_started", "This sign-up has expired. Enter your e-mail again to start over."}
	errNotADomain    = failure{400, "domain_required", "Passkeys need a host name, and this page was opened by an IP address. Open it as localhost."}
	errNoEmail       = failure{400, "invalid_email", "Enter your e-mail."}
)

// pendingMark is the key in a user's trusted metadata, which only a backend can write, that marks a sign-up of
// this demo that has no passkey yet. It holds the time the sign-up started.
const pendingMark = "demo_signup_started_at"

// abandonedAfter is when a sign-up can no longer be finished: its cookie lives ten minutes and a challenge at
// most five more.
const (
	signUpLifetime = 10 * time.Minute
	abandonedAfter = 20 * time.Minute
)

// startRegistration creates the user and asks the API for the options to create a passkey with.
func (d *Demo) startRegistration(r *request) (map[string]any, error) {
	var body struct {
		Email string `json:"email"`
	}
	if err := r.read(&body); err != nil {
		return nil, err
	}
	email, domain := strings.TrimSpace(body.Email), r.domain()
	if domain == "" {
		return nil, errNotADomain
	}
	if email == "" {
		return nil, errNoEmail
	}
	userID, err := d.userToRegister(r, email)
	if err != nil {
		return nil, err
	}
	var started struct {
		Options string `json:"public_key_credential_creation_options"`
	}
	err = r.api.do("POST", "/v1/webauthn/register/start", map[string]any{
		"user_id":                           userID,
		"domain":                            domain,
		"user_agent":                        r.UserAgent(),
		"return_passkey_credential_options": true,
		"use_base64_url_encoding":           true,
	}, &started)
	if err != nil {
		return nil, err
	}
	return map[string]any{"options": json.RawMessage(started.Options)}, nil
}

// userToRegister finds the user this browser is signing up, or creates them. Cancelling the browser's dialog
// leaves a user without a passkey: the browser that created them holds a cookie and may go on.
func (d *Demo) userToRegister(r *request, email string) (string, error) {
	if pending, ok := d.pendingSignUp(r); ok && strings.EqualFold(pending.Email, email) {
		var u user
		err := r.api.do("GET", "/v1/users/"+url.PathEscape(pending.UserID), nil, &u)
		if err == nil && len(u.WebAuthnRegistrations) == 0 {
			return u.UserID, nil
		}
		if err == nil {
			return "", errAccountExists // finished already, in another tab
		}
		if !failed(err, "user_not_found") {
			return "", err
		}
	}
	userID, err := d.createUser(r, email)
	if failed(err, "duplicate_email") {
		if err := d.removeAbandoned(r, email); err != nil {
			return "", err
		}
		userID, err = d.createUser(r, email)
	}
	if failed(err, "duplicate_email") {
		return "", errAccountExists
	}
	if err != nil {
		return "", err
	}
	r.cookies = append(r.cookies, d.signUpCookie(signUp{UserID: userID, Email: email, Expires: d.config.Now().Add(signUpLifetime).Unix()}))
	return userID, nil
}

func (d *Demo) createUser(r *request, email string) (string, error) {
	var created struct {
		UserID string `json:"user_id"`
	}
	err := r.api.do("POST", "/v1/users", map[string]any{
		"email":            email,
		"trusted_metadata": map[string]any{pendingMark: d.config.Now().UTC().Format(time.RFC3339)},
	}, &created)
	return created.UserID, err
}

// removeAbandoned deletes the address's user if all they ever did was begin a sign-up here that can no longer
// be finished. Otherwise it answers errAccountExists.
func (d *Demo) removeAbandoned(r *request, email string) error {
	var found struct {
		Results []user `json:"results"`
	}
	err := r.api.do("POST", "/v1/users/search", map[string]any{
		"limit": 1,
		"query": map[string]any{
			"operator": "AND",
			"operands": []any{map[string]any{"filter_name": "email_address", "filter_value": []string{email}}},
		},
	}, &found)
	if err != nil {
		return err
	}
	if len(found.Results) == 0 {
		return nil // gone since
	}
	u := found.Results[0]
	if !u.abandoned(d.config.Now()) {
		return errAccountExists
	}
	return r.api.do("DELETE", "/v1/users/"+url.PathEscape(u.UserID), nil, &struct{}{})
}

// abandoned tells whether this is a sign-up of the demo that nobody finished or can finish, and nothing else.
func (u *user) abandoned(now time.Time) bool {
	mark, _ := u.TrustedMetadata[pendingMark].(string)
	started, err := time.Parse(time.RFC3339, mark)
	if err != nil || now.Sub(started) < abandonedAfter {
		return false
	}
	for _, e := range u.Emails {
		if e.Verified {
			return false
		}
	}
	password := string(u.Password)
	return len(u.Emails) == 1 && len(u.WebAuthnRegistrations)+len(u.PhoneNumbers)+len(u.Providers)+len(u.TOTPs)+
		len(u.CryptoWallets)+len(u.Biometrics) == 0 && (password == "" || password == "null")
}

// finishRegistration hands the new passkey to the API and gets a session for its owner.
func (d *Demo) finishRegistration(r *request) (map[string]any, error) {
	var body struct {
		Credential json.RawMessage `json:"credential"`
	}
	if err := r.read(&body); err != nil {
		return nil, err
	}
	pending, ok := d.pendingSignUp(r)
	if !ok {
		return nil, errNotStarted
	}
	// The mark goes first: once there is a passkey, nothing may take this user for abandoned, not even after
	// they have deleted their passkeys.
	err := r.api.do("PUT", "/v1/users/"+url.PathEscape(pending.UserID), map[string]any{
		"trusted_metadata": map[string]any{pendingMark: nil},
	}, &struct{}{})
	if failed(err, "user_not_found") {
		return nil, errNotStarted
	}
	if err != nil {
		return nil, err
	}
	var registered struct {
		SessionToken string          `json:"session_token"`
		SessionJWT   string          `json:"session_jwt"`
		Session      json.RawMessage `json:"session"`
		User         json.RawMessage `json:"user"`
	}
	err = r.api.do("POST", "/v1/webauthn/register", map[string]any{
		"user_id":                  pending.UserID,
		"public_key_credential":    string(body.Credential),
		"session_duration_minutes": 60,
	}, &registered)
	if err != nil {
		return nil, err
	}
	r.cookies = append(r.cookies, &http.Cookie{Name: signUpCookieName, Path: Prefix, MaxAge: -1})
	return map[string]any{
		"session_token": registered.SessionToken,
		"session_jwt":   registered.SessionJWT,
		"session":       registered.Session,
		"user":          registered.User,
	}, nil
}
