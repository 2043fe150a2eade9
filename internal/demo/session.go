package demo

import (
	"encoding/json"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

var errNoSession = failure{401, "no_session", "Nobody is signed in in this browser."}

// checkSession does what an app's backend does on every request: it reads the session from the cookies and
// checks it. Here it does so in both ways there are: the JWT by its signature, without asking anybody, and the
// session by asking the API, which knows at once when it was revoked.
func (d *Demo) checkSession(r *request) (map[string]any, error) {
	live, err := d.authenticate(r)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{
		"session":     live.Session,
		"user":        live.User,
		"verified_at": d.config.Now().UTC().Format(time.RFC3339Nano),
	}
	if c, err := r.Cookie("stytch_session_jwt"); err == nil {
		checked, err := d.checkJWT(r, c.Value)
		if err != nil {
			return nil, err
		}
		answer["jwt"] = checked
	}
	return answer, nil
}

type liveSession struct {
	Session json.RawMessage `json:"session"`
	User    json.RawMessage `json:"user"`
}

// authenticate asks the API whether the session in the cookies lives.
func (d *Demo) authenticate(r *request) (*liveSession, error) {
	credential := map[string]any{}
	if c, err := r.Cookie("stytch_session"); err == nil {
		credential["session_token"] = c.Value
	} else if c, err := r.Cookie("stytch_session_jwt"); err == nil {
		credential["session_jwt"] = c.Value
	} else {
		return nil, errNoSession
	}
	var live liveSession
	if err := r.api.do("POST", "/v1/sessions/authenticate", credential, &live); err != nil {
		return nil, err
	}
	return &live, nil
}

// checkedJWT is what checking a JWT's signature and times said.
type checkedJWT struct {
	Valid     bool   `json:"valid"`
	Reason    string `json:"reason,omitempty"` // why it is not valid
	KeyID     string `json:"key_id,omitempty"`
	Algorithm string `json:"algorithm,omitempty"`
	Subject   string `json:"subject,omitempty"`
}

// checkJWT verifies a session JWT against the project's published keys, as any backend can. The error is of
// fetching the keys; a JWT that does not hold is an answer.
func (d *Demo) checkJWT(r *request, token string) (checkedJWT, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil || len(parsed.Headers) != 1 {
		return checkedJWT{Reason: "it is not a JWT"}, nil
	}
	checked := checkedJWT{KeyID: parsed.Headers[0].KeyID, Algorithm: parsed.Headers[0].Algorithm}
	key, err := d.jwks.find(r.api, checked.KeyID)
	if err != nil {
		return checked, err
	}
	var claims jwt.Claims
	if key == nil {
		checked.Reason = "its key is not among the project's keys"
	} else if parsed.Claims(key.Key, &claims) != nil {
		checked.Reason = "its signature does not match"
	} else if claims.Issuer != d.config.BaseURL() && claims.Issuer != "stytch.com/"+d.config.ProjectID {
		checked.Reason = "another server issued it"
	} else if claims.ValidateWithLeeway(jwt.Expected{AnyAudience: jwt.Audience{d.config.ProjectID}, Time: d.config.Now()}, 0) != nil {
		checked.Reason = "it has expired or is for another project"
	} else {
		checked.Valid, checked.Subject = true, claims.Subject
	}
	return checked, nil
}

// keyCache keeps the project's public keys until a JWT comes with a key it does not hold.
type keyCache struct {
	mu   sync.Mutex
	keys jose.JSONWebKeySet
}

// find returns the key of that id, nil when the project has none.
func (k *keyCache) find(a *api, keyID string) (*jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if found := k.keys.Key(keyID); len(found) > 0 {
		return &found[0], nil
	}
	var fresh jose.JSONWebKeySet
	if err := a.do("GET", "/v1/sessions/jwks/"+url.PathEscape(a.config.ProjectID), nil, &fresh); err != nil {
		return nil, err
	}
	k.keys = fresh
	if found := k.keys.Key(keyID); len(found) > 0 {
		return &found[0], nil
	}
	return nil, nil
}

// listPasskeys gives the page what it needs to tell the browser which passkeys still work, so that a password
// manager can forget deleted ones (WebAuthn's signalAllAcceptedCredentials).
func (d *Demo) listPasskeys(r *request) (map[string]any, error) {
	live, err := d.authenticate(r)
	if err != nil {
		return nil, err
	}
	var u user
	if err := json.Unmarshal(live.User, &u); err != nil {
		return nil, err
	}
	domain := r.domain()
	var listed struct {
		Credentials []struct {
			CredentialID   string `json:"credential_id"`
			RegistrationID string `json:"webauthn_registration_id"`
		} `json:"credentials"`
	}
	if err := r.api.do("GET", "/v1/webauthn/credentials/"+url.PathEscape(u.UserID)+"/"+url.PathEscape(domain), nil, &listed); err != nil {
		return nil, err
	}
	return map[string]any{"user_id": u.UserID, "rp_id": domain, "passkeys": listed.Credentials}, nil
}
