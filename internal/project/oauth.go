package project

// OAuthConfig says what becomes of what identity providers issue.
type OAuthConfig struct {
	KeepProviderTokens bool `json:"keep_provider_tokens"` // access and refresh tokens of providers are kept, sealed, and renewed for servers that ask
}
