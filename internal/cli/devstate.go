package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

// devState is dev.json: what a test or a tool needs to begin. The file is
// renamed into place once the server listens, and stays when it stops.
type devState struct {
	BaseURL      string `json:"base_url"` // always http://localhost:PORT
	ProjectID    string `json:"project_id"`
	Secret       string `json:"secret"`
	PublicToken  string `json:"public_token"`
	Environment  string `json:"environment"` // "test"
	ProjectName  string `json:"project_name"`
	SecretID     string `json:"secret_id"`
	DemoURL      string `json:"demo_url"`
	MailboxURL   string `json:"mailbox_url"`
	ReferenceURL string `json:"reference_url"`

	formerDemoURL string // of the last start, which may have had another port
}

const (
	devProjectName = "My app"
	devRedirectURL = "http://localhost:3000/authenticate"
	// devSecretSetting remembers which secret is in dev.json, so that it can be
	// revoked when the file is lost and nobody can know it any more.
	devSecretSetting = "dev_secret_id"
)

// readDevState reads dev.json. A file that is missing or broken is an empty
// state, which settle fills again.
func readDevState(folder string) (devState, error) {
	var s devState
	text, err := os.ReadFile(filepath.Join(folder, devFile))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if json.Unmarshal(text, &s) != nil {
		return devState{}, nil
	}
	return s, nil
}

func (s *devState) write(folder string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(folder, devFile, append(text, '\n'))
}

// settle finds the project of the last start again, or makes what is missing:
// the project, its secret, its redirect URL.
func (s *devState) settle(ctx context.Context, a *app.App, folder, baseURL string) (err error) {
	if *s, err = readDevState(folder); err != nil {
		return err
	}
	env, err := s.project(ctx, a)
	if err != nil {
		return err
	}
	if env.ID != s.ProjectID || !s.holdsSecretOf(env) {
		if err := s.renewSecret(ctx, a, env); err != nil {
			return err
		}
	}
	if !env.HasPublicToken(s.PublicToken) {
		s.PublicToken = env.PublicTokens[0].Token
	}
	s.formerDemoURL = s.DemoURL
	s.ProjectID, s.ProjectName, s.Environment = env.ID, env.ProjectName, string(env.Kind)
	s.BaseURL, s.DemoURL, s.MailboxURL, s.ReferenceURL = baseURL, baseURL+"/demo", baseURL+"/mailbox", baseURL+"/reference"
	return nil
}

// project is that of dev.json, or else the first test environment, or else a
// new one.
func (s *devState) project(ctx context.Context, a *app.App) (*project.Environment, error) {
	all := a.Projects.Environments()
	if at := slices.IndexFunc(all, func(e *project.Environment) bool { return e.ID == s.ProjectID }); at >= 0 {
		return all[at], nil
	}
	if at := slices.IndexFunc(all, func(e *project.Environment) bool { return e.Kind == id.Test }); at >= 0 {
		return all[at], nil
	}
	test, _, err := a.Projects.CreateProject(ctx, devProjectName)
	return test, err
}

func (s *devState) holdsSecretOf(env *project.Environment) bool {
	return slices.ContainsFunc(env.Secrets, func(k project.Secret) bool {
		return k.ID == s.SecretID && strings.HasSuffix(s.Secret, k.LastFour)
	})
}

// renewSecret makes a new secret in place of the one that went with dev.json.
// Secrets made by hand stay valid.
func (s *devState) renewSecret(ctx context.Context, a *app.App, env *project.Environment) error {
	lost, err := a.Setting(ctx, devSecretSetting)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(env.Secrets, func(k project.Secret) bool { return k.ID == lost }) {
		if err := a.Projects.RevokeSecret(ctx, env.ID, lost); err != nil {
			return err
		}
	}
	made, value, err := a.Projects.CreateSecret(ctx, env.ID)
	if err != nil {
		return err
	}
	s.SecretID, s.Secret = made.ID, value
	if err := a.SetSetting(ctx, devSecretSetting, made.ID); err != nil || len(env.RedirectURLs) > 0 {
		return err
	}
	_, err = a.Projects.AddRedirectURL(ctx, env.ID, devRedirectURL, project.RedirectTypes, true)
	return err
}
