package provider

import (
	"context"
	"errors"
	"net/url"
)

// tiktok: https://developers.tiktok.com/doc/login-kit-web
// The client id is called client_key there, and a code_challenge is for apps on
// a device only.
var tiktok = &Provider{
	Name: "tiktok", Type: "TikTok", Scopes: []string{"user.info.basic"},
	Email: Never,
	endpoints: Endpoints{
		Authorization: "https://www.tiktok.com/v2/auth/authorize/",
		Token:         "https://open.tiktokapis.com/v2/oauth/token/",
		UserInfo:      "https://open.tiktokapis.com/v2/user/info/",
	},
	idParam:   "client_key",
	separator: ",",
	params:    []string{"disable_auto_auth"},
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, url.Values{"fields": {"open_id,avatar_url,display_name"}})
		if err != nil {
			return nil, err
		}
		if code := u.Text("error.code"); code != "" && code != "ok" {
			return nil, errors.New("the account cannot be read: " + plainCode(code))
		}
		subject := u.Text("data.user.open_id")
		if subject != v.reply.String("open_id") {
			return nil, errors.New("the tokens are of another account")
		}
		return &Identity{Subject: subject, Name: splitName(u.Text("data.user.display_name")), Picture: u.Text("data.user.avatar_url")}, nil
	},
}
