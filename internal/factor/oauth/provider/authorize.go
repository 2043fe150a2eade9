package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"gatehouse/internal/outbound"
)

// reserved are the parameters that decide whom a code is for, where it goes and
// to which flow it belongs. They are ours, whatever an allow-list says.
var reserved = []string{
	"state", "nonce", "client_id", "client_key", "client_secret", "client_assertion", "client_assertion_type", "redirect_uri", "response_type",
	"response_mode", "scope", "code_challenge", "code_challenge_method", "request", "request_uri", "registration", "claims", "id_token_hint",
	"resource", "authorization_details", "dpop_jkt",
}

// common are what OpenID Connect lets a request say about how the person is
// asked, and no more than that.
var common = []string{"login_hint", "prompt", "display", "ui_locales", "max_age", "acr_values"}

const (
	maxParams = 20
	maxParam  = 512 // bytes of a value
	maxScopes = 100
	maxScope  = 256
)

// isReserved looks through other spellings of a name, which a provider might
// read as the name.
func isReserved(name string) bool {
	name, _, _ = strings.Cut(strings.ToLower(name), "[")
	name = strings.NewReplacer("-", "_", ".", "_", " ", "").Replace(name)
	return slices.Contains(reserved, name) || slices.ContainsFunc(reserved, func(r string) bool {
		return strings.ReplaceAll(r, "_", "") == name
	})
}

// AppParams are the parameters that an app may add to a request.
func (p *Provider) AppParams() []string { return slices.Clone(p.params) }

// allows reports whether an app may add a parameter.
func (p *Provider) allows(c *Credentials, name string) bool {
	return !isReserved(name) && (slices.Contains(p.params, name) || slices.Contains(c.Params, name))
}

// AuthorizationURL is where to send the browser. A parameter that the allow-list
// of the provider does not name is refused.
func (s *Service) AuthorizationURL(ctx context.Context, p *Provider, c *Credentials, r Request) (string, error) {
	at, err := s.find(ctx, p, c)
	if err != nil {
		return "", errRequestURL.Because(err)
	}
	if r.State == "" || r.RedirectURI == "" || p.PKCE && r.CodeChallenge == "" || p.Nonce && r.Nonce == "" {
		return "", errRequestURL.Because(errors.New("the request lacks what binds the answer to it"))
	}
	u, err := outbound.ParseURL(at.Authorization)
	if err != nil {
		return "", errRequestURL.Because(err)
	}
	q := u.Query()
	for name, value := range p.fixed {
		q.Set(name, value)
	}
	if err := p.addParams(c, q, r.Params); err != nil {
		return "", err
	}
	scopes, err := p.scopes(c, r.Scopes)
	if err != nil {
		return "", err
	}
	p.bind(c, q, r)
	if len(scopes) > 0 {
		q.Set("scope", strings.Join(scopes, cmp.Or(p.separator, " ")))
	}
	// Some providers read a plus sign in a query as one.
	u.RawQuery, u.Fragment = strings.ReplaceAll(q.Encode(), "+", "%20"), ""
	return u.String(), nil
}

// bind sets what is ours, last, so that nothing can stand in its place.
func (p *Provider) bind(c *Credentials, q url.Values, r Request) {
	q.Set(cmp.Or(p.idParam, "client_id"), c.ClientID)
	q.Set("response_type", "code")
	q.Set("redirect_uri", r.RedirectURI)
	q.Set("state", r.State)
	if p.PKCE {
		q.Set("code_challenge", r.CodeChallenge)
		q.Set("code_challenge_method", "S256")
	}
	if p.Nonce {
		q.Set("nonce", r.Nonce)
	}
	if p.FormPost {
		q.Set("response_mode", "form_post")
	}
}

func (p *Provider) addParams(c *Credentials, q url.Values, params map[string]string) error {
	if len(params) > maxParams {
		return errRequestURL.WithMessage("There are more than %d provider parameters. Leave some out.", maxParams)
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value := params[name]
		switch {
		case !p.allows(c, name):
			return refuseParam(name, "is not passed on to %s. Leave it out; what is, stands in the documentation of the provider.", p.Type)
		case len(value) > maxParam || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
			return refuseParam(name, "has a value that is too long or not text. Mend it.")
		}
		q.Set(name, value)
	}
	return nil
}

// refuseParam names a parameter, unless its name is nothing to show to people.
func refuseParam(name, format string, args ...any) error {
	if len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		name = "..."
	}
	return errRequestURL.WithMessage("The parameter provider_%s %s", name, fmt.Sprintf(format, args...))
}

// scopes are the provider's, the environment's and the request's, each once.
func (p *Provider) scopes(c *Credentials, more []string) ([]string, error) {
	var all []string
	for _, scope := range slices.Concat(p.Scopes, c.Scopes, more) {
		if !isScope(scope) || p.separator != "" && strings.Contains(scope, p.separator) {
			return nil, errScope.WithMessage("A scope is not in the form of one. Write scopes without quotes, separated by spaces.")
		}
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	if len(all) > maxScopes {
		return nil, errScope.WithMessage("There are more than %d scopes. Ask for fewer.", maxScopes)
	}
	return all, nil
}

// isScope checks scope-token of RFC 6749, section 3.3.
func isScope(s string) bool {
	return s != "" && len(s) <= maxScope && visible(s) && !strings.ContainsAny(s, " \"\\")
}
