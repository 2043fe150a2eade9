package provider

import (
	"context"
	"errors"

	"gatehouse/internal/jwks"
)

// slack: https://docs.slack.dev/authentication/sign-in-with-slack
// Owners of a workspace choose the addresses of its members, and anybody can
// own one, so an address is not taken on Slack's word.
var slack = &Provider{
	Name: "slack", Type: "Slack", Scopes: []string{"openid", "email", "profile"},
	Nonce: true, Email: Never,
	endpoints: Endpoints{
		Issuer:        "https://slack.com",
		Authorization: "https://slack.com/openid/connect/authorize",
		Token:         "https://slack.com/api/openid.connect.token",
		JWKS:          "https://slack.com/openid/connect/keys",
	},
	openID: true,
	params: []string{"team"},
	fault: func(_ int, answer jwks.Claims) string {
		switch code := answer.String("error"); {
		case answer["ok"] == true:
			return ""
		case code == "invalid_client_id" || code == "bad_client_secret":
			return "invalid_client"
		case code == "invalid_code" || code == "code_already_used" || code == "code_expired" || code == "invalid_refresh_token":
			return "invalid_grant"
		case code == "bad_redirect_uri" || code == "invalid_grant_type" || code == "invalid_arguments":
			return "invalid_request"
		case code == "":
			return "unknown"
		default:
			return code
		}
	},
	account: func(_ context.Context, v *visit) (*Identity, error) {
		who := v.fromClaims(v.claims)
		// The id of a member is unique in a workspace; Slack says to use both.
		team := v.claims.String("https://slack.com/team_id")
		if team == "" || who.Subject == "" {
			return nil, errors.New("the id_token lacks the workspace or the member")
		}
		who.Subject = team + "-" + who.Subject
		if who.Picture == "" {
			who.Picture = v.claims.String("https://slack.com/user_image_512")
		}
		return who, nil
	},
}
