package provider

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/url"

	"gatehouse/internal/jwks"
)

// facebook: https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow
// A version of the Graph API holds for two years at least; calls to an older one
// are then answered by the oldest that is left.
var facebook = &Provider{
	Name: "facebook", Type: "Facebook", Scopes: []string{"email", "public_profile"},
	Email: Never,
	endpoints: Endpoints{
		Authorization: "https://www.facebook.com/v24.0/dialog/oauth",
		Token:         "https://graph.facebook.com/v24.0/oauth/access_token",
		UserInfo:      "https://graph.facebook.com/v24.0/me",
	},
	separator: ",",
	params:    []string{"auth_type", "display", "locale"},
	fault: func(status int, answer jwks.Claims) string {
		switch code := answer.Text("error.code"); {
		case answer["error"] == nil && status == 200:
			return ""
		case code == "100" && answer.Text("error.error_subcode") != "": // the code of the flow: used, expired or of another redirect
			return "invalid_grant"
		case code == "1" || code == "101": // "Error validating client secret", "Error validating application"
			return "invalid_client"
		case code == "100":
			return "invalid_request"
		case code == "190" || code == "102":
			return "invalid_grant"
		}
		return "unknown"
	},
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		u, err := v.get(ctx, v.at.UserInfo, url.Values{
			"fields":          {"id,email,name,first_name,middle_name,last_name,picture.type(large)"},
			"appsecret_proof": {appSecretProof(v.c.ClientSecret, v.tokens.Access)},
		})
		if err != nil {
			return nil, err
		}
		who := &Identity{
			Subject: u.Text("id"), Email: u.String("email"), Picture: u.Text("picture.data.url"),
			Name: Name{First: u.String("first_name"), Middle: u.String("middle_name"), Last: u.String("last_name")},
		}
		if who.Name == (Name{}) {
			who.Name = splitName(u.String("name"))
		}
		return who, nil
	},
}

// appSecretProof shows that a call with an access token is the app's, for whom
// alone the token is good where the app demands it.
func appSecretProof(secret, token string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(token))
	return hex.EncodeToString(mac.Sum(nil))
}
