package provider

import "context"

// linkedin: https://learn.microsoft.com/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2
// Its document promises no nonce, so none is sent.
var linkedin = &Provider{
	Name: "linkedin", Type: "LinkedIn", Scopes: []string{"openid", "email", "profile"},
	Email: IfClaimed,
	endpoints: Endpoints{
		Issuer:        "https://www.linkedin.com/oauth",
		Authorization: "https://www.linkedin.com/oauth/v2/authorization",
		Token:         "https://www.linkedin.com/oauth/v2/accessToken",
		UserInfo:      "https://api.linkedin.com/v2/userinfo",
		JWKS:          "https://www.linkedin.com/oauth/openid/jwks",
	},
	openID: true,
	// It has signed under the name without the path, too.
	issuer: func(_ *Credentials, iss string) bool {
		return iss == "https://www.linkedin.com/oauth" || iss == "https://www.linkedin.com"
	},
	account: func(ctx context.Context, v *visit) (*Identity, error) {
		who, err := openIDAccount(ctx, v)
		if err != nil {
			return nil, err
		}
		if language, country := v.claims.Text("locale.language"), v.claims.Text("locale.country"); language != "" && country != "" {
			who.Locale = language + "-" + country // an object, where the standard has a text
		}
		return who, nil
	},
}
