package provider

import (
	"context"
	"encoding/json"
	"net/url"

	"gatehouse/internal/jwks"
)

// github: https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
var github = &Provider{
	Name: "github", Type: "GitHub", Scopes: []string{"read:user", "user:email"},
	PKCE: true, Email: IfListed,
	endpoints: Endpoints{
		Authorization: "https://github.com/login/oauth/authorize",
		Token:         "https://github.com/login/oauth/access_token",
		UserInfo:      "https://api.github.com/user",
		Emails:        "https://api.github.com/user/emails",
	},
	params: []string{"login", "allow_signup", "prompt"},
	fault: func(_ int, answer jwks.Claims) string {
		switch code := answer.String("error"); code {
		case "incorrect_client_credentials":
			return "invalid_client"
		case "bad_verification_code", "bad_refresh_token":
			return "invalid_grant"
		case "application_suspended":
			return "unauthorized_client"
		default:
			return code
		}
	},
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, nil)
		if err != nil {
			return nil, err
		}
		who := &Identity{Subject: u.Text("id"), Name: splitName(u.String("name")), Picture: u.String("avatar_url")}
		// The address of the account itself is one that it shows to the public.
		body, err := v.fetch(ctx, v.at.Emails, url.Values{"per_page": {"100"}})
		if unlisted(err) {
			return who, nil
		}
		if err != nil {
			return nil, err
		}
		var list any
		if len(body) > maxAnswer || json.Unmarshal(body, &list) != nil {
			return nil, errNoJSON
		}
		who.Email, who.EmailVerified = primary(readList(list), "primary", "verified")
		return who, nil
	},
}

// primary finds the address that is the account's own in a list, and whether it
// is confirmed. Another, even if it is confirmed, is not the one the person goes by.
func primary(list []jwks.Claims, isPrimary, isConfirmed string) (string, bool) {
	for _, one := range list {
		if one[isPrimary] == true {
			return one.String("email"), one[isConfirmed] == true
		}
	}
	return "", false
}
