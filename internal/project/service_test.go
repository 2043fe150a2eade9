package project

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// created returns a service with one project and its test environment.
func created(t *testing.T, db *store.DB) (*Service, *Environment) {
	t.Helper()
	s := New(db)
	if err := s.Load(context.Background()); err != nil {
		t.Fatal(err)
	}
	test, _, err := s.CreateProject(context.Background(), "Acme")
	if err != nil {
		t.Fatal(err)
	}
	return s, test
}

func TestProjectLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, test := created(t, db)
		if !id.Check(id.Project, id.Test, test.ID) || len(s.Environments()) != 2 {
			t.Fatalf("environment %q of %d", test.ID, len(s.Environments()))
		}
		if live := s.Environments()[1]; live.Kind != id.Live || live.Config.SDK.Basic.Enabled {
			t.Errorf("the live environment starts as %+v", live)
		}
		if _, err := s.CreateEnvironment(ctx, test.ProjectID, id.Live, "Second"); !errors.Is(err, errSecondLive) {
			t.Errorf("a second live environment gave %v", err)
		}
		if _, err := s.CreateEnvironment(ctx, "unknown", id.Test, "x"); !errors.Is(err, errProjectNotFound) {
			t.Errorf("an unknown project gave %v", err)
		}
		staging, err := s.CreateEnvironment(ctx, test.ProjectID, id.Test, "Staging")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Environment(ctx, staging.ID); err != nil || got.ProjectName != "Acme" || got.Name != "Staging" {
			t.Errorf("the new environment reads as %+v, %v", got, err)
		}
	})
}

func TestSecretsCanOverlapAndEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		first, one, err := s.CreateSecret(ctx, env.ID)
		if err != nil {
			t.Fatal(err)
		}
		_, two, err := s.CreateSecret(ctx, env.ID)
		if err != nil {
			t.Fatal(err)
		}
		opens := func(value string) bool {
			got, err := s.bySecret(ctx, value)
			return err == nil && got != nil && got.ID == env.ID
		}
		if !opens(one) || !opens(two) || opens("guess") {
			t.Error("two valid secrets must open the environment and a guess must not")
		}
		if err := s.RevokeSecret(ctx, env.ID, first.ID); err != nil {
			t.Fatal(err)
		}
		if opens(one) || !opens(two) {
			t.Error("revoking one secret must end that one only")
		}
		if err := s.RevokeSecret(ctx, env.ID, first.ID); !errors.Is(err, errSecretNotFound) {
			t.Errorf("revoking it again gave %v", err)
		}
	})
}

func TestLastPublicTokenStays(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		old := env.PublicTokens[0].Token
		if err := s.RevokePublicToken(ctx, env.ID, old); !errors.Is(err, errLastPublicToken) {
			t.Errorf("revoking the last token gave %v", err)
		}
		if _, err := s.CreatePublicToken(ctx, env.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.RevokePublicToken(ctx, env.ID, old); err != nil {
			t.Error(err)
		}
		if got, err := s.PublicTokenEnvironment(ctx, old); !errors.Is(err, errTokenUnknown) {
			t.Errorf("the revoked token gives %v, %v", got, err)
		}
	})
}

// TestOtherNodesSeeChanges runs two services on one database, as two nodes do.
func TestOtherNodesSeeChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		other := New(db)
		if err := other.Load(ctx); err != nil {
			t.Fatal(err)
		}
		_, value, err := s.CreateSecret(ctx, env.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := other.bySecret(ctx, value); err != nil || got == nil {
			t.Errorf("an unknown secret did not make the node look: %v, %v", got, err)
		}
		if _, err := s.AddDomain(ctx, env.ID, "app.example.com"); err != nil {
			t.Fatal(err)
		}
		if err := other.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		if !other.Environments()[0].AllowsOrigin("https://app.example.com") {
			t.Error("the other node does not see the new domain after a poll")
		}
		before := other.snapshot.Load()
		if err := other.Refresh(ctx); err != nil || other.snapshot.Load() != before {
			t.Errorf("a poll without a change read everything again: %v", err)
		}
	})
}

func TestSettings(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		set := func(path, value string) error {
			return s.ChangeConfig(ctx, env.ID, func(_ id.Env, c *Config) error { return c.Set(path, value) })
		}
		for path, value := range map[string]string{
			"user_lock.threshold":       "100",
			"user_lock.ttl_seconds":     "300",
			"session.algorithm":         "ES256",
			"sdk.webauthn.enabled":      "false",
			"sdk.basic.domains":         `["https://a.example.com"]`,
			"sdk.cookies.http_only":     "ENFORCED",
			"webauthn.sign_count":       "warn",
			"session.jwt_reuse_seconds": "0",
		} {
			if err := set(path, value); err != nil {
				t.Errorf("%s = %s: %v", path, value, err)
			}
		}
		c := s.Environments()[0].Config
		if c.LockThreshold() != 100 || c.LockTTL().Seconds() != 300 || c.JWTAlgorithm() != ES256 || c.RejectsSignCount() || c.JWTReuse() != 0 || !c.HTTPOnlyCookies() || c.SDK.WebAuthn.Enabled || !c.SDK.WebAuthn.Create {
			t.Errorf("the configuration became %+v", c)
		}
		for path, value := range map[string]string{
			"user_lock.threshold":                       "101",
			"user_lock.ttl_seconds":                     "299",
			"session.algorithm":                         "HS256",
			"session.issuer":                            "evil",
			"session.jwt_reuse_seconds":                 "241",
			"sdk.cookies.domain":                        "com",
			"sdk.basic.domains":                         `["http://evil.example"]`,
			"sdk.sessions.max_session_duration_minutes": "4",
			"webauthn.related_origins":                  `["http://a.example"]`,
			"webauthn.android_key_hashes":               `["x"]`,
			"unknown":                                   "1",
			"sdk.webauthn.enabled":                      "maybe",
			"sdk":                                       "1",
		} {
			if err := set(path, value); err == nil {
				t.Errorf("%s = %s was accepted", path, value)
			}
		}
		if got := s.Environments()[0].Config.LockThreshold(); got != 100 {
			t.Errorf("a refused change left the threshold at %d", got)
		}
		if err := s.ChangeConfig(ctx, "project-test-unknown", func(id.Env, *Config) error { return nil }); !errors.Is(err, errEnvironmentNotFound) {
			t.Errorf("an unknown environment gave %v", err)
		}
	})
}

func TestConcurrentChangesAreNotLost(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		var wait sync.WaitGroup
		for i := range 20 {
			wait.Go(func() {
				if _, err := s.AddDomain(ctx, env.ID, fmt.Sprintf("https://a%d.example.com", i)); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if err := s.Refresh(ctx); err != nil {
			t.Fatal(err)
		}
		if got := len(s.Environments()[0].Config.SDK.Basic.Domains); got != 20 {
			t.Errorf("%d of 20 domains were kept", got)
		}
	})
}

// On PostgreSQL a change sees rows of an environment that is committed between
// two of its queries.
func TestChangesBesideNewEnvironments(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		const times = 60
		var wait sync.WaitGroup
		wait.Go(func() {
			for i := range times {
				if _, _, err := s.CreateProject(ctx, fmt.Sprint("Project ", i)); err != nil {
					t.Error(err)
				}
			}
		})
		for i := range times {
			err := s.ChangeConfig(ctx, env.ID, func(_ id.Env, c *Config) error { c.UserLock.Threshold = 1 + i; return nil })
			if err != nil {
				t.Fatal(err)
			}
		}
		wait.Wait()
	})
}
