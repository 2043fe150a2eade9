package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// api calls /v1 for one request of the page and remembers the calls.
type api struct {
	config *Config
	ctx    context.Context // the page's request: the calls end with it
	calls  []call
}

// call is one line of what the page shows as "behind the scenes".
type call struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Status int    `json:"status"`
	Millis int64  `json:"millis"`
}

// do sends body (nil for none) as JSON with the project's credentials, and decodes the answer into out.
// An answer that is not a success comes back as a failure with the API's own words.
func (a *api) do(method, path string, body, out any) error {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(a.ctx, method, strings.TrimSuffix(a.config.BaseURL(), "/")+path, payload)
	if err != nil {
		return err
	}
	req.SetBasicAuth(a.config.ProjectID, a.config.Secret)
	req.Header.Set("Content-Type", "application/json")
	start := a.config.Now()
	resp, err := a.config.Client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	a.calls = append(a.calls, call{method, path, resp.StatusCode, a.config.Now().Sub(start).Milliseconds()})
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		f := failure{Status: resp.StatusCode}
		if err := json.Unmarshal(b, &f); err != nil || f.Type == "" {
			return fmt.Errorf("%s %s answered %d without an error type", method, path, resp.StatusCode)
		}
		return f
	}
	return json.Unmarshal(b, out)
}

// failed tells whether err is the API's answer of that type.
func failed(err error, errorType string) bool {
	var f failure
	return errors.As(err, &f) && f.Type == errorType
}

// user is the part of the API's user object that the demo looks at.
type user struct {
	UserID string `json:"user_id"`
	Emails []struct {
		Email    string `json:"email"`
		Verified bool   `json:"verified"`
	} `json:"emails"`
	WebAuthnRegistrations []json.RawMessage `json:"webauthn_registrations"`
	PhoneNumbers          []json.RawMessage `json:"phone_numbers"`
	Providers             []json.RawMessage `json:"providers"`
	TOTPs                 []json.RawMessage `json:"totps"`
	CryptoWallets         []json.RawMessage `json:"crypto_wallets"`
	Biometrics            []json.RawMessage `json:"biometric_registrations"`
	Password              json.RawMessage   `json:"password"`
	TrustedMetadata       map[string]any    `json:"trusted_metadata"`
}
