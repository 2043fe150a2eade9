// Package session owns sessions and the tokens that stand for them: minting,
// opaque tokens, JWTs, signing keys, revocation. It is the only way from a
// proven factor to a session (see Login); factors never write a session
// themselves.
package session

import (
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Session is the session as the wire shows it (contract.json, Session).
type Session struct {
	SessionID             string     `json:"session_id" required:"true"`
	UserID                string     `json:"user_id" required:"true"`
	AuthenticationFactors Factors    `json:"authentication_factors" required:"true"`
	Roles                 []string   `json:"roles" required:"true"`
	StartedAt             Timestamp  `json:"started_at"`
	LastAccessedAt        Timestamp  `json:"last_accessed_at"`
	ExpiresAt             Timestamp  `json:"expires_at"`
	Attributes            Attributes `json:"attributes"`
	CustomClaims          Claims     `json:"custom_claims"`
}

// Attributes are the client's address and browser at the last authentication.
type Attributes struct {
	IPAddress string `json:"ip_address"`
	UserAgent string `json:"user_agent"`
}

// Timestamp is an instant as RFC 3339 in UTC with milliseconds.
type Timestamp = user.Timestamp

// Record is a session as it is stored.
type Record struct {
	ID             string
	UserID         string
	EnvironmentID  string
	Version        int64 // moves with everything a JWT shows, except last_accessed_at
	Factors        Factors
	Attributes     Attributes
	Claims         Claims
	StartedAt      time.Time
	LastAccessedAt time.Time
	ExpiresAt      time.Time
	tokenHash      []byte
	tokenSealed    []byte
}

// Alive reports whether the session is valid at the instant now. The clock
// decides, not the clean-up job.
func (r *Record) Alive(now time.Time) bool { return now.Before(r.ExpiresAt) }

// wire is the session as the wire shows it, with the roles and claims in force.
func (r *Record) wire(roles []string, claims Claims) *Session {
	return &Session{
		SessionID: r.ID, UserID: r.UserID, AuthenticationFactors: r.Factors, Roles: roles,
		StartedAt: Timestamp(r.StartedAt), LastAccessedAt: Timestamp(r.LastAccessedAt), ExpiresAt: Timestamp(r.ExpiresAt),
		Attributes: r.Attributes, CustomClaims: claims,
	}
}

// Fields are what every authenticate request may carry about the session it
// starts or joins. Embed it in the request type.
type Fields struct {
	SessionToken           string `json:"session_token,omitempty" door:"server" description:"An existing session that the factor is added to."`
	SessionJWT             string `json:"session_jwt,omitempty" door:"server" description:"The same by its JWT."`
	SessionDurationMinutes *int   `json:"session_duration_minutes,omitempty" min:"5" max:"527040" description:"Starts a session, or sets the expiry of the given one, this many minutes from now. Without it no session is made."`
	SessionCustomClaims    Claims `json:"session_custom_claims,omitempty" door:"server" description:"Merged into the session's claims; null deletes a key. At most 4 KB."`
	TelemetryID            string `json:"telemetry_id,omitempty" description:"Accepted and not used yet."`
}

func (f *Fields) sessionFields() *Fields { return f }

// Result is what every authenticate response holds. Embed it in the response
// type; Login fills it in.
type Result struct {
	wire.Meta
	UserID       string    `json:"user_id" required:"true"`
	User         user.JSON `json:"user" required:"true"`
	SessionToken string    `json:"session_token" required:"true"`
	SessionJWT   string    `json:"session_jwt" required:"true"`
	Session      *Session  `json:"session" description:"null unless a session was asked for or given."`
	UserDevice   *struct{} `json:"user_device" description:"null: devices are not recognised yet."`
	// BrowserUser repeats the user where the browser SDK looks for it.
	BrowserUser *user.JSON `json:"__user,omitempty"`
}

func (r *Result) sessionResult() *Result { return r }

var (
	errNotFound        = apierr.New(404, "session_not_found", "The session was not found. It may have expired or been revoked: sign in again.")
	errTokenShape      = apierr.New(400, "invalid_session_token", "The session_token is malformed.")
	errIDShape         = apierr.New(400, "invalid_session_id", "The session_id is malformed or belongs to another environment.")
	errNoArguments     = apierr.New(400, "no_session_arguments", "Send either session_token or session_jwt.")
	errTooMany         = apierr.New(400, "too_many_session_arguments", "Send session_token or session_jwt, not both.")
	errNoRevoke        = apierr.New(400, "no_session_revoke_arguments", "Send one of session_id, session_token and session_jwt.")
	errTooManyRevoke   = apierr.New(400, "too_many_session_revoke_arguments", "Send only one of session_id, session_token and session_jwt.")
	errDuration        = apierr.New(400, "invalid_session_duration_minutes", "session_duration_minutes must lie between 5 and 527040 minutes.")
	errUserMismatch    = apierr.New(400, "user_id_mismatch", "The session belongs to another user than the factor. Sign out first.")
	errUnauthenticated = apierr.New(401, "user_unauthenticated", "No one is signed in. Sign in first.")
	errLocked          = apierr.New(429, "user_lock_limit_reached", "The user is locked after too many failed attempts. Try again later.")
)

// Locked is the verdict on a user whom failures have locked for a while yet.
func Locked(wait time.Duration) error { return errLocked.WithRetryAfter(wait) }
