package project

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

var (
	errProjectNotFound     = apierr.New(404, "project_not_found", "The project was not found.")
	errEnvironmentNotFound = apierr.New(404, "environment_not_found", "The environment was not found. `gatehouse environment list` shows those that exist.")
	errSecretNotFound      = apierr.New(404, "secret_not_found", "The secret was not found. `gatehouse environment show` lists the secrets.")
	errLastPublicToken     = apierr.New(400, "cannot_delete_last_public_token", "The last public token cannot be revoked. Create another one first.")
	errName                = apierr.New(400, "invalid_name", "The name must have between 1 and 128 characters, without control characters.")
	errEnvironmentKind     = apierr.New(400, "invalid_environment_kind", "The environment must be test or live.")
	errSecondLive          = apierr.New(400, "duplicate_live_environment", "The project has a live environment already. Further environments are test environments.")
	errDomainNotFound      = apierr.New(404, "domain_not_found", "The domain is not among the authorised domains.")
)

// CreateProject makes a project with its test and its live environment. The
// live one starts with the browser's door closed: opening it is a decision.
func (s *Service) CreateProject(ctx context.Context, name string) (test, live *Environment, err error) {
	if err := checkName(name); err != nil {
		return nil, nil, err
	}
	err = s.Configure(ctx, func(tx *store.Tx) error {
		projectID := strings.TrimPrefix(id.New(id.Project, id.Test, tx.Now), "project-test-")
		if err := insertProject(tx, projectID, name); err != nil {
			return err
		}
		if test, err = createEnvironment(tx, projectID, name, id.Test, "Test"); err != nil {
			return err
		}
		live, err = createEnvironment(tx, projectID, name, id.Live, "Live")
		return err
	})
	return test, live, err
}

// CreateEnvironment adds an environment to a project.
func (s *Service) CreateEnvironment(ctx context.Context, projectID string, kind id.Env, name string) (*Environment, error) {
	if !kind.Valid() {
		return nil, errEnvironmentKind
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	var env *Environment
	err := s.Configure(ctx, func(tx *store.Tx) error {
		ofProject, err := projectName(tx, projectID)
		if errors.Is(err, store.ErrNoRows) {
			return errProjectNotFound
		}
		if err != nil {
			return err
		}
		if kind == id.Live {
			if taken, err := projectHasLive(tx, projectID); err != nil || taken {
				return errors.Join(err, errSecondLive)
			}
		}
		env, err = createEnvironment(tx, projectID, ofProject, kind, name)
		return err
	})
	return env, err
}

func createEnvironment(tx *store.Tx, projectID, projectName string, kind id.Env, name string) (*Environment, error) {
	env := &Environment{
		ID: id.New(id.Project, kind, tx.Now), ProjectID: projectID, ProjectName: projectName,
		Kind: kind, Name: name, CreatedAt: tx.Now,
	}
	if kind == id.Test {
		env.Config.SDK.Basic.Enabled = true
		env.Config.SDK.MagicLinks = SDKMagicLinks{LoginOrCreate: true, Send: true}
		env.Config.SDK.Passwords = SDKPasswords{Enabled: true}
		env.Config.SDK.OAuth = SDKOAuth{Enabled: true}
		env.Config.SDK.OTPs = SDKOTPs{
			SMSLoginOrCreate: true, SMSSend: true, WhatsAppLoginOrCreate: true, WhatsAppSend: true, EmailLoginOrCreate: true, EmailSend: true,
		}
		env.Config.SDK.TOTPs = SDKTOTPs{Enabled: true, Create: true}
		env.Config.SDK.WebAuthn = SDKWebAuthn{Enabled: true, Create: true}
		env.Config.SDK.CryptoWallets = SDKCryptoWallets{Enabled: true}
		env.Config.SDK.Biometrics = SDKBiometrics{Enabled: true, Create: true}
		env.Config.SDK.UserImpersonation = SDKUserImpersonation{Enabled: true} // beside user_impersonation.enabled, which an operator sets
	}
	if err := insertEnvironment(tx, env); err != nil {
		return nil, err
	}
	token := id.Random(id.PublicToken, kind)
	env.PublicTokens = []PublicToken{{Token: token, CreatedAt: tx.Now}}
	if err := insertPublicToken(tx, env.ID, token); err != nil {
		return nil, err
	}
	return env, event.Emit(tx, kind, event.Event{
		EnvironmentID: env.ID, Type: "environment.create", Details: map[string]any{"project_name": projectName, "name": name},
	})
}

// CreateSecret adds a secret to an environment and returns it with its value,
// which cannot be read again.
func (s *Service) CreateSecret(ctx context.Context, envID string) (Secret, string, error) {
	value := secret.Token()
	var k Secret
	err := s.change(ctx, envID, func(tx *store.Tx, env *Environment) (*event.Event, error) {
		k = Secret{ID: id.New(id.Secret, env.Kind, tx.Now), LastFour: value[len(value)-4:], CreatedAt: tx.Now}
		return &event.Event{Type: "secret.create", ObjectID: k.ID}, insertSecret(tx, envID, k, secret.Hash(value))
	})
	return k, value, err
}

// RevokeSecret ends a secret at once, on this node and within a poll on all.
func (s *Service) RevokeSecret(ctx context.Context, envID, secretID string) error {
	return s.change(ctx, envID, func(tx *store.Tx, _ *Environment) (*event.Event, error) {
		return &event.Event{Type: "secret.delete", ObjectID: secretID}, found(errSecretNotFound)(deleteSecret(tx, envID, secretID))
	})
}

// CreatePublicToken adds a public token to an environment.
func (s *Service) CreatePublicToken(ctx context.Context, envID string) (PublicToken, error) {
	var p PublicToken
	err := s.change(ctx, envID, func(tx *store.Tx, env *Environment) (*event.Event, error) {
		p = PublicToken{Token: id.Random(id.PublicToken, env.Kind), CreatedAt: tx.Now}
		return &event.Event{Type: "public_token.create", ObjectID: p.Token}, insertPublicToken(tx, envID, p.Token)
	})
	return p, err
}

// RevokePublicToken ends a public token; an environment keeps at least one.
func (s *Service) RevokePublicToken(ctx context.Context, envID, token string) error {
	return s.change(ctx, envID, func(tx *store.Tx, env *Environment) (*event.Event, error) {
		if !env.HasPublicToken(token) {
			return nil, errTokenUnknown
		}
		return &event.Event{Type: "public_token.delete", ObjectID: token}, found(errLastPublicToken)(deletePublicToken(tx, envID, token))
	})
}

// AddDomain authorises an origin to use the browser's door.
func (s *Service) AddDomain(ctx context.Context, envID, domain string) (string, error) {
	var normal string
	err := s.ChangeConfig(ctx, envID, func(kind id.Env, c *Config) (err error) {
		if normal, err = NormalizeDomain(kind, domain); err == nil && !slices.Contains(c.SDK.Basic.Domains, normal) {
			c.SDK.Basic.Domains = append(c.SDK.Basic.Domains, normal)
		}
		return err
	})
	return normal, err
}

// RemoveDomain takes an authorised origin back.
func (s *Service) RemoveDomain(ctx context.Context, envID, domain string) error {
	return s.ChangeConfig(ctx, envID, func(kind id.Env, c *Config) error {
		normal, err := NormalizeDomain(kind, domain)
		if err != nil {
			return err
		}
		at := slices.Index(c.SDK.Basic.Domains, normal)
		if at < 0 {
			return errDomainNotFound
		}
		c.SDK.Basic.Domains = slices.Delete(c.SDK.Basic.Domains, at, at+1)
		return nil
	})
}

// found turns "no row was changed" into the error that says what was missing.
func found(missing *apierr.Error) func(int64, error) error {
	return func(n int64, err error) error {
		if err == nil && n == 0 {
			return missing
		}
		return err
	}
}

func checkName(name string) error {
	n := utf8.RuneCountInString(strings.TrimSpace(name))
	if n < 1 || n > 128 || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errName
	}
	return nil
}
