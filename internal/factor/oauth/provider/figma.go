package provider

import (
	"context"
	"strings"
)

// figma: https://developers.figma.com/docs/rest-api/authentication/
var figma = &Provider{
	Name: "figma", Type: "Figma", Scopes: []string{"current_user:read"},
	Email: Never,
	endpoints: Endpoints{
		Authorization: "https://www.figma.com/oauth",
		Token:         "https://api.figma.com/v1/oauth/token",
		UserInfo:      "https://api.figma.com/v1/me",
	},
	basic: true,
	// Tokens are renewed at an address of its own, beside the other.
	refreshAt: func(token string) string { return strings.TrimSuffix(token, "/token") + "/refresh" },
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, nil)
		if err != nil {
			return nil, err
		}
		return &Identity{Subject: u.Text("id"), Email: u.String("email"), Name: splitName(u.String("handle")), Picture: u.String("img_url")}, nil
	},
}
