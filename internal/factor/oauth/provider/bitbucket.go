package provider

import "context"

// bitbucket: https://support.atlassian.com/bitbucket-cloud/docs/use-oauth-on-bitbucket-cloud/
var bitbucket = &Provider{
	Name: "bitbucket", Type: "Bitbucket", Scopes: []string{"account", "email"},
	Email: IfListed,
	endpoints: Endpoints{
		Authorization: "https://bitbucket.org/site/oauth2/authorize",
		Token:         "https://bitbucket.org/site/oauth2/access_token",
		UserInfo:      "https://api.bitbucket.org/2.0/user",
		Emails:        "https://api.bitbucket.org/2.0/user/emails",
	},
	basic: true,
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, nil)
		if err != nil {
			return nil, err
		}
		who := &Identity{Subject: u.String("uuid"), Name: splitName(u.String("display_name")), Picture: u.Text("links.avatar.href")}
		list, err := v.get(ctx, v.at.Emails, nil)
		if unlisted(err) {
			return who, nil
		}
		if err != nil {
			return nil, err
		}
		who.Email, who.EmailVerified = primary(readList(list["values"]), "is_primary", "is_confirmed")
		return who, nil
	},
}
