package provider

import (
	"context"
	"net/url"
)

// discord: https://docs.discord.com/developers/topics/oauth2
var discord = &Provider{
	Name: "discord", Type: "Discord", Scopes: []string{"identify", "email"},
	PKCE: true, Email: IfClaimed,
	endpoints: Endpoints{
		Authorization: "https://discord.com/oauth2/authorize",
		Token:         "https://discord.com/api/oauth2/token",
		UserInfo:      "https://discord.com/api/users/@me",
	},
	params: []string{"prompt"},
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, nil)
		if err != nil {
			return nil, err
		}
		who := &Identity{
			Subject: u.String("id"), Email: u.String("email"), EmailVerified: u["verified"] == true,
			Name: splitName(u.String("global_name")), Locale: u.String("locale"),
		}
		if avatar := u.String("avatar"); avatar != "" {
			who.Picture = "https://cdn.discordapp.com/avatars/" + url.PathEscape(who.Subject) + "/" + url.PathEscape(avatar) + ".png"
		}
		return who, nil
	},
}
