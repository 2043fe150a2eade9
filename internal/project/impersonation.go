package project

// UserImpersonationConfig says whether operators may act as users (platform.md, 14).
type UserImpersonationConfig struct {
	Enabled bool `json:"enabled"` // operators may act as a user for an hour, with `gatehouse impersonate`
}

// SDKUserImpersonation switches it on for browsers.
type SDKUserImpersonation struct {
	Enabled bool `json:"enabled"` // browsers may begin a session in which an operator acts as a user
}
