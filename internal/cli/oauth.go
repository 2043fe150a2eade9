package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"gatehouse/internal/app"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/project"
)

type oauthCommands struct {
	List    oauthList    `cmd:"" help:"List the providers that are set up, and the names of the others."`
	Show    oauthShow    `cmd:"" help:"Show how a provider is set up, the redirect URI to register there, and what is missing. Secrets are never shown."`
	Set     oauthSet     `cmd:"" help:"Set a provider up, or change what the flags name. Servers follow within a second."`
	Remove  oauthRemove  `cmd:"" help:"Forget a provider's credentials, and the tokens that were kept of it. The accounts of users stay."`
	Enable  oauthEnable  `cmd:"" help:"Let people sign in with a provider again."`
	Disable oauthDisable `cmd:"" help:"Let nobody sign in with a provider for now. The credentials stay."`
}

// oauthTarget is a provider of an environment.
type oauthTarget struct {
	target
	Provider string `arg:"" help:"google, apple, github and so on, or oidc_ and a name of yours for a provider that is known by its issuer."`
}

type oauthList struct{ target }

// Run lists the providers.
func (c *oauthList) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		providers, err := a.OAuth.List(ctx, env)
		if err != nil {
			return err
		}
		var others []string
		for _, p := range provider.All() {
			if !slices.ContainsFunc(providers, func(i *oauth.ProviderInfo) bool { return i.Name == p.Name }) {
				others = append(others, p.Name)
			}
		}
		r := &rows{header: []string{"PROVIDER", "STATE", "CLIENT_ID", "SET"}, empty: "No provider is set up. Set one up with: " + c.suggest("oauth-provider set %s google --client-id ID", env.ID)}
		for _, p := range providers {
			r.add(p.Name, stateOf(p), p.ClientID, when(p.UpdatedAt))
		}
		if err := c.print(t, list(providers), r); err != nil || c.JSON {
			return err
		}
		t.line("\nNot set up: %s.", strings.Join(others, ", "))
		return nil
	})
}

func stateOf(p *oauth.ProviderInfo) string {
	if p.Enabled {
		return "enabled"
	}
	return "disabled"
}

type oauthShow struct {
	oauthTarget
	PublicURL string `name:"public-url" env:"GATEHOUSE_PUBLIC_URL" placeholder:"URL" help:"URL under which browsers reach the server: the redirect URI begins with it."`
}

// shownProvider is a provider without its secrets.
type shownProvider struct {
	Provider        string             `json:"provider"`
	RedirectURI     string             `json:"redirect_uri"`
	IsSetUp         bool               `json:"is_set_up"`
	Enabled         bool               `json:"enabled"`
	ClientID        string             `json:"client_id"`
	HasSecret       bool               `json:"has_secret"`
	TeamID          string             `json:"team_id,omitempty"`
	KeyID           string             `json:"key_id,omitempty"`
	Tenant          string             `json:"tenant,omitempty"`
	Issuer          string             `json:"issuer,omitempty"`
	NativeClientIDs []string           `json:"native_client_ids,omitempty"`
	Scopes          []string           `json:"scopes"`
	Params          []string           `json:"params,omitempty"`
	Endpoints       provider.Endpoints `json:"endpoints,omitzero"`
	Missing         []string           `json:"missing"`
}

// Run shows a provider.
func (c *oauthShow) Run(t *Terminal) error {
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		p, ok := provider.Find(c.Provider)
		if !ok {
			return unknownProvider(c.Provider)
		}
		v := shownProvider{Provider: p.Name, RedirectURI: c.base() + oauth.CallbackPath(env, p), Scopes: p.Scopes, Params: p.AppParams(), Missing: []string{}}
		info, k, err := a.OAuth.Credentials(ctx, env, p.Name)
		switch {
		case oauth.IsNotSetUp(err):
			v.Missing = append(v.Missing, "it is not set up: "+c.suggest("oauth-provider set %s %s --client-id ID", env.ID, p.Name))
		case err != nil:
			return err
		default:
			v.fill(p, info, k)
		}
		v.Missing = append(v.Missing, c.lacks(env)...)
		return c.print(t, v, v.rows())
	})
}

// base is where browsers reach the server, as far as it is known.
func (c *oauthShow) base() string {
	if c.PublicURL == "" && c.Folder != "" {
		if s, err := readDevState(c.Folder); err == nil && s.BaseURL != "" {
			return s.BaseURL
		}
	}
	if c.PublicURL == "" {
		return "https://YOUR-SERVER"
	}
	return strings.TrimRight(c.PublicURL, "/")
}

func (v *shownProvider) fill(p *provider.Provider, info *oauth.ProviderInfo, k *provider.Credentials) {
	v.IsSetUp, v.Enabled, v.ClientID, v.HasSecret = true, info.Enabled, k.ClientID, k.ClientSecret+k.PrivateKey != ""
	v.TeamID, v.KeyID, v.Tenant, v.Issuer, v.NativeClientIDs = k.TeamID, k.KeyID, k.Tenant, k.Issuer, k.NativeClientIDs
	v.Scopes, v.Params, v.Endpoints = append(slices.Clone(p.Scopes), k.Scopes...), append(p.AppParams(), k.Params...), k.Endpoints
	if err := p.Check(k); err != nil {
		v.Missing = append(v.Missing, err.Error())
	}
	if !info.Enabled {
		v.Missing = append(v.Missing, "it is disabled")
	}
}

// lacks says what of the environment stands in the way.
func (c *oauthShow) lacks(env *project.Environment) []string {
	var list []string
	for _, t := range []project.RedirectType{project.RedirectLogin, project.RedirectSignup} {
		if _, err := env.Destination(t, ""); err != nil {
			list = append(list, fmt.Sprintf("there is no default redirect URL for %s: %s", t, c.suggest("redirect-url add %s URL --type %s --default", env.ID, t)))
		}
	}
	if !env.Config.SDK.OAuth.Enabled {
		list = append(list, "client SDKs may not use it: "+c.suggest("sdk-config set %s oauth.enabled=true", env.ID))
	}
	return list
}

func (v *shownProvider) rows() *rows {
	r := &rows{}
	add := func(name string, values ...string) {
		if text := strings.Join(values, ", "); text != "" {
			r.add(name, text)
		}
	}
	add("provider", v.Provider)
	add("redirect uri", v.RedirectURI)
	if v.IsSetUp {
		add("state", stateOf(&oauth.ProviderInfo{Enabled: v.Enabled}))
		add("client id", v.ClientID)
		secret := "missing"
		if v.HasSecret {
			secret = "set"
		}
		add("secret", secret)
	}
	add("team id", v.TeamID)
	add("key id", v.KeyID)
	add("tenant", v.Tenant)
	add("issuer", v.Issuer)
	add("native client ids", v.NativeClientIDs...)
	add("scopes", v.Scopes...)
	add("parameters", v.Params...)
	for _, kind := range endpointKinds {
		add(kind+" endpoint", *endpoint(&v.Endpoints, kind))
	}
	for _, what := range v.Missing {
		add("missing", what)
	}
	return r
}

func unknownProvider(name string) error {
	var names []string
	for _, p := range provider.All() {
		names = append(names, p.Name)
	}
	return fmt.Errorf("there is no provider %q. There are: %s, and oidc_ with a name of yours", name, strings.Join(names, ", "))
}

// endpointKinds are the words of --endpoint.
var endpointKinds = []string{"issuer", "authorization", "token", "userinfo", "emails", "jwks"}

// endpoint is the address of a kind, nil for a word that is none.
func endpoint(e *provider.Endpoints, kind string) *string {
	switch kind {
	case "issuer":
		return &e.Issuer
	case "authorization":
		return &e.Authorization
	case "token":
		return &e.Token
	case "userinfo":
		return &e.UserInfo
	case "emails":
		return &e.Emails
	case "jwks":
		return &e.JWKS
	}
	return nil
}

type oauthSet struct {
	oauthTarget
	ClientID         *string           `name:"client-id" placeholder:"ID" help:"What the provider calls your app; at Apple the Services ID."`
	ClientSecretFile string            `name:"client-secret-file" placeholder:"FILE" help:"File that holds the client secret; - is the standard input. Otherwise it is read from GATEHOUSE_OAUTH_CLIENT_SECRET, or asked for where it is missing."`
	ClientSecret     string            `env:"GATEHOUSE_OAUTH_CLIENT_SECRET" hidden:""`
	TeamID           *string           `name:"team-id" placeholder:"ID" help:"Apple: the team."`
	KeyID            *string           `name:"key-id" placeholder:"ID" help:"Apple: the key that signs."`
	PrivateKeyFile   string            `name:"private-key-file" placeholder:"FILE" help:"Apple: the .p8 file of the key, in place of a client secret."`
	Tenant           *string           `placeholder:"TENANT" help:"Microsoft: the tenant's id, common, organizations or consumers. GitLab and Salesforce: the host of your own."`
	Issuer           *string           `placeholder:"URL" help:"The issuer of a provider that is known by it (oidc_...)."`
	NativeClientID   []string          `name:"native-client-id" placeholder:"ID" help:"A client id of an app whose id_tokens are taken when it signs in natively. May be repeated; the list replaces the one before."`
	Scope            []string          `placeholder:"SCOPE" help:"A scope to ask for in addition to the provider's. May be repeated; the list replaces the one before."`
	Param            []string          `placeholder:"NAME" help:"A further parameter that apps may hand to the provider. May be repeated; the list replaces the one before."`
	Endpoint         map[string]string `placeholder:"KIND=URL" help:"An address in place of the provider's: authorization, token, userinfo, emails, jwks or issuer. An empty one brings the provider's back."`
}

// Run sets a provider up. What no flag names stays as it was, and an empty value takes one away.
func (c *oauthSet) Run(t *Terminal) error {
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		p, ok := provider.Find(c.Provider)
		if !ok {
			return unknownProvider(c.Provider)
		}
		was, k, err := a.OAuth.Credentials(ctx, env, c.Provider)
		switch {
		case oauth.IsNotSetUp(err):
			was, k = &oauth.ProviderInfo{Enabled: true}, &provider.Credentials{}
		case err != nil:
			return err
		}
		if err := c.change(t, k); err != nil {
			return err
		}
		if err := a.OAuth.Set(ctx, env, c.Provider, k); err != nil {
			return err
		}
		said := map[string]any{"provider": c.Provider, "client_id": k.ClientID, "redirect_path": oauth.CallbackPath(env, p)}
		if !was.Enabled {
			return c.say(t, said, "Changed how %s is set up for %s. It stays disabled. Enable it with: %s", c.Provider, title(env), c.suggest("oauth-provider enable %s %s", env.ID, c.Provider))
		}
		return c.say(t, said,
			"%s is set up for %s. Register the redirect URI that this shows: %s", c.Provider, title(env), c.suggest("oauth-provider show %s %s", env.ID, c.Provider))
	})
}

// change applies the flags to the credentials.
func (c *oauthSet) change(t *Terminal, k *provider.Credentials) error {
	if c.ClientID != nil && *c.ClientID != devClientID {
		leaveStandIn(k)
	}
	for _, one := range []struct{ to, by *string }{{&k.ClientID, c.ClientID}, {&k.TeamID, c.TeamID}, {&k.KeyID, c.KeyID}, {&k.Tenant, c.Tenant}, {&k.Issuer, c.Issuer}} {
		if one.by != nil {
			*one.to = *one.by
		}
	}
	for _, one := range []struct {
		to *[]string
		by []string
	}{{&k.NativeClientIDs, c.NativeClientID}, {&k.Scopes, c.Scope}, {&k.Params, c.Param}} {
		if len(one.by) > 0 {
			*one.to = slices.DeleteFunc(one.by, func(s string) bool { return s == "" })
		}
	}
	for kind, address := range c.Endpoint {
		to := endpoint(&k.Endpoints, kind)
		if to == nil {
			return usagef("--endpoint knows %s, not %q", strings.Join(endpointKinds, ", "), kind)
		}
		*to = address
	}
	return c.changeSecrets(t, k)
}

// changeSecrets reads the secrets from where they are: command lines are seen by
// other users of the machine, so they are never arguments.
func (c *oauthSet) changeSecrets(t *Terminal, k *provider.Credentials) error {
	if c.PrivateKeyFile != "" {
		key, err := os.ReadFile(c.PrivateKeyFile)
		if err != nil {
			return fmt.Errorf("--private-key-file: %w", err)
		}
		k.PrivateKey = string(key)
	}
	from := password{PasswordFile: c.ClientSecretFile, Password: c.ClientSecret}
	secret, err := from.read(t)
	if err != nil {
		return fmt.Errorf("--client-secret-file: %w", err)
	}
	if secret == "" && k.ClientSecret == "" && k.PrivateKey == "" {
		if secret, err = askSecret(t); err != nil {
			return err
		}
	}
	if secret != "" {
		k.ClientSecret = secret
	}
	return nil
}

// askSecret asks a person at a terminal, without showing what they type. Nobody
// there to ask gives none.
func askSecret(t *Terminal) (string, error) {
	f, ok := t.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return "", nil
	}
	return unseen(t, f, "client secret")
}

type oauthRemove struct {
	oauthTarget
	confirmation
}

// Run removes a provider.
func (c *oauthRemove) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := c.ask(t, fmt.Sprintf("Nobody will be able to sign in to %s with %s, and its credentials are gone, with the tokens that were kept of it. Remove it?", title(env), c.Provider)); err != nil {
			return err
		}
		if err := a.OAuth.Remove(ctx, env, c.Provider); err != nil {
			return err
		}
		return c.say(t, map[string]any{"provider": c.Provider, "removed": true}, "Removed %s of %s.", c.Provider, title(env))
	})
}

type oauthEnable struct{ oauthTarget }

// Run enables a provider.
func (c *oauthEnable) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := a.OAuth.Enable(ctx, env, c.Provider, true); err != nil {
			return err
		}
		return c.say(t, map[string]any{"provider": c.Provider, "enabled": true}, "People can sign in to %s with %s.", title(env), c.Provider)
	})
}

type oauthDisable struct{ oauthTarget }

// Run disables a provider.
func (c *oauthDisable) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := a.OAuth.Enable(ctx, env, c.Provider, false); err != nil {
			return err
		}
		return c.say(t, map[string]any{"provider": c.Provider, "enabled": false}, "Nobody can sign in to %s with %s for now.", title(env), c.Provider)
	})
}
