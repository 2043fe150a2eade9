package provider

import (
	"context"
	"errors"
)

// google: https://developers.google.com/identity/openid-connect/openid-connect
var google = &Provider{
	Name: "google", Type: "Google", Scopes: []string{"openid", "email", "profile"},
	PKCE: true, Nonce: true, Email: IfClaimed,
	endpoints: Endpoints{
		Issuer:        "https://accounts.google.com",
		Authorization: "https://accounts.google.com/o/oauth2/v2/auth",
		Token:         "https://oauth2.googleapis.com/token",
		JWKS:          "https://www.googleapis.com/oauth2/v3/certs",
	},
	openID: true, native: true,
	// Google has signed under both names.
	issuer: func(_ *Credentials, iss string) bool {
		return iss == "https://accounts.google.com" || iss == "accounts.google.com"
	},
	fixed:  map[string]string{"access_type": "offline"}, // a refresh token comes with the first consent
	params: []string{"login_hint", "prompt", "hl", "hd", "access_type", "include_granted_scopes", "enable_granular_consent"},
	account: func(_ context.Context, v *visit) (*Identity, error) {
		who := v.fromClaims(v.claims)
		if who.Subject == "" || who.Email == "" {
			return nil, errGoogleMissing.Because(errors.New("the id_token lacks sub or email"))
		}
		return who, nil
	},
}
