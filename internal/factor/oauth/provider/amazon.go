package provider

import "context"

// amazon: https://developer.amazon.com/docs/login-with-amazon/authorization-code-grant.html
var amazon = &Provider{
	Name: "amazon", Type: "Amazon", Scopes: []string{"profile"},
	PKCE: true, Email: Never,
	endpoints: Endpoints{
		Authorization: "https://www.amazon.com/ap/oa",
		Token:         "https://api.amazon.com/auth/o2/token",
		UserInfo:      "https://api.amazon.com/user/profile",
	},
	params: []string{"ui_locales"},
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, nil)
		if err != nil {
			return nil, err
		}
		return &Identity{Subject: u.String("user_id"), Email: u.String("email"), Name: splitName(u.String("name"))}, nil
	},
}
