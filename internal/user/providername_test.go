package user

import "testing"

// Security case 41: providers that an environment knows by their issuers are as
// many as their names are. An account of one is never that of another.
func TestSecurity41AccountsOfIssuersWithSimilarNames(t *testing.T) {
	seen := map[string]string{}
	for _, name := range []string{"oidc_acme", "oidc_ac_me", "oidc_ac-me", "oidc__acme", "oidc_acme_", "oidc_acme-"} {
		value := oauthValue(name, "1")
		if other, twice := seen[value]; twice {
			t.Errorf("%s and %s are one provider", name, other)
		}
		seen[value] = name
	}
	if oauthValue("GitHub", "1") != oauthValue("github", "1") || oauthValue("git_hub", "1") != oauthValue("GitHub", "1") {
		t.Error("spellings of one provider are several")
	}
}
