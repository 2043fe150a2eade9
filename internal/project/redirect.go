package project

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// RedirectType says which flows may send people to a redirect URL.
type RedirectType string

// The consumer types of redirect URLs (platform.md, section 17).
const (
	RedirectLogin         RedirectType = "LOGIN"
	RedirectSignup        RedirectType = "SIGNUP"
	RedirectInvite        RedirectType = "INVITE"
	RedirectResetPassword RedirectType = "RESET_PASSWORD"
)

// RedirectTypes lists all types.
var RedirectTypes = []RedirectType{RedirectLogin, RedirectSignup, RedirectInvite, RedirectResetPassword}

// RedirectURL is an address people may be sent back to.
type RedirectURL struct {
	ID        string        `json:"redirect_url_id"`
	URL       string        `json:"url"`
	Types     []RedirectUse `json:"valid_types"`
	CreatedAt time.Time     `json:"created_at"`
}

// RedirectUse is one type a URL is registered for. Each type has at most one
// default per environment: the URL used when a call names none.
type RedirectUse struct {
	Type      RedirectType `json:"type"`
	IsDefault bool         `json:"is_default"`
}

const maxRedirectURLs = 100

var (
	errRedirectURL       = apierr.New(400, "invalid_redirect_url", "The redirect URL is not a valid absolute URL.")
	errRedirectScheme    = apierr.New(400, "redirect_url_cannot_use_protocol", "A redirect URL cannot use this scheme.")
	errRedirectHTTPS     = apierr.New(400, "redirect_url_must_use_https", "Redirect URLs of a live environment must use https.")
	errRedirectWildcard  = apierr.New(400, "no_wildcards_in_live_redirect_url", "Redirect URLs of a live environment cannot hold wildcards.")
	errRedirectNotFound  = apierr.New(404, "redirect_url_not_found", "The redirect URL was not found.")
	errRedirectDuplicate = apierr.New(400, "duplicate_redirect_url", "The redirect URL is already registered for these types.")
	errRedirectTooMany   = apierr.New(400, "too_many_redirect_urls", "The environment has 100 redirect URLs already. Remove one that is no longer used.")
	errRedirectType      = apierr.New(400, "invalid_redirect_url_type", "The redirect URL type must be LOGIN, SIGNUP, INVITE or RESET_PASSWORD.")
)

// dangerousSchemes run code or read files in the reader's browser.
var dangerousSchemes = []string{"javascript", "data", "vbscript", "file", "blob", "about", "filesystem", "view-source", "ws", "wss", "ftp"}

// CheckRedirectURL applies the rules for registering u in an environment of
// the given kind. Custom schemes are allowed: mobile apps return through them.
func CheckRedirectURL(kind id.Env, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || strings.ContainsAny(s, "\\ \t\r\n") || u.User != nil || u.Fragment != "" {
		return errRedirectURL.Because(err)
	}
	if slices.Contains(dangerousSchemes, strings.ToLower(u.Scheme)) {
		return errRedirectScheme.WithMessage("A redirect URL cannot use the scheme %s.", u.Scheme)
	}
	web := u.Scheme == "http" || u.Scheme == "https"
	host := strings.ToLower(u.Hostname())
	wild := strings.Contains(s, "*")
	switch {
	case web && host == "", !web && u.Host == "" && u.Opaque != "":
		return errRedirectURL
	case kind == id.Live && u.Scheme == "http":
		return errRedirectHTTPS
	case kind == id.Live && wild:
		return errRedirectWildcard
	case !uniqueQuery(u):
		return errRedirectURL.WithMessage("The redirect URL's query is malformed, names a parameter twice, or names one that is added when people are sent there (token, stytch_token_type, public_token).")
	case wild && !validWildcard(host, s):
		return errRedirectURL.WithMessage("A wildcard may only be the first label of a host name that you own, as in https://*.example.com/path.")
	case web && !wild && !IsLoopback(host) && !ValidHostname(host):
		return errRedirectURL.WithMessage("%q is not a host name. Write international names in their ASCII form.", host)
	}
	return nil
}

func uniqueQuery(u *url.URL) bool {
	_, ok := singleValues(u.RawQuery)
	return ok
}

func validWildcard(host, s string) bool {
	parent, ok := strings.CutPrefix(host, "*.")
	return ok && strings.Count(s, "*") == 1 && ValidHostname(parent) && isRegistrable(parent)
}

// AddRedirectURL registers a URL for some types; given again, it adds types.
// The first URL of a type becomes its default, unless it holds a wildcard or a
// value that may vary.
func (s *Service) AddRedirectURL(ctx context.Context, envID, rawURL string, types []RedirectType, makeDefault bool) (*RedirectURL, error) {
	for _, t := range types {
		if !slices.Contains(RedirectTypes, t) {
			return nil, errRedirectType
		}
	}
	var result *RedirectURL
	err := s.change(ctx, envID, func(tx *store.Tx, env *Environment) (_ *event.Event, err error) {
		if err := CheckRedirectURL(env.Kind, rawURL); err != nil {
			return nil, err
		}
		if result, err = addRedirectURL(tx, env, rawURL, types, makeDefault); err != nil {
			return nil, err
		}
		details := map[string]any{"url": rawURL, "valid_types": result.Types}
		return &event.Event{Type: "redirect_url.add", ObjectID: result.ID, Details: details}, nil
	})
	return result, err
}

func addRedirectURL(tx *store.Tx, env *Environment, rawURL string, types []RedirectType, makeDefault bool) (*RedirectURL, error) {
	at := slices.IndexFunc(env.RedirectURLs, func(r RedirectURL) bool { return r.URL == rawURL })
	if at < 0 {
		if len(env.RedirectURLs) >= maxRedirectURLs {
			return nil, errRedirectTooMany
		}
		at = len(env.RedirectURLs)
		env.RedirectURLs = append(env.RedirectURLs, RedirectURL{ID: id.New(id.RedirectURL, env.Kind, tx.Now), URL: rawURL, CreatedAt: tx.Now})
	}
	r := &env.RedirectURLs[at]
	changed := false
	for _, t := range types {
		promote := (makeDefault || !hasDefault(env, t)) && !strings.Contains(rawURL, "*") && !strings.Contains(rawURL, anyValue)
		if promote {
			if err := demote(tx, env, t, r); err != nil {
				return nil, err
			}
		}
		changed = r.use(t, promote) || changed
	}
	if !changed {
		return nil, errRedirectDuplicate
	}
	return r, upsertRedirectURL(tx, env.ID, r)
}

// use records a type on the URL and reports whether that changed anything.
func (r *RedirectURL) use(t RedirectType, isDefault bool) bool {
	for i := range r.Types {
		if r.Types[i].Type == t {
			changed := isDefault && !r.Types[i].IsDefault
			r.Types[i].IsDefault = r.Types[i].IsDefault || isDefault
			return changed
		}
	}
	r.Types = append(r.Types, RedirectUse{t, isDefault})
	return true
}

func hasDefault(env *Environment, t RedirectType) bool {
	return slices.ContainsFunc(env.RedirectURLs, func(r RedirectURL) bool { return slices.Contains(r.Types, RedirectUse{t, true}) })
}

func demote(tx *store.Tx, env *Environment, t RedirectType, except *RedirectURL) error {
	for i := range env.RedirectURLs {
		r := &env.RedirectURLs[i]
		at := slices.Index(r.Types, RedirectUse{t, true})
		if at < 0 || r == except {
			continue
		}
		r.Types[at].IsDefault = false
		if err := upsertRedirectURL(tx, env.ID, r); err != nil {
			return err
		}
	}
	return nil
}

// RemoveRedirectURL forgets a URL, named by its id or by itself.
func (s *Service) RemoveRedirectURL(ctx context.Context, envID, which string) error {
	return s.change(ctx, envID, func(tx *store.Tx, env *Environment) (*event.Event, error) {
		for _, r := range env.RedirectURLs {
			if r.ID == which || r.URL == which {
				_, err := deleteRedirectURL(tx, envID, r.ID)
				return &event.Event{Type: "redirect_url.remove", ObjectID: r.ID, Details: map[string]any{"url": r.URL}}, err
			}
		}
		return nil, errRedirectNotFound
	})
}
