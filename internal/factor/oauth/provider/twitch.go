package provider

import (
	"context"

	"gatehouse/internal/jwks"
)

// twitch: https://dev.twitch.tv/docs/authentication/getting-tokens-oidc/
var twitch = &Provider{
	Name: "twitch", Type: "Twitch", Scopes: []string{"openid", "user:read:email"},
	Nonce: true, Email: IfClaimed,
	endpoints: Endpoints{
		Issuer:        "https://id.twitch.tv/oauth2",
		Authorization: "https://id.twitch.tv/oauth2/authorize",
		Token:         "https://id.twitch.tv/oauth2/token",
		JWKS:          "https://id.twitch.tv/oauth2/keys",
	},
	openID: true,
	// The id_token says no more than sub unless it is asked to.
	fixed:  map[string]string{"claims": `{"id_token":{"email":null,"email_verified":null,"picture":null,"preferred_username":null}}`},
	params: []string{"force_verify"},
	// Twitch says what went wrong in words: {"status":400,"message":"Invalid authorization code"}.
	fault: func(status int, answer jwks.Claims) string {
		switch answer.String("message") {
		case "invalid client", "invalid client secret", "missing client secret":
			return "invalid_client"
		case "Invalid authorization code", "Invalid refresh token":
			return "invalid_grant"
		case "Parameter redirect_uri does not match registered URI":
			return "invalid_request"
		}
		if status != 200 {
			return "unknown"
		}
		return ""
	},
	account: func(_ context.Context, v *visit) (*Identity, error) {
		who := v.fromClaims(v.claims)
		who.Name = splitName(v.claims.String("preferred_username"))
		return who, nil
	},
}
