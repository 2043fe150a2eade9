package provider

// yahoo: https://developer.yahoo.com/sign-in-with-yahoo/
var yahoo = &Provider{
	Name: "yahoo", Type: "Yahoo", Scopes: []string{"openid", "email", "profile"},
	Nonce: true, Email: IfClaimed,
	endpoints: Endpoints{
		Issuer:        "https://api.login.yahoo.com",
		Authorization: "https://api.login.yahoo.com/oauth2/request_auth",
		Token:         "https://api.login.yahoo.com/oauth2/get_token",
		UserInfo:      "https://api.login.yahoo.com/openid/v1/userinfo",
		JWKS:          "https://api.login.yahoo.com/openid/v1/certs",
	},
	openID: true, basic: true,
	params: []string{"language", "prompt", "max_age", "login_hint"},
}
