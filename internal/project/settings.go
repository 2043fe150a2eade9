package project

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
)

var (
	errSetting       = apierr.New(400, "invalid_setting", "The setting is unknown or its value is of the wrong type.")
	errLockThreshold = apierr.New(400, "invalid_user_lock_threshold", "user_lock.threshold must lie between 1 and 100.")
	errLockTTL       = apierr.New(400, "invalid_user_lock_ttl", "user_lock.ttl_seconds must lie between 300 (5 minutes) and 604800 (7 days).")
)

// Set changes one setting named by its path, e.g. "sdk.webauthn.enabled". The
// value is JSON, or plain text for a setting that holds text.
func (c *Config) Set(path, value string) error {
	if !json.Valid([]byte(value)) {
		quotedValue, err := json.Marshal(value)
		if err != nil {
			return err
		}
		value = string(quotedValue)
	}
	if err := c.setJSON(path, value); err != nil {
		// A word like true or 42 may be meant as text.
		if asText, merr := json.Marshal(value); merr == nil && c.setJSON(path, string(asText)) == nil {
			return nil
		}
		return errSetting.WithMessage("%q cannot be set to %s. `gatehouse environment show` lists the settings and their values.", path, value).Because(err)
	}
	return nil
}

func (c *Config) setJSON(path, value string) error {
	doc := value
	parts := strings.Split(path, ".")
	for _, part := range slices.Backward(parts) {
		name, err := json.Marshal(part)
		if err != nil {
			return err
		}
		doc = "{" + string(name) + ":" + doc + "}"
	}
	next := *c
	// The decoder fills in what is there: a list would keep parts of the old one.
	// What cannot be reset is a group of settings or none, which it tells apart.
	_ = next.Reset(path)
	dec := json.NewDecoder(bytes.NewReader([]byte(doc)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&next); err != nil {
		return err
	}
	*c = next
	return nil
}

// bound says where a number that is set must lie; 0 is the default.
type bound struct {
	path            string
	value, min, max int
}

// check refuses values outside their bounds.
func (c *Config) check(kind id.Env) error {
	if c.UserLock.Threshold != 0 && (c.UserLock.Threshold < 1 || c.UserLock.Threshold > 100) {
		return errLockThreshold
	}
	if c.UserLock.TTLSeconds != 0 && (c.UserLock.TTLSeconds < 300 || c.UserLock.TTLSeconds > 604800) {
		return errLockTTL
	}
	for _, rule := range []struct {
		path    string
		value   string
		allowed []string
	}{
		{"session.issuer", c.Session.Issuer, []string{IssuerURL, IssuerStytch}},
		{"session.algorithm", c.Session.Algorithm, []string{RS256, ES256}},
		{"passwords.validation_policy", c.Passwords.ValidationPolicy, []string{Zxcvbn, LUDS}},
		{"webauthn.sign_count", c.WebAuthn.SignCount, []string{SignCountReject, SignCountWarn}},
		{"webauthn.user_verification", c.WebAuthn.UserVerification, []string{UserVerificationRequired}},
		{"sdk.cookies.http_only", c.SDK.Cookies.HTTPOnly, []string{CookiesDisabled, CookiesEnabled, CookiesEnforced}},
	} {
		if rule.value != "" && !slices.Contains(rule.allowed, rule.value) {
			return errSetting.WithMessage("%s must be one of %s.", rule.path, strings.Join(rule.allowed, ", "))
		}
	}
	for _, rule := range append(c.Passwords.bounds(),
		bound{"session.key_rotation_days", c.Session.KeyRotationDays, 1, 3650},
		bound{"sdk.sessions.max_session_duration_minutes", c.SDK.Sessions.MaxSessionDurationMinutes, MinSessionMinutes, MaxSessionMinutes},
	) {
		if rule.value != 0 && (rule.value < rule.min || rule.value > rule.max) {
			return errSetting.WithMessage("%s must lie between %d and %d.", rule.path, rule.min, rule.max)
		}
	}
	if r := c.Session.JWTReuseSeconds; r != nil && (*r < 0 || *r > 240) {
		return errSetting.WithMessage("session.jwt_reuse_seconds must lie between 0 and 240.")
	}
	if err := c.checkMessages(); err != nil {
		return err
	}
	if err := c.Passwords.check(c); err != nil {
		return err
	}
	if err := c.checkWallets(); err != nil {
		return err
	}
	if err := c.checkSessionMigration(kind); err != nil {
		return err
	}
	return c.checkOrigins(kind)
}

func (c *Config) checkOrigins(kind id.Env) error {
	for i, domain := range c.SDK.Basic.Domains {
		normal, err := NormalizeDomain(kind, domain)
		if err != nil {
			return err
		}
		c.SDK.Basic.Domains[i] = normal
	}
	for _, origin := range c.WebAuthn.RelatedOrigins {
		scheme, host, _, ok := ParseOrigin(origin)
		if !ok || scheme != "https" && (kind == id.Live || !IsLoopback(host)) {
			return errSetting.WithMessage("webauthn.related_origins holds %q, which is not an https origin.", origin)
		}
	}
	for _, hash := range c.WebAuthn.AndroidKeyHashes {
		if rest, ok := strings.CutPrefix(hash, "android:apk-key-hash:"); !ok || rest == "" {
			return errSetting.WithMessage("webauthn.android_key_hashes holds %q. Write android:apk-key-hash: and the hash.", hash)
		}
	}
	if d := c.SDK.Cookies.Domain; d != "" && (!ValidHostname(d) || !isRegistrable(d)) {
		return errSetting.WithMessage("sdk.cookies.domain must be a domain you own, without a scheme.")
	}
	return nil
}
