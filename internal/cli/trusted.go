package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/factor/trusted"
	"gatehouse/internal/project"
)

type trustedProfileCommands struct {
	Create    trustedCreate    `cmd:"" help:"Trust an issuer: its tokens sign people in."`
	List      trustedList      `cmd:"" help:"List the profiles."`
	Show      trustedShow      `cmd:"" help:"Show a profile."`
	Update    trustedUpdate    `cmd:"" help:"Change a profile. What is left out stays as it is."`
	AddKey    trustedAddKey    `cmd:"" name:"add-key" help:"Add a public key of an issuer that publishes none: up to 5."`
	RemoveKey trustedRemoveKey `cmd:"" name:"remove-key" help:"Take a public key away. Tokens signed with it are refused from then on."`
	Delete    trustedDelete    `cmd:"" help:"Delete a profile. Its tokens are refused from then on; sessions go on."`
}

// onProfile is a target with one profile of it.
type onProfile struct {
	target
	ProfileID string `arg:"" name:"profile_id" help:"profile_id, from gatehouse trusted-token-profile list."`
}

// attributes are the flags that say which claims are read.
type attributes struct {
	Map map[string]string `name:"map" placeholder:"ATTRIBUTE=CLAIM" help:"The claim that holds an attribute: email and token_id, which are required, email_verified, external_user_id, role_ids. A claim inside another is outer.inner. Repeat it, or separate by ;."`
}

type trustedCreate struct {
	target
	attributes
	Name         string   `required:"" placeholder:"NAME" help:"What you call the issuer."`
	Issuer       string   `required:"" placeholder:"ISS" help:"The token's iss, to the letter."`
	Audience     string   `required:"" placeholder:"AUD" help:"What must be among the token's aud, to the letter."`
	JWKSURL      string   `name:"jwks-url" placeholder:"URL" help:"Where the issuer publishes its keys, as a JSON Web Key Set."`
	PEMFile      []string `name:"pem-file" placeholder:"FILE" sep:"none" help:"In place of --jwks-url: a file with one public key or certificate. Repeat it for up to 5."`
	JITProvision bool     `name:"jit-provision" help:"Make a user of whoever is not known yet. Otherwise tokens sign in users who exist."`
}

// Run creates a profile.
func (c *trustedCreate) Run(t *Terminal) error {
	var files []string
	for _, name := range c.PEMFile {
		text, err := readFile(t, name)
		if err != nil {
			return fmt.Errorf("--pem-file: %w", err)
		}
		files = append(files, string(text))
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		p, err := a.TrustedTokens.Create(ctx, env, trusted.Profile{
			Name: c.Name, Issuer: c.Issuer, Audience: c.Audience, JWKSURL: c.JWKSURL, AttributeMapping: c.Map, CanJITProvision: c.JITProvision,
		}, files...)
		if err != nil {
			return err
		}
		return c.say(t, p, "Tokens of %s sign people in at %s. Send them with the profile_id:\n\n  %s", printable(p.Issuer), title(env), p.ID)
	})
}

type trustedList struct{ target }

// Run lists the profiles.
func (c *trustedList) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		profiles, err := a.TrustedTokens.List(ctx, env)
		if err != nil {
			return err
		}
		r := &rows{header: []string{"PROFILE_ID", "NAME", "ISSUER", "AUDIENCE"}, empty: "No issuer is trusted yet. Trust one with: " + c.suggest("trusted-token-profile create %s --help", env.ID)}
		for _, p := range profiles {
			r.add(p.ID, p.Name, p.Issuer, p.Audience)
		}
		return c.print(t, list(profiles), r)
	})
}

type trustedShow struct{ onProfile }

// Run shows a profile.
func (c *trustedShow) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		p, err := a.TrustedTokens.Get(ctx, env, c.ProfileID)
		if err != nil {
			return err
		}
		return c.show(t, p)
	})
}

func (o *output) show(t *Terminal, p *trusted.Profile) error {
	r := &rows{}
	r.add("profile_id", p.ID)
	r.add("name", p.Name)
	r.add("issuer", p.Issuer)
	r.add("audience", p.Audience)
	if p.JWKSURL != "" {
		r.add("jwks_url", p.JWKSURL)
	}
	for _, f := range p.PEMFiles {
		r.add("key", f.ID)
	}
	var claims []string
	for name, path := range p.AttributeMapping {
		claims = append(claims, name+"="+path)
	}
	slices.Sort(claims)
	r.add("claims", strings.Join(claims, ", "))
	r.add("makes users", map[bool]string{true: "yes", false: "no"}[p.CanJITProvision])
	r.add("created", when(p.CreatedAt))
	return o.print(t, p, r)
}

type trustedUpdate struct {
	onProfile
	attributes
	Name         *string `placeholder:"NAME" help:"What you call the issuer."`
	Issuer       *string `placeholder:"ISS" help:"The token's iss, to the letter."`
	Audience     *string `placeholder:"AUD" help:"What must be among the token's aud, to the letter."`
	JWKSURL      *string `name:"jwks-url" placeholder:"URL" help:"Where the issuer publishes its keys. Keys from files are kept with add-key and remove-key."`
	JITProvision *bool   `name:"jit-provision" negatable:"" help:"Make a user of whoever is not known yet, or not."`
}

// Run changes a profile.
func (c *trustedUpdate) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		p, err := a.TrustedTokens.Update(ctx, env, c.ProfileID, func(p *trusted.Profile) error {
			for to, from := range map[*string]*string{&p.Name: c.Name, &p.Issuer: c.Issuer, &p.Audience: c.Audience, &p.JWKSURL: c.JWKSURL} {
				if from != nil {
					*to = *from
				}
			}
			if c.Map != nil {
				p.AttributeMapping = c.Map
			}
			if c.JITProvision != nil {
				p.CanJITProvision = *c.JITProvision
			}
			return nil
		})
		if err != nil {
			return err
		}
		return c.show(t, p)
	})
}

type trustedAddKey struct {
	onProfile
	File string `arg:"" help:"PEM file with one public key or certificate; - is the standard input."`
}

// Run adds a key.
func (c *trustedAddKey) Run(t *Terminal) error {
	text, err := readFile(t, c.File)
	if err != nil {
		return err
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		name, err := a.TrustedTokens.AddKey(ctx, env, c.ProfileID, string(text))
		if err != nil {
			return err
		}
		return c.say(t, map[string]any{"profile_id": c.ProfileID, "pem_file_id": name}, "Tokens signed with this key are taken from now on. It is called %s.", name)
	})
}

type trustedRemoveKey struct {
	onProfile
	Key string `arg:"" name:"pem_file_id" help:"The key, as trusted-token-profile show calls it."`
	confirmation
}

// Run removes a key.
func (c *trustedRemoveKey) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := c.ask(t, fmt.Sprintf("Tokens signed with %s are refused from now on. Remove it?", c.Key)); err != nil {
			return err
		}
		if err := a.TrustedTokens.RemoveKey(ctx, env, c.ProfileID, c.Key); err != nil {
			return err
		}
		return c.say(t, map[string]any{"profile_id": c.ProfileID, "pem_file_id": c.Key, "removed": true}, "Removed %s.", c.Key)
	})
}

type trustedDelete struct {
	onProfile
	confirmation
}

// Run deletes a profile.
func (c *trustedDelete) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := c.ask(t, fmt.Sprintf("Nobody signs in to %s with tokens of this issuer any more. Delete the profile?", title(env))); err != nil {
			return err
		}
		if err := a.TrustedTokens.Delete(ctx, env, c.ProfileID); err != nil {
			return err
		}
		return c.say(t, map[string]any{"profile_id": c.ProfileID, "deleted": true}, "Deleted %s of %s.", c.ProfileID, title(env))
	})
}
