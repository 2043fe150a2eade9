package session

// StartFields are Fields for logins that only ever start a session: where
// session_token means something else, or nothing is added to a session.
type StartFields struct {
	SessionDurationMinutes *int   `json:"session_duration_minutes,omitempty" min:"5" max:"527040" description:"Starts a session of so many minutes. Without it no session is made."`
	SessionCustomClaims    Claims `json:"session_custom_claims,omitempty" door:"server" description:"The session's own claims. At most 4 KB."`
	TelemetryID            string `json:"telemetry_id,omitempty" description:"Accepted and not used yet."`
}

func (f *StartFields) sessionFields() *Fields {
	return &Fields{SessionDurationMinutes: f.SessionDurationMinutes, SessionCustomClaims: f.SessionCustomClaims, TelemetryID: f.TelemetryID}
}
