package provider

import (
	"cmp"
	"strings"

	"gatehouse/internal/outbound"
)

// gitlab: https://docs.gitlab.com/integration/openid_connect_provider/
var gitlab = &Provider{
	Name: "gitlab", Type: "GitLab", Scopes: []string{"openid", "email", "profile"},
	PKCE: true, Nonce: true, Email: IfClaimed,
	openID: true,
	locate: func(c *Credentials) Endpoints {
		at := "https://" + cmp.Or(c.Tenant, "gitlab.com")
		return Endpoints{
			Issuer:        at,
			Authorization: at + "/oauth/authorize",
			Token:         at + "/oauth/token",
			UserInfo:      at + "/oauth/userinfo",
			JWKS:          at + "/oauth/discovery/keys",
		}
	},
	check:  func(c *Credentials) error { return checkHost("GitLab", c.Tenant) },
	params: common,
}

// checkHost checks the host of an own instance, "" for the provider's.
func checkHost(who, host string) error {
	u, err := outbound.ParseURL("https://" + cmp.Or(host, "example.com"))
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery || strings.Contains(host, "//") || strings.HasSuffix(host, "/") {
		return faultOf(who, "the host is not one; give it with --tenant, without https:// and without a slash at the end")
	}
	return nil
}
