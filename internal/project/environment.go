// Package project owns projects, their environments and everything configured
// per environment: secrets, public tokens, redirect URLs, switches. It decides
// who a caller is at both doors. It never touches users.
package project

import (
	"slices"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/jwttemplate"
)

// Environment is one environment of a project with its whole configuration: an
// immutable snapshot, replaced as a whole when something changes.
type Environment struct {
	ID           string // the project_id of the wire: "project-<kind>-<uuid>"
	ProjectID    string // the project both environments belong to
	ProjectName  string
	Kind         id.Env
	Name         string
	Config       Config
	PublicTokens []PublicToken
	Secrets      []Secret
	RedirectURLs []RedirectURL
	CreatedAt    time.Time
	Version      int64 // of the configuration this snapshot was read from

	policy       *Policy // nil: the built-in one
	jwtTemplates map[jwttemplate.Kind]*JWTTemplate
}

// Secret describes a secret key; the value itself is shown once, at creation.
type Secret struct {
	ID        string    `json:"secret_id"`
	LastFour  string    `json:"last_four"`
	CreatedAt time.Time `json:"created_at"`
}

// PublicToken names an environment to a browser or a mobile app.
type PublicToken struct {
	Token     string    `json:"public_token"`
	CreatedAt time.Time `json:"created_at"`
}

// Live reports whether real users live here, so that the stricter rules hold.
func (e *Environment) Live() bool { return e.Kind == id.Live }

// Config is what can be set per environment. The zero value of every field
// means the default, which the accessor beside it knows.
type Config struct {
	UserLock          UserLockConfig          `json:"user_lock"`
	Session           SessionConfig           `json:"session"`
	WebAuthn          WebAuthnConfig          `json:"webauthn"`
	Messages          MessagesConfig          `json:"messages"`
	Notices           NoticesConfig           `json:"notices"`
	EmailLinks        EmailLinksConfig        `json:"email_links"`
	Passwords         PasswordsConfig         `json:"passwords"`
	OAuth             OAuthConfig             `json:"oauth"`
	CryptoWallets     CryptoWalletsConfig     `json:"crypto_wallets"`
	UserImpersonation UserImpersonationConfig `json:"user_impersonation"`
	SessionMigration  SessionMigrationConfig  `json:"session_migration"`
	SDK               SDKConfig               `json:"sdk"`
}

// UserLockConfig says when repeated failures lock a user (platform.md, 13).
type UserLockConfig struct {
	Threshold  int  `json:"threshold"`          // consecutive failures, 1..100; default 10
	TTLSeconds int  `json:"ttl_seconds"`        // 300..604800; default 3600
	SelfServe  bool `json:"self_serve_enabled"` // a locked user gets a link by e-mail that ends the lock
}

// LockThreshold is the number of consecutive failures that locks a user.
func (c *Config) LockThreshold() int { return orDefault(c.UserLock.Threshold, 10) }

// LockTTL is how long a lock holds.
func (c *Config) LockTTL() time.Duration {
	return time.Duration(orDefault(c.UserLock.TTLSeconds, 3600)) * time.Second
}

// SessionConfig says how session tokens are issued.
type SessionConfig struct {
	Issuer          string `json:"issuer"`            // "url": the public URL (default); "stytch": "stytch.com/<project_id>"
	Algorithm       string `json:"algorithm"`         // "RS256" (default) or "ES256"
	JWTReuseSeconds *int   `json:"jwt_reuse_seconds"` // a JWT younger than this is served again; 0..240, default 30
	KeyRotationDays int    `json:"key_rotation_days"` // a signing key older than this is replaced; default 180
}

// The signing algorithms an environment can choose (RFC 7518, section 3.1).
const (
	RS256 = "RS256"
	ES256 = "ES256"
)

// The issuers an environment can choose.
const (
	IssuerURL    = "url"
	IssuerStytch = "stytch"
)

// JWTAlgorithm is the algorithm session JWTs are signed with.
func (c *Config) JWTAlgorithm() string { return orDefault(c.Session.Algorithm, RS256) }

// JWTReuse is how long a signed JWT may be served again.
func (c *Config) JWTReuse() time.Duration {
	if c.Session.JWTReuseSeconds == nil {
		return 30 * time.Second
	}
	return time.Duration(*c.Session.JWTReuseSeconds) * time.Second
}

// KeyRotation is the age at which a signing key is replaced.
func (c *Config) KeyRotation() time.Duration {
	return time.Duration(orDefault(c.Session.KeyRotationDays, 180)) * 24 * time.Hour
}

// EmailLinksConfig says how links in e-mails behave.
type EmailLinksConfig struct {
	Direct bool `json:"direct"` // mails link straight to the redirect URL, past the page that keeps scanners from the app
}

// WebAuthnConfig holds the rules for passkeys.
type WebAuthnConfig struct {
	RequiresVerifiedFactor bool     `json:"requires_verified_factor"` // a verified e-mail or phone before the first registration
	SignCount              string   `json:"sign_count"`               // "reject" (default) or "warn" when a counter goes back
	RelatedOrigins         []string `json:"related_origins"`          // further origins that may use this environment's RP IDs
	AndroidKeyHashes       []string `json:"android_key_hashes"`       // "android:apk-key-hash:<base64url>" origins of Android apps
	AllowCrossOrigin       bool     `json:"allow_cross_origin"`       // passkeys may be used in frames inside pages of any origin
	UserVerification       string   `json:"user_verification"`        // "required" asks every ceremony for PIN or biometrics; default: preferred for passkeys, else discouraged
}

// UserVerificationRequired is the one value of user_verification beside none.
const UserVerificationRequired = "required"

// RequiresUserVerification reports whether an authenticator must have verified
// its user, not only noticed one.
func (c *Config) RequiresUserVerification() bool {
	return c.WebAuthn.UserVerification == UserVerificationRequired
}

// What to do when a sign counter goes back.
const (
	SignCountReject = "reject"
	SignCountWarn   = "warn"
)

// RejectsSignCount reports whether a regressing sign counter refuses the login.
func (c *Config) RejectsSignCount() bool { return c.WebAuthn.SignCount != SignCountWarn }

// SDKConfig holds the switches of the browser's door (platform.md, section 18).
type SDKConfig struct {
	Basic             SDKBasic             `json:"basic"`
	Sessions          SDKSessions          `json:"sessions"`
	MagicLinks        SDKMagicLinks        `json:"magic_links"`
	OTPs              SDKOTPs              `json:"otps"`
	Passwords         SDKPasswords         `json:"passwords"`
	OAuth             SDKOAuth             `json:"oauth"`
	TOTPs             SDKTOTPs             `json:"totps"`
	WebAuthn          SDKWebAuthn          `json:"webauthn"`
	Biometrics        SDKBiometrics        `json:"biometrics"`
	CryptoWallets     SDKCryptoWallets     `json:"crypto_wallets"`
	UserImpersonation SDKUserImpersonation `json:"user_impersonation"`
	Cookies           SDKCookies           `json:"cookies"`
}

// SDKBasic opens the door and says to whom.
type SDKBasic struct {
	Enabled   bool     `json:"enabled"`    // browsers and apps may call /sdk/v1 at all
	Domains   []string `json:"domains"`    // "https://app.example.com", "https://*.example.com"
	BundleIDs []string `json:"bundle_ids"` // identifiers of mobile apps
}

// SDKSessions bounds what a browser may ask for.
type SDKSessions struct {
	MaxSessionDurationMinutes int `json:"max_session_duration_minutes"` // 5..527040; default 527040
}

// SDKMagicLinks switches links by e-mail on for browsers.
type SDKMagicLinks struct {
	LoginOrCreate bool `json:"login_or_create_enabled"` // anybody may ask for a link, and becomes a user by using it
	Send          bool `json:"send_enabled"`            // users may ask for a link, and add addresses
	PKCERequired  bool `json:"pkce_required"`           // a link works only in the browser or app that asked for it
}

// SDKOAuth switches sign-in with identity providers on for browsers.
type SDKOAuth struct {
	Enabled      bool `json:"enabled"`       // browsers may finish sign-ins with providers, and people add accounts
	PKCERequired bool `json:"pkce_required"` // what comes back from a provider works only in the browser or app that set out
}

// SDKTOTPs switches authenticator apps on for browsers; Create separates
// enrolment from use.
type SDKTOTPs struct {
	Enabled bool `json:"enabled"`      // people may add codes of authenticator apps to their sessions in browsers
	Create  bool `json:"create_totps"` // people may add authenticator apps in browsers
}

// SDKWebAuthn switches passkeys on for browsers; Create separates enrolment from use.
type SDKWebAuthn struct {
	Enabled bool `json:"enabled"`          // people may sign in with passkeys in browsers
	Create  bool `json:"create_webauthns"` // passkeys may be created in browsers
}

// SDKBiometrics switches the biometrics of mobile devices on for apps; Create
// separates enrolment from use.
type SDKBiometrics struct {
	Enabled bool `json:"enabled"`                   // people may sign in with the biometrics of a registered device
	Create  bool `json:"create_biometrics_enabled"` // devices may be registered
}

// SDKCookies says whether the server sets HttpOnly session cookies.
type SDKCookies struct {
	HTTPOnly string `json:"http_only"` // DISABLED (default), ENABLED or ENFORCED
	Domain   string `json:"domain"`    // Domain attribute, e.g. "example.com"; empty: the API's host only
}

// The states of HttpOnly cookies.
const (
	CookiesDisabled = "DISABLED"
	CookiesEnabled  = "ENABLED"
	CookiesEnforced = "ENFORCED"
)

// HTTPOnlyCookies reports whether the server keeps the browser's session in
// cookies that scripts cannot read.
func (c *Config) HTTPOnlyCookies() bool {
	return c.SDK.Cookies.HTTPOnly == CookiesEnabled || c.SDK.Cookies.HTTPOnly == CookiesEnforced
}

// MaxSessionMinutes bounds the session duration a browser may ask for.
func (c *Config) MaxSessionMinutes() int {
	return orDefault(c.SDK.Sessions.MaxSessionDurationMinutes, MaxSessionMinutes)
}

// The bounds of session_duration_minutes on every call: 366 days at most.
const (
	MinSessionMinutes = 5
	MaxSessionMinutes = 527040
)

// productSwitch is what a /sdk/v1 route may need to be switched on.
type productSwitch struct {
	setting string // as `gatehouse sdk-config set` takes it
	on      func(*SDKConfig) bool
}

// switches are the words by which routes name their switches. A new product
// adds its lines here.
var switches = map[string]productSwitch{
	"magic_links.login_or_create": {"magic_links.login_or_create_enabled", func(c *SDKConfig) bool { return c.MagicLinks.LoginOrCreate }},
	"magic_links.send":            {"magic_links.send_enabled", func(c *SDKConfig) bool { return c.MagicLinks.Send }},
	"magic_links": {"magic_links.login_or_create_enabled", func(c *SDKConfig) bool {
		return c.MagicLinks.LoginOrCreate || c.MagicLinks.Send || c.Passwords.Enabled // whose mails hold such links too
	}},

	"otps.sms.login_or_create":      {"otps.sms_login_or_create_enabled", func(c *SDKConfig) bool { return c.OTPs.SMSLoginOrCreate }},
	"otps.sms.send":                 {"otps.sms_send_enabled", func(c *SDKConfig) bool { return c.OTPs.SMSSend }},
	"otps.whatsapp.login_or_create": {"otps.whatsapp_login_or_create_enabled", func(c *SDKConfig) bool { return c.OTPs.WhatsAppLoginOrCreate }},
	"otps.whatsapp.send":            {"otps.whatsapp_send_enabled", func(c *SDKConfig) bool { return c.OTPs.WhatsAppSend }},
	"otps.email.login_or_create":    {"otps.email_login_or_create_enabled", func(c *SDKConfig) bool { return c.OTPs.EmailLoginOrCreate }},
	"otps.email.send":               {"otps.email_send_enabled", func(c *SDKConfig) bool { return c.OTPs.EmailSend }},
	"otps":                          {"otps.email_login_or_create_enabled", func(c *SDKConfig) bool { return c.OTPs.Any() }},

	"passwords": {"passwords.enabled", func(c *SDKConfig) bool { return c.Passwords.Enabled }},

	"oauth": {"oauth.enabled", func(c *SDKConfig) bool { return c.OAuth.Enabled }},

	"totps":        {"totps.enabled", func(c *SDKConfig) bool { return c.TOTPs.Enabled }},
	"totps.create": {"totps.create_totps", func(c *SDKConfig) bool { return c.TOTPs.Enabled && c.TOTPs.Create }},

	"webauthn":        {"webauthn.enabled", func(c *SDKConfig) bool { return c.WebAuthn.Enabled }},
	"webauthn.create": {"webauthn.create_webauthns", func(c *SDKConfig) bool { return c.WebAuthn.Enabled && c.WebAuthn.Create }},

	"biometrics":        {"biometrics.enabled", func(c *SDKConfig) bool { return c.Biometrics.Enabled }},
	"biometrics.create": {"biometrics.create_biometrics_enabled", func(c *SDKConfig) bool { return c.Biometrics.Enabled && c.Biometrics.Create }},

	"crypto_wallets": {"crypto_wallets.enabled", func(c *SDKConfig) bool { return c.CryptoWallets.Enabled }},

	"user_impersonation": {"user_impersonation.enabled", func(c *SDKConfig) bool { return c.UserImpersonation.Enabled }},
}

// HasPublicToken reports whether token names this environment.
func (e *Environment) HasPublicToken(token string) bool {
	return slices.ContainsFunc(e.PublicTokens, func(p PublicToken) bool { return p.Token == token })
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
