package project

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
)

// The verdicts on a destination, for each type of redirect URL.
var (
	errNoMatch      = apierr.New(400, "no_match_for_provided_magic_link_url", "The URL is not one of the environment's redirect URLs of this type. Register it with `gatehouse redirect-url add`.")
	errQueryParams  = apierr.New(400, "query_params_do_not_match", "The URL's query parameters are not those of the registered redirect URL. Register it with these parameters, or with {} as a value that may vary.")
	errInvalidLogin = apierr.New(400, "invalid_login_magic_link_url", "The login_magic_link_url is not a valid absolute URL.")
	errInvalidSign  = apierr.New(400, "invalid_signup_magic_link_url", "The signup_magic_link_url is not a valid absolute URL.")
	errInvalidInv   = apierr.New(400, "invalid_invite_magic_link_url", "The invite_magic_link_url is not a valid absolute URL.")
	errInvalidReset = apierr.New(400, "invalid_password_reset_redirect_url", "The reset_password_redirect_url is not a valid absolute URL.")
	errNoLogin      = apierr.New(400, "no_login_redirect_urls_set", "The environment has no redirect URL for LOGIN. Add one with `gatehouse redirect-url add`.")
	errNoSignup     = apierr.New(400, "no_signup_redirect_urls_set", "The environment has no redirect URL for SIGNUP. Add one with `gatehouse redirect-url add`.")
	errNoInvite     = apierr.New(400, "no_invite_redirect_urls_set", "The environment has no redirect URL for INVITE. Add one with `gatehouse redirect-url add`.")
	errNoReset      = apierr.New(400, "no_password_reset_redirect_url", "The environment has no redirect URL for RESET_PASSWORD. Add one with `gatehouse redirect-url add`.")
	errDefaultLogin = apierr.New(400, "no_default_login_redirect_url_set", "No redirect URL for LOGIN is the default. Name one in the request, or make one the default with `gatehouse redirect-url add --default`.")
	errDefaultSign  = apierr.New(400, "no_default_signup_redirect_url_set", "No redirect URL for SIGNUP is the default. Name one in the request, or make one the default with `gatehouse redirect-url add --default`.")
	errDefaultInv   = apierr.New(400, "no_default_invite_redirect_url_set", "No redirect URL for INVITE is the default. Name one in the request, or make one the default with `gatehouse redirect-url add --default`.")
)

// destinationErrors are the verdicts that differ by type.
var destinationErrors = map[RedirectType]struct{ invalid, noneSet, noDefault *apierr.Error }{
	RedirectLogin:         {errInvalidLogin, errNoLogin, errDefaultLogin},
	RedirectSignup:        {errInvalidSign, errNoSignup, errDefaultSign},
	RedirectInvite:        {errInvalidInv, errNoInvite, errDefaultInv},
	RedirectResetPassword: {errInvalidReset, errNoReset, errNoReset},
}

// Destination is where a flow of a type sends people: the URL the caller asks
// for, if it is one of the registered ones, or the type's default for "".
// Scheme, host, port, path and query must match exactly, except that
// www.example.com and example.com are one host, that a registered value {}
// stands for any value, and that in a test environment a registered *. stands
// for one label. Nothing outside the registered URLs can be reached.
func (e *Environment) Destination(t RedirectType, asked string) (string, error) {
	verdicts := destinationErrors[t]
	var registered []string
	fallback := ""
	for _, r := range e.RedirectURLs {
		for _, use := range r.Types {
			if use.Type != t {
				continue
			}
			registered = append(registered, r.URL)
			if use.IsDefault {
				fallback = r.URL
			}
		}
	}
	switch {
	case asked == "" && len(registered) == 0:
		return "", verdicts.noneSet
	case asked == "" && fallback == "":
		return "", verdicts.noDefault
	case asked == "":
		return fallback, nil
	}
	u, err := url.Parse(asked)
	if err != nil || strings.ContainsAny(asked, "*{}") {
		return "", verdicts.invalid.Because(err)
	}
	query, ok := singleValues(u.RawQuery)
	if !ok {
		return "", errQueryParams.WithMessage("The URL's query is malformed, names a parameter twice, or names one that is added when people are sent there (token, stytch_token_type, public_token).")
	}
	if err := CheckRedirectURL(e.Kind, asked); err != nil {
		return "", verdicts.invalid.Because(err)
	}
	near := false
	for _, entry := range registered {
		r, err := url.Parse(entry)
		if err != nil || !samePlace(r, u) {
			continue
		}
		near = true
		allowed, ok := singleValues(r.RawQuery)
		if ok && maps.EqualFunc(allowed, query, func(want, got string) bool { return want == got || want == anyValue }) {
			return u.String(), nil
		}
	}
	if near {
		return "", errQueryParams
	}
	return "", errNoMatch
}

// anyValue is how a registered URL says that a parameter's value may vary.
const anyValue = "{}"

// reservedParams are those that the product itself adds to a destination.
var reservedParams = []string{"token", "stytch_token_type", "public_token"}

// singleValues decodes a query in which each parameter stands once, and none
// that the product adds.
func singleValues(raw string) (map[string]string, bool) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, false
	}
	single := map[string]string{}
	for name, list := range values {
		if len(list) != 1 || slices.Contains(reservedParams, name) {
			return nil, false
		}
		single[name] = list[0]
	}
	return single, true
}

// samePlace compares everything of two URLs but their queries.
func samePlace(registered, asked *url.URL) bool {
	return strings.EqualFold(registered.Scheme, asked.Scheme) && registered.Port() == asked.Port() &&
		registered.Opaque == asked.Opaque && pathOf(registered) == pathOf(asked) &&
		sameHost(strings.ToLower(registered.Hostname()), strings.ToLower(asked.Hostname()))
}

func pathOf(u *url.URL) string { return orDefault(u.EscapedPath(), "/") }

func sameHost(registered, asked string) bool {
	if parent, wild := strings.CutPrefix(registered, "*."); wild {
		label, rest, _ := strings.Cut(asked, ".")
		return label != "" && rest == parent
	}
	return strings.TrimPrefix(registered, "www.") == strings.TrimPrefix(asked, "www.")
}

// IsNative reports whether a destination opens an app instead of a page. Any
// app may claim a scheme, so such a flow needs PKCE.
func IsNative(destination string) bool {
	scheme, _, _ := strings.Cut(destination, ":")
	return !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http")
}
