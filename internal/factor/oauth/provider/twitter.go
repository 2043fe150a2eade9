package provider

import (
	"context"
	"net/url"
)

// twitter: https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code
// It says no address with these scopes.
var twitter = &Provider{
	Name: "twitter", Type: "Twitter", Scopes: []string{"users.read", "tweet.read", "offline.access"},
	PKCE: true, Email: Never,
	endpoints: Endpoints{
		Authorization: "https://x.com/i/oauth2/authorize",
		Token:         "https://api.x.com/2/oauth2/token",
		UserInfo:      "https://api.x.com/2/users/me",
	},
	basic: true,
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, url.Values{"user.fields": {"id,name,username,profile_image_url"}})
		if err != nil {
			return nil, err
		}
		return &Identity{Subject: u.Text("data.id"), Name: splitName(u.Text("data.name")), Picture: u.Text("data.profile_image_url")}, nil
	},
}
