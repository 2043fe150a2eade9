package provider

import (
	"context"
	"net/url"
)

const snapchatScope = "https://auth.snapchat.com/oauth2/api/"

// snapchat: https://developers.snap.com/snap-kit/login-kit/overview
// What is known of the account is asked by a query in the manner of GraphQL.
var snapchat = &Provider{
	Name: "snapchat", Type: "Snapchat",
	Scopes: []string{snapchatScope + "user.external_id", snapchatScope + "user.display_name", snapchatScope + "user.bitmoji.avatar"},
	Email:  Never,
	endpoints: Endpoints{
		Authorization: "https://accounts.snapchat.com/accounts/oauth2/auth",
		Token:         "https://accounts.snapchat.com/accounts/oauth2/token",
		UserInfo:      "https://kit.snapchat.com/v1/me",
	},
	basic: true,
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, url.Values{"query": {"{me{externalId displayName bitmoji{avatar}}}"}})
		if err != nil {
			return nil, err
		}
		return &Identity{
			Subject: u.Text("data.me.externalId"), Name: splitName(u.Text("data.me.displayName")), Picture: u.Text("data.me.bitmoji.avatar"),
		}, nil
	},
}
