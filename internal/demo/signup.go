package demo

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

const signUpCookieName = "gatehouse_demo_signup"

// signUpKey derives the key that signs the cookie from the secret this backend has anyway, so that a restart
// lets the browser go on.
func signUpKey(secret string) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("gatehouse demo sign-up cookie"))
	return mac.Sum(nil)
}

// signUp says which user this browser is creating a passkey for. It lives in a cookie, signed so that nobody
// can name another user, and readable by this backend alone.
type signUp struct {
	UserID  string `json:"user_id"`
	Email   string `json:"email"`
	Expires int64  `json:"expires"` // Unix seconds
}

func (d *Demo) signUpCookie(s signUp) *http.Cookie {
	payload, err := json.Marshal(s)
	if err != nil {
		panic("demo: " + err.Error()) // two strings and a number
	}
	value := base64.RawURLEncoding.EncodeToString(payload)
	return &http.Cookie{
		Name:     signUpCookieName,
		Value:    value + "." + base64.RawURLEncoding.EncodeToString(d.sign(value)),
		Path:     Prefix,
		MaxAge:   int(signUpLifetime.Seconds()),
		HttpOnly: true,
		Secure:   strings.HasPrefix(d.config.BaseURL(), "https:"),
		SameSite: http.SameSiteStrictMode,
	}
}

// pendingSignUp reads the cookie; false when there is none, or it is forged or too old.
func (d *Demo) pendingSignUp(r *request) (signUp, bool) {
	var s signUp
	c, err := r.Cookie(signUpCookieName)
	if err != nil {
		return s, false
	}
	value, signature, _ := strings.Cut(c.Value, ".")
	mac, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || !hmac.Equal(mac, d.sign(value)) {
		return s, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || json.Unmarshal(payload, &s) != nil {
		return s, false
	}
	return s, s.Expires > d.config.Now().Unix()
}

func (d *Demo) sign(value string) []byte {
	mac := hmac.New(sha256.New, d.key)
	mac.Write([]byte(value))
	return mac.Sum(nil)
}
