package provider

import "errors"

var errUnfinished = errors.New("not there yet")

// Provider is an identity provider.
type Provider struct {
	Name     string   // in paths and settings, and after "oauth_" in delivery methods: "gitlab"
	Type     string   // what a user's account says it is of: "GitLab"
	Scopes   []string // asked for always
	PKCE     bool     // it takes a code_challenge
	Nonce    bool     // it takes a nonce and repeats it in an id_token
	FormPost bool     // it comes back with a form in a POST, from another site
}

// Service speaks to providers. It may be shared.
type Service struct{}

const openIDPrefix = "oidc_"

func openID(name string) *Provider {
	return &Provider{Name: name, Type: name, Scopes: []string{"openid", "email", "profile"}, PKCE: true, Nonce: true}
}

var known = map[string]*Provider{
	"google": {Name: "google", Type: "Google", Scopes: []string{"openid", "email", "profile"}, PKCE: true, Nonce: true},
	"apple":  {Name: "apple", Type: "Apple", Scopes: []string{"name", "email"}, Nonce: true, FormPost: true},
	"github": {Name: "github", Type: "GitHub", Scopes: []string{"read:user", "user:email"}, PKCE: true},
}

// Check says what is missing, for an operator.
func (p *Provider) Check(c *Credentials) error { return errUnfinished }
