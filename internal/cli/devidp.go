package cli

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/devidp"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/project"
)

// standIns are the providers that `gatehouse dev` stands in for: those that speak OpenID Connect. Microsoft has its own
// word for addresses that are verified, and Google knows nobody without an address.
var standIns = []devidp.StandIn{
	{Key: "google", Name: "Google", HasEmail: true},
	{Key: "microsoft", Name: "Microsoft", Verified: "xms_edov"},
	{Key: "gitlab", Name: "GitLab"},
	{Key: "oidc_dev", Name: "your own provider"},
}

// devClientID is how the server is known to the identity provider of development. It also tells what was configured for
// that from what a developer has configured.
const devClientID = "gatehouse-dev"

// loopback is what the server calls at the identity provider of development, which it is itself.
var loopback = []string{"127.0.0.1", "::1"}

// identityProvider stands in for providers, and configures the project to sign people in there.
func (d *devServer) identityProvider(ctx context.Context, a *app.App) (*devidp.Provider, error) {
	secret := d.identityProviderSecret()
	idp := devidp.New(devidp.Config{
		BaseURL: d.baseURL, ClientID: devClientID, ClientSecret: secret, StandIns: standIns, Now: time.Now,
	})
	env, err := a.Projects.Environment(ctx, d.state.ProjectID)
	if err != nil {
		return nil, err
	}
	for _, s := range standIns {
		if err := standInFor(ctx, a, env, s, standInCredentials(s.Key, idp.Endpoints(s.Key), secret)); err != nil {
			return nil, fmt.Errorf("stand in for %s: %w", s.Name, err)
		}
	}
	return idp, d.letDemoReturn(ctx, a, env)
}

// identityProviderSecret follows from the project's secret, so that it is the same after a restart.
func (d *devServer) identityProviderSecret() string {
	mac := hmac.New(sha256.New, []byte(d.state.Secret))
	mac.Write([]byte("gatehouse dev identity provider"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// standInCredentials lead to a stand-in. A provider that is known by its issuer says itself where everything is.
func standInCredentials(name string, at devidp.Endpoints, secret string) *provider.Credentials {
	c := &provider.Credentials{ClientID: devClientID, ClientSecret: secret}
	if strings.HasPrefix(name, "oidc_") {
		c.Issuer = at.Issuer
		return c
	}
	c.Endpoints = provider.Endpoints{Issuer: at.Issuer, Authorization: at.Authorization, Token: at.Token, UserInfo: at.UserInfo, JWKS: at.JWKS}
	return c
}

// standInFor configures a provider, unless a developer has: with credentials of their own people see the real one.
func standInFor(ctx context.Context, a *app.App, env *project.Environment, s devidp.StandIn, want *provider.Credentials) error {
	_, has, err := a.OAuth.Credentials(ctx, env, s.Key)
	switch {
	case oauth.IsNotSetUp(err):
	case err != nil:
		return err
	case has.ClientID != devClientID || reflect.DeepEqual(has, want):
		return nil
	}
	return a.OAuth.Set(ctx, env, s.Key, want)
}

// leaveStandIn takes out of credentials what leads to a stand-in: its addresses, and the secret that is nobody's elsewhere.
func leaveStandIn(k *provider.Credentials) {
	if k.ClientID == devClientID {
		k.ClientSecret = ""
	}
	if strings.Contains(k.Endpoints.Authorization, devidp.Prefix) {
		k.Endpoints = provider.Endpoints{}
	}
	if strings.Contains(k.Issuer, devidp.Prefix) {
		k.Issuer = ""
	}
}

// letDemoReturn lets providers send people back to the demo, at the port of this start and no longer at that of the last.
func (d *devServer) letDemoReturn(ctx context.Context, a *app.App, env *project.Environment) error {
	registered := func(address string) bool {
		return slices.ContainsFunc(env.RedirectURLs, func(r project.RedirectURL) bool { return r.URL == address })
	}
	if registered(d.state.DemoURL) {
		return nil
	}
	if registered(d.state.formerDemoURL) {
		if err := a.Projects.RemoveRedirectURL(ctx, env.ID, d.state.formerDemoURL); err != nil {
			return err
		}
	}
	types := []project.RedirectType{project.RedirectLogin, project.RedirectSignup}
	_, err := a.Projects.AddRedirectURL(ctx, env.ID, d.state.DemoURL, types, false)
	return err
}
