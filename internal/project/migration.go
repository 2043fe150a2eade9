package project

import (
	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/outbound"
)

// SessionMigrationConfig says who knows the sessions of the product that people
// were signed in with before.
type SessionMigrationConfig struct {
	UserInfoURL string `json:"userinfo_url" log:"-"` // the UserInfo endpoint of the product before this one, asked whose its access tokens are; empty: none are taken
}

func (c *Config) checkSessionMigration(kind id.Env) error {
	if c.SessionMigration.UserInfoURL == "" {
		return nil
	}
	u, err := outbound.ParseURL(c.SessionMigration.UserInfoURL)
	if err != nil {
		return errSetting.WithMessage("session_migration.userinfo_url: %s", apierr.From(err).Message)
	}
	if kind == id.Live && u.Scheme != "https" {
		return errSetting.WithMessage("session_migration.userinfo_url must begin with https://: access tokens are sent there.")
	}
	return nil
}
