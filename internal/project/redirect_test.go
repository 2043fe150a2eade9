package project

import (
	"context"
	"errors"
	"testing"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestCheckRedirectURL(t *testing.T) {
	cases := []struct {
		kind id.Env
		url  string
		want error
	}{
		{id.Test, "http://localhost:3000/authenticate", nil},
		{id.Live, "https://app.example.com/authenticate?next=1", nil},
		{id.Live, "slack://auth/callback", nil},
		{id.Live, "com.example.app:/callback", nil},
		{id.Test, "https://*.preview.example.com/cb", nil},
		{id.Live, "http://app.example.com/", errRedirectHTTPS},
		{id.Live, "https://*.example.com/", errRedirectWildcard},
		{id.Test, "https://*.com/", errRedirectURL},
		{id.Test, "https://a.example.com/*", errRedirectURL},
		{id.Test, "http://127.0.0.1**", errRedirectURL},
		{id.Test, "https://good.example@evil.example/", errRedirectURL},
		{id.Test, "https://good.example\\@evil.example/", errRedirectURL},
		{id.Test, "https://good.example\t/", errRedirectURL},
		{id.Test, "https://app.example.com/#fragment", errRedirectURL},
		{id.Test, "https://app.example.com./", errRedirectURL},
		{id.Test, "https://bücher.example/", errRedirectURL},
		{id.Test, "javascript:alert(1)", errRedirectScheme},
		{id.Test, "DATA:text/html,x", errRedirectScheme},
		{id.Test, "/relative", errRedirectURL},
		{id.Test, "//evil.example", errRedirectURL},
		{id.Test, "https:///path", errRedirectURL},
		{id.Test, "", errRedirectURL},
	}
	for _, c := range cases {
		if err := CheckRedirectURL(c.kind, c.url); !errors.Is(err, c.want) {
			t.Errorf("CheckRedirectURL(%s, %q) = %v, want %v", c.kind, c.url, err, c.want)
		}
	}
}

func TestRedirectURLDefaults(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB, _ *storetest.Clock) {
		ctx := context.Background()
		s, env := created(t, db)
		first, err := s.AddRedirectURL(ctx, env.ID, "http://localhost:3000/a", []RedirectType{RedirectLogin, RedirectSignup}, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, use := range first.Types {
			if !use.IsDefault {
				t.Errorf("the first %s URL is not the default", use.Type)
			}
		}
		if _, err := s.AddRedirectURL(ctx, env.ID, "http://localhost:3000/b", []RedirectType{RedirectLogin}, true); err != nil {
			t.Fatal(err)
		}
		defaults := map[string][]RedirectType{}
		for _, r := range s.Environments()[0].RedirectURLs {
			for _, use := range r.Types {
				if use.IsDefault {
					defaults[r.URL] = append(defaults[r.URL], use.Type)
				}
			}
		}
		if len(defaults["http://localhost:3000/a"]) != 1 || len(defaults["http://localhost:3000/b"]) != 1 {
			t.Errorf("defaults are %v", defaults)
		}
		if _, err := s.AddRedirectURL(ctx, env.ID, "http://localhost:3000/b", []RedirectType{RedirectLogin}, false); !errors.Is(err, errRedirectDuplicate) {
			t.Errorf("a second registration gave %v", err)
		}
		if _, err := s.AddRedirectURL(ctx, env.ID, "http://localhost:3000/c", []RedirectType{"DISCOVERY"}, false); !errors.Is(err, errRedirectType) {
			t.Errorf("an unknown type gave %v", err)
		}
		if err := s.RemoveRedirectURL(ctx, env.ID, first.ID); err != nil {
			t.Error(err)
		}
		if err := s.RemoveRedirectURL(ctx, env.ID, first.ID); !errors.Is(err, errRedirectNotFound) {
			t.Errorf("removing it again gave %v", err)
		}
	})
}
