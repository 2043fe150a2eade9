package provider

import "context"

// coinbase: https://docs.cdp.coinbase.com/coinbase-app/oauth2-integration/overview
var coinbase = &Provider{
	Name: "coinbase", Type: "Coinbase", Scopes: []string{"wallet:user:read", "wallet:user:email", "offline_access"},
	PKCE: true, Email: Never,
	endpoints: Endpoints{
		Authorization: "https://login.coinbase.com/oauth2/auth",
		Token:         "https://login.coinbase.com/oauth2/token",
		UserInfo:      "https://api.coinbase.com/v2/user",
	},
	separator: ",",
	params:    []string{"layout", "referral", "account"},
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, nil)
		if err != nil {
			return nil, err
		}
		return &Identity{
			Subject: u.Text("data.id"), Email: u.Text("data.email"), Name: splitName(u.Text("data.name")), Picture: u.Text("data.avatar_url"),
		}, nil
	},
}
