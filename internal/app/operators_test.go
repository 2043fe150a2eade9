package app_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/event"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/factor/trusted"
	"gatehouse/internal/id"
	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/m2m"
	"gatehouse/internal/project"
)

// operated is one change that an operator makes.
type operated struct {
	event string // its type
	says  string // what its details hold
	// do makes the change and returns what it is about.
	do func(ctx context.Context) (object string, err error)
}

// operator makes changes, and knows what must never be read of them.
type operator struct {
	*authtest.Server
	t       *testing.T
	secrets map[string]string

	secretID, publicToken, redirectID, profileID, pemID, senderID, clientID string
}

const roles = `{"roles": [{"role_id": "editor", "description": "", "permissions": [{"resource_id": "documents", "actions": ["*"]}]}],
	"resources": [{"resource_id": "documents", "description": "", "actions": ["read"]}], "scopes": []}`

// changes is everything an operator can change, in an order in which that is
// possible.
func (o *operator) changes() []operated {
	return slices.Concat(o.environmentChanges(), o.ruleChanges(), o.messageChanges(), o.machineChanges())
}

func (o *operator) environmentChanges() []operated {
	p, env := o.Projects, o.Env.ID
	return []operated{
		{"config.change", `{"user_lock.threshold":{"from":10,"to":20}}`, func(ctx context.Context) (string, error) { return "", o.set(ctx, "user_lock.threshold", "20") }},
		{"config.change", `"from":[],"to":["https://app.example.com"]`, func(ctx context.Context) (string, error) {
			_, err := p.AddDomain(ctx, env, "https://app.example.com")
			return "", err
		}},
		{"config.change", `"sdk.basic.domains"`, func(ctx context.Context) (string, error) {
			return "", p.RemoveDomain(ctx, env, "https://app.example.com")
		}},
		{"config.change", `"settings":{"crypto_wallets.ethereum_rpc_urls":{}}`, func(ctx context.Context) (string, error) {
			o.secrets["key of a node"] = "what-the-node-was-paid-for"
			return "", o.set(ctx, "crypto_wallets.ethereum_rpc_urls", `{"1":"https://node.example.com/v2/`+o.secrets["key of a node"]+`"}`)
		}},
		{"config.change", `"settings":{"session_migration.userinfo_url":{}}`, func(ctx context.Context) (string, error) {
			o.secrets["key of an address"] = "what-the-product-before-wants"
			return "", o.set(ctx, "session_migration.userinfo_url", "https://before.example.com/userinfo?key="+o.secrets["key of an address"])
		}},
		{"secret.create", "", func(ctx context.Context) (string, error) {
			k, value, err := p.CreateSecret(ctx, env)
			o.secretID, o.secrets["secret"] = k.ID, value
			return k.ID, err
		}},
		{"secret.delete", "", func(ctx context.Context) (string, error) { return o.secretID, p.RevokeSecret(ctx, env, o.secretID) }},
		{"public_token.create", "", func(ctx context.Context) (string, error) {
			made, err := p.CreatePublicToken(ctx, env)
			o.publicToken = made.Token
			return made.Token, err
		}},
		{"public_token.delete", "", func(ctx context.Context) (string, error) {
			return o.publicToken, p.RevokePublicToken(ctx, env, o.publicToken)
		}},
		{"redirect_url.add", `"url":"https://app.example.com/in","valid_types":[{"is_default":true,"type":"LOGIN"}]`, func(ctx context.Context) (string, error) {
			r, err := p.AddRedirectURL(ctx, env, "https://app.example.com/in", []project.RedirectType{project.RedirectLogin}, false)
			if err == nil {
				o.redirectID = r.ID
			}
			return o.redirectID, err
		}},
		{"redirect_url.remove", `"url":"https://app.example.com/in"`, func(ctx context.Context) (string, error) {
			return o.redirectID, p.RemoveRedirectURL(ctx, env, o.redirectID)
		}},
		{"signing_key.rotate", `"algorithm":"ES256"`, func(ctx context.Context) (string, error) { return o.rotateKeys(ctx, false) }},
		{"signing_key.revoke", `"algorithm":"ES256"`, func(ctx context.Context) (string, error) { return o.rotateKeys(ctx, true) }},
	}
}

func (o *operator) ruleChanges() []operated {
	p, env := o.Projects, o.Env.ID
	key := string(elsewhere().PEM(o.t))
	profile := trusted.Profile{Name: "Elsewhere", Issuer: "elsewhere", Audience: "here", AttributeMapping: map[string]string{"email": "email", "token_id": "jti"}}
	o.secrets["claim of a template"] = "only-the-template-says-so"
	return []operated{
		{"policy.change", `"resources_added":["documents"],"roles_added":["editor"]`, func(ctx context.Context) (string, error) {
			return "", p.SetPolicy(ctx, env, policyOf(o.t, roles))
		}},
		{"policy.change", `"resources_changed":["documents"]`, func(ctx context.Context) (string, error) {
			return "", p.SetPolicy(ctx, env, policyOf(o.t, strings.Replace(roles, `["read"]`, `["read", "write"]`, 1)))
		}},
		{"policy.change", `"resources_removed":["documents"],"roles_removed":["editor"]`, func(ctx context.Context) (string, error) {
			return "", p.SetPolicy(ctx, env, project.Policy{})
		}},
		{"jwt_template.set", `"changed":["custom_audience","template_content"]`, func(ctx context.Context) (string, error) {
			t := project.JWTTemplate{Type: jwttemplate.Session, Content: `{"https://example.com/claim": "only-the-template-says-so"}`, CustomAudience: "api"}
			return string(t.Type), p.SetJWTTemplate(ctx, env, t)
		}},
		{"jwt_template.remove", "", func(ctx context.Context) (string, error) {
			return string(jwttemplate.Session), p.RemoveJWTTemplate(ctx, env, jwttemplate.Session)
		}},
		{"trusted_token_profile.create", `"issuer":"elsewhere"`, func(ctx context.Context) (string, error) {
			made, err := o.TrustedTokens.Create(ctx, o.Env, profile, key)
			if err == nil {
				o.profileID, o.pemID = made.ID, made.PEMFiles[0].ID
			}
			return o.profileID, err
		}},
		{"trusted_token_profile.update", `"changed":["can_jit_provision"]`, func(ctx context.Context) (string, error) {
			_, err := o.TrustedTokens.Update(ctx, o.Env, o.profileID, func(p *trusted.Profile) error { p.CanJITProvision = true; return nil })
			return o.profileID, err
		}},
		{"trusted_token_profile.delete", `"issuer":"elsewhere"`, func(ctx context.Context) (string, error) {
			return o.profileID, o.TrustedTokens.Delete(ctx, o.Env, o.profileID)
		}},
		{"oauth.provider.set", `"changed":["client_id","client_secret"]`, func(ctx context.Context) (string, error) {
			o.secrets["client secret at a provider"] = "what-github-gave"
			return "", o.OAuth.Set(ctx, o.Env, "github", &provider.Credentials{ClientID: "me", ClientSecret: "what-github-gave"})
		}},
		{"oauth.provider.set", `"provider":"apple"`, func(ctx context.Context) (string, error) {
			o.secrets["private key"] = privateKey(o.t)
			return "", o.OAuth.Set(ctx, o.Env, "apple", &provider.Credentials{ClientID: "com.example.app", TeamID: "TEAM123456", KeyID: "KEY1234567", PrivateKey: o.secrets["private key"]})
		}},
		{"oauth.provider.disable", `"provider":"apple"`, func(ctx context.Context) (string, error) {
			return "", o.OAuth.Enable(ctx, o.Env, "apple", false)
		}},
		{"oauth.provider.enable", `"provider":"apple"`, func(ctx context.Context) (string, error) { return "", o.OAuth.Enable(ctx, o.Env, "apple", true) }},
		{"oauth.provider.remove", `"provider":"apple"`, func(ctx context.Context) (string, error) { return "", o.OAuth.Remove(ctx, o.Env, "apple") }},
	}
}

func (o *operator) messageChanges() []operated {
	o.secrets["webhook secret"] = "whsec_" + base64.StdEncoding.EncodeToString([]byte("thirty-two bytes, which is enough"))
	o.secrets["key of the receiver"] = "what-the-receiver-asks-for"
	o.secrets["password"] = "what-the-mail-server-asks-for"
	o.secrets["wording"] = "nobody words it like this"
	sender := func(kind, values, password string) func(ctx context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			n := delivery.NewSender{Channel: delivery.Email, Kind: kind, Settings: delivery.Settings{Values: json.RawMessage(values), Password: o.secrets[password]}}
			made, err := o.App.Messages.AddSender(ctx, o.Env, n)
			if err == nil {
				o.senderID = made.ID
			}
			return o.senderID, err
		}
	}
	project, t := o.Env.ProjectID, o.Templates
	return []operated{
		{"sender.create", `"channel":"email","kind":"smtp"`, sender("smtp", `{"host": "mail.example.com", "port": 587, "security": "starttls", "username": "me", "from": "login@example.com"}`, "password")},
		{"sender.create", `"kind":"webhook"`, sender("webhook", `{"url": "https://example.com/m", "headers": {"X-Key": "what-the-receiver-asks-for"}}`, "webhook secret")},
		{"sender.delete", `"channel":"email","kind":"webhook"`, func(ctx context.Context) (string, error) {
			return o.senderID, o.App.Messages.RemoveSender(ctx, o.Env, o.senderID)
		}},
		{"message_template.set", `"changed":["custom_html_customization","name","sender_information"]`, func(ctx context.Context) (string, error) {
			return "login", t.Save(ctx, project, template.Template{ID: "login", Name: "Login", Sender: template.Sender{FromName: "Shop"}, Custom: &template.Content{
				Type: delivery.Login, Subject: "Log in", HTML: `<a href="{{magic_link_url}}">nobody words it like this</a>`, Text: "{{magic_link_url}}",
			}})
		}},
		{"message_template.set_default", `"template_type":"LOGIN"`, func(ctx context.Context) (string, error) {
			return "login", t.SetDefault(ctx, project, delivery.Login, "login")
		}},
		{"message_template.unset_default", `"template_type":"LOGIN"`, func(ctx context.Context) (string, error) {
			return "", t.UnsetDefault(ctx, project, delivery.Login)
		}},
		{"message_template.delete", "", func(ctx context.Context) (string, error) { return "login", t.Delete(ctx, project, "login") }},
	}
}

func (o *operator) machineChanges() []operated {
	rotate := func(f func(context.Context, *project.Environment, string) (*m2m.Client, error)) func(ctx context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			_, err := f(ctx, o.Env, o.clientID)
			return o.clientID, err
		}
	}
	start := func(ctx context.Context) (string, error) {
		_, value, err := o.M2M.StartRotation(ctx, o.Env, o.clientID)
		if err == nil {
			o.secrets["next secret of a machine"] = value
		}
		return o.clientID, err
	}
	return []operated{
		{"m2m_client.create", "", func(ctx context.Context) (string, error) {
			c, value, err := o.M2M.Create(ctx, o.Env, m2m.NewClient{ClientName: "Reports"})
			o.clientID, o.secrets["secret of a machine"] = c.ClientID, value
			return c.ClientID, err
		}},
		{"m2m_client.update", `"changed":["scopes","status"]`, func(ctx context.Context) (string, error) {
			status, scopes := m2m.Inactive, []string{"read:users"}
			_, err := o.M2M.Update(ctx, o.Env, o.clientID, m2m.Changes{Status: &status, Scopes: &scopes})
			return o.clientID, err
		}},
		{"m2m_client.rotate_start", "", start},
		{"m2m_client.rotate_cancel", "", rotate(o.M2M.CancelRotation)},
		{"m2m_client.rotate_start", "", start},
		{"m2m_client.rotate", "", rotate(o.M2M.Rotate)},
		{"m2m_client.delete", "", func(ctx context.Context) (string, error) { return o.clientID, o.M2M.Delete(ctx, o.Env, o.clientID) }},
	}
}

func (o *operator) set(ctx context.Context, path, value string) error {
	return o.Projects.ChangeConfig(ctx, o.Env.ID, func(_ id.Env, c *project.Config) error { return c.Set(path, value) })
}

func (o *operator) rotateKeys(ctx context.Context, revoke bool) (string, error) {
	o.Clock.Advance(time.Hour) // the key that signs last is listed first
	if err := o.Sessions.Rotate(ctx, o.Env, false, revoke); err != nil {
		return "", err
	}
	keys, err := o.Sessions.Keys(ctx, o.Env)
	if err != nil {
		return "", err
	}
	return keys[0].ID, nil
}

func policyOf(t *testing.T, text string) (p project.Policy) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func privateKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func eachOperator(t *testing.T, test func(t *testing.T, o *operator)) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		if err := s.Sessions.EnsureKey(t.Context(), s.Env); err != nil {
			t.Fatal(err)
		}
		test(t, &operator{Server: s, t: t, secrets: map[string]string{}})
	})
}

// since is what the log of the environment has got since the last time.
func (o *operator) since(seen map[string]bool) (fresh []event.Event) {
	o.t.Helper()
	list, err := event.List(o.t.Context(), o.DB, o.Env.ID, "", "", 10_000)
	if err != nil {
		o.t.Fatal(err)
	}
	for _, e := range list {
		if !seen[e.ID] {
			seen[e.ID] = true
			fresh = append(fresh, e)
		}
	}
	return fresh
}

// Every change that an operator makes is in the audit log once, with who made it
// and what it is about.
func TestOperatorsAreInTheAuditLog(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		ctx, seen := event.WithOperator(t.Context(), "ada"), map[string]bool{}
		o.since(seen)
		for _, change := range o.changes() {
			object, err := change.do(ctx)
			if err != nil {
				t.Fatalf("%s: %v", change.event, err)
			}
			fresh := o.since(seen)
			if len(fresh) != 1 {
				t.Errorf("%s left %d events: %s", change.event, len(fresh), encoded(fresh))
				continue
			}
			e := fresh[0]
			if e.Type != change.event || e.ObjectID != object || e.Operator() != "ada" || e.Details["by"] != "cli" || !strings.Contains(encoded(e.Details), change.says) {
				t.Errorf("%s of %q, %s: %s", change.event, object, change.says, encoded(e))
			}
		}
	})
}

// A project's log begins with the project.
func TestEnvironmentsAreInTheAuditLog(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		ctx := event.WithOperator(t.Context(), "ada")
		test, live, err := o.Projects.CreateProject(ctx, "Shop")
		if err != nil {
			t.Fatal(err)
		}
		more, err := o.Projects.CreateEnvironment(ctx, test.ProjectID, id.Test, "Staging")
		if err != nil {
			t.Fatal(err)
		}
		for _, o.Env = range []*project.Environment{test, live, more} {
			fresh := o.since(map[string]bool{})
			if len(fresh) != 1 || fresh[0].Type != "environment.create" || fresh[0].Operator() != "ada" || fresh[0].Details["name"] != o.Env.Name || fresh[0].Details["project_name"] != "Shop" {
				t.Errorf("%s: %s", o.Env.Name, encoded(fresh))
			}
		}
		// The templates are the project's: each environment's log has them.
		if err := o.Templates.Save(ctx, test.ProjectID, template.Template{ID: "look", Prebuilt: &template.Style{ButtonColor: "#112233"}}); err != nil {
			t.Fatal(err)
		}
		for _, o.Env = range []*project.Environment{test, live, more} {
			if fresh := o.since(map[string]bool{}); len(fresh) != 2 || !strings.Contains(encoded(fresh), `"type":"message_template.set"`) {
				t.Errorf("%s: %s", o.Env.Name, encoded(fresh))
			}
		}
	})
}

// What changes nothing, and what is refused, is in no log.
func TestWhatChangesNothingIsInNoLog(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		ctx, env := event.WithOperator(t.Context(), "ada"), o.Env
		jwt := project.JWTTemplate{Type: jwttemplate.M2M, Content: `{"a": "b"}`}
		look := template.Template{ID: "look", Prebuilt: &template.Style{ButtonColor: "#112233"}}
		status, discord := m2m.Active, &provider.Credentials{ClientID: "me", ClientSecret: "mine"}
		var client *m2m.Client
		var profile *trusted.Profile
		for what, err := range map[string]error{
			"policy": o.Projects.SetPolicy(ctx, env.ID, policyOf(t, roles)), "template of JWTs": o.Projects.SetJWTTemplate(ctx, env.ID, jwt),
			"template of mails": o.Templates.Save(ctx, env.ProjectID, look), "default": o.Templates.SetDefault(ctx, env.ProjectID, template.Prebuilt, "look"),
			"provider": o.OAuth.Set(ctx, env, "discord", discord),
			"client":   func() (err error) { client, _, err = o.M2M.Create(ctx, env, m2m.NewClient{}); return err }(),
			"profile": func() (err error) {
				profile, err = o.TrustedTokens.Create(ctx, env, trusted.Profile{Name: "E", Issuer: "e", Audience: "a", AttributeMapping: map[string]string{"email": "email", "token_id": "jti"}}, string(elsewhere().PEM(t)))
				return err
			}(),
		} {
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		seen := map[string]bool{}
		o.since(seen)
		for what, err := range map[string]error{
			"the setting that is": o.set(ctx, "session.algorithm", project.ES256), "the policy that is": o.Projects.SetPolicy(ctx, env.ID, policyOf(t, roles)),
			"the JWT template that is": o.Projects.SetJWTTemplate(ctx, env.ID, jwt), "the template that is": o.Templates.Save(ctx, env.ProjectID, look),
			"the default that is": o.Templates.SetDefault(ctx, env.ProjectID, template.Prebuilt, "look"), "no default": o.Templates.UnsetDefault(ctx, env.ProjectID, delivery.Login),
			"the provider that is": o.OAuth.Set(ctx, env, "discord", discord), "the switch that is": o.OAuth.Enable(ctx, env, "discord", true),
			"the client that is": func() error {
				_, err := o.M2M.Update(ctx, env, client.ClientID, m2m.Changes{Status: &status})
				return err
			}(),
			"the profile that is": func() error {
				_, err := o.TrustedTokens.Update(ctx, env, profile.ID, func(*trusted.Profile) error { return nil })
				return err
			}(),
		} {
			if fresh := o.since(seen); err != nil || len(fresh) != 0 {
				t.Errorf("%s: %v, %s", what, err, encoded(fresh))
			}
		}
		for what, f := range o.refused(ctx) {
			err := f()
			if fresh := o.since(seen); err == nil || len(fresh) != 0 {
				t.Errorf("%s: %v, %s", what, err, encoded(fresh))
			}
		}
	})
}

// refused is a change of each kind that fails.
func (o *operator) refused(ctx context.Context) map[string]func() error {
	p, env := o.Projects, o.Env
	return map[string]func() error{
		"setting":      func() error { return o.set(ctx, "user_lock.threshold", "1000") },
		"domain":       func() error { return p.RemoveDomain(ctx, env.ID, "https://none.example.com") },
		"secret":       func() error { return p.RevokeSecret(ctx, env.ID, "none") },
		"public token": func() error { return p.RevokePublicToken(ctx, env.ID, env.PublicTokens[0].Token) },
		"redirect URL": func() error { return p.RemoveRedirectURL(ctx, env.ID, "none") },
		"policy": func() error {
			return p.SetPolicy(ctx, env.ID, project.Policy{Roles: []project.PolicyRole{{RoleID: ""}}})
		},
		"JWT template":    func() error { return p.RemoveJWTTemplate(ctx, env.ID, jwttemplate.Session) },
		"profile":         func() error { return o.TrustedTokens.Delete(ctx, env, "none") },
		"provider":        func() error { return o.OAuth.Remove(ctx, env, "github") },
		"switch":          func() error { return o.OAuth.Enable(ctx, env, "github", false) },
		"sender":          func() error { return o.App.Messages.RemoveSender(ctx, env, "none") },
		"template":        func() error { return o.Templates.Delete(ctx, env.ProjectID, "none") },
		"default":         func() error { return o.Templates.Delete(ctx, env.ProjectID, "look") },
		"client":          func() error { return o.M2M.Delete(ctx, env, "none") },
		"no environment":  func() error { return p.SetPolicy(ctx, "none", policyOf(o.t, roles)) },
		"second live one": func() error { _, err := p.CreateEnvironment(ctx, env.ProjectID, id.Live, "Live"); return err },
	}
}

// TestLogLeakageByOperators is security case 65: nothing secret that operators
// bring, or get, is in an event.
func TestLogLeakageByOperators(t *testing.T) {
	eachOperator(t, func(t *testing.T, o *operator) {
		ctx := event.WithOperator(t.Context(), "ada")
		for _, change := range o.changes() {
			if _, err := change.do(ctx); err != nil {
				t.Fatalf("%s: %v", change.event, err)
			}
		}
		text := strings.ToLower(events(t, o.Server))
		if len(o.secrets) < 10 || !strings.Contains(text, "oauth.provider.set") {
			t.Fatal("nothing was tried, so finding nothing proves nothing")
		}
		for name, secret := range o.secrets {
			for _, form := range disguises(secret) {
				if strings.Contains(text, strings.ToLower(form)) {
					t.Errorf("the events hold the %s", name)
				}
			}
		}
		if strings.Contains(text, "private key") {
			t.Error("the events hold a private key")
		}
	})
}
