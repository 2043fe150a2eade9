package provider

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
)

// salesforce: https://help.salesforce.com/s/articleView?id=sf.remoteaccess_using_openid.htm
// Without a host it is everybody's: people of any organisation sign in at
// login.salesforce.com, and administrators choose the addresses of theirs.
var salesforce = &Provider{
	Name: "salesforce", Type: "Salesforce", Scopes: []string{"openid", "email", "profile"},
	PKCE: true, Nonce: true, Email: IfOwnHost,
	openID: true,
	locate: func(c *Credentials) Endpoints {
		at := "https://" + cmp.Or(c.Tenant, "login.salesforce.com")
		return Endpoints{
			Issuer:        at,
			Authorization: at + "/services/oauth2/authorize",
			Token:         at + "/services/oauth2/token",
			UserInfo:      at + "/services/oauth2/userinfo",
			JWKS:          at + "/id/keys",
		}
	},
	check:  func(c *Credentials) error { return checkSalesforce(c.Tenant) },
	params: []string{"login_hint", "prompt", "display"},
}

// checkSalesforce refuses to call a host an own one that everybody signs in at.
func checkSalesforce(host string) error {
	if err := checkHost("Salesforce", host); err != nil || host == "" {
		return err
	}
	u, err := url.Parse("https://" + host)
	if err != nil || slices.Contains([]string{"login.salesforce.com", "test.salesforce.com"}, strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))) {
		return errSharedHost
	}
	return nil
}

var errSharedHost = faultOf("Salesforce", "the host is everybody's; leave --tenant out, or give it that of your My Domain")
