package provider

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/jwks"
)

// consumers is the tenant of personal accounts.
const consumers = "9188040d-6c67-4c5b-b112-36a304b66dad"

const microsoftLogin = "https://login.microsoftonline.com/"

// microsoft: https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
var microsoft = &Provider{
	Name: "microsoft", Type: "Microsoft", Scopes: []string{"openid", "email", "profile"},
	PKCE: true, Nonce: true, Email: IfOwned,
	openID: true,
	locate: func(c *Credentials) Endpoints {
		at := microsoftLogin + tenantOf(c)
		return Endpoints{
			Issuer:        at + "/v2.0",
			Authorization: at + "/oauth2/v2.0/authorize",
			Token:         at + "/oauth2/v2.0/token",
			JWKS:          at + "/discovery/v2.0/keys",
		}
	},
	// Every tenant is an issuer of its own. One that is configured is the only
	// one; the names for several say which kinds of them may sign in.
	issuer: func(c *Credentials, iss string) bool {
		tenant, ok := strings.CutPrefix(iss, microsoftLogin)
		tenant, suffixed := strings.CutSuffix(tenant, "/v2.0")
		if !ok || !suffixed || !isTenantID.MatchString(tenant) {
			return false
		}
		switch name := tenantOf(c); name {
		case "common":
			return true
		case "organizations":
			return tenant != consumers
		case "consumers":
			return tenant == consumers
		default:
			return tenant == name
		}
	},
	check: func(c *Credentials) error {
		tenant := tenantOf(c)
		if !isTenantID.MatchString(tenant) && !slices.Contains([]string{"common", "organizations", "consumers"}, tenant) {
			return faultOf("Microsoft", "the tenant is neither an id nor common, organizations or consumers; give one of these with --tenant")
		}
		return nil
	},
	params:   []string{"login_hint", "prompt", "domain_hint"},
	refusals: microsoftRefusal,
}

var isTenantID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func tenantOf(c *Credentials) string { return cmp.Or(strings.ToLower(c.Tenant), "common") }

// microsoftRefusal tells apart what an operator has to do about a secret. The
// numbers are those of https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func microsoftRefusal(answer jwks.Claims) error {
	codes, _ := answer["error_codes"].([]any)
	switch {
	case slices.Contains(codes, any(json.Number("7000222"))):
		return errMicrosoftExpired
	case slices.Contains(codes, any(json.Number("7000215"))):
		return errMicrosoftSecret
	}
	return nil
}
