package oauth

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

var (
	errOneTapCSRF = apierr.New(400, "oauth_state_mismatch", "This sign-in was begun in another browser, or this one keeps no cookies in frames. Use the Google button instead.")
	errOneTapPage = apierr.New(400, "bad_domain_for_stytch_sdk", "This page is not authorised to use the environment. Add its origin with `gatehouse domain add`.")
	errOneTapPKCE = apierr.New(400, "invalid_pkce_code_challenge", "Sign-in with providers needs PKCE in this environment, which Google One Tap does not have. Use the Google button instead.")
)

// OneTapCookie is the cookie that the frame of the browser SDK repeats in its
// request. It is read by a script, so its name is not ours to choose.
const OneTapCookie = "stytch_csrf_private_token"

// oneTapProvider is whose One Tap it is.
const oneTapProvider = "google"

// OneTapStart is a frame that asks by what name Google knows the environment.
type OneTapStart struct {
	PublicToken string
	Page        string // the origin of the page around the frame
	Cookie      string // what the browser has of OneTapCookie
	IP          netip.Addr
}

// OneTapReady is what it is told.
type OneTapReady struct {
	ClientID   string
	CallbackID string
	Cookie     string // to be kept as OneTapCookie
	Expires    time.Time
	Secure     bool
}

// StartOneTap begins a sign-in with Google One Tap. It keeps nothing: what comes
// next brings Google's own word.
func (s *Service) StartOneTap(ctx context.Context, r OneTapStart) (*OneTapReady, error) {
	env, err := s.environmentOf(ctx, r.PublicToken)
	if err != nil {
		return nil, err
	}
	wire.CallFrom(ctx).SetEnv(string(env.Kind))
	if err := s.mayOneTap(env, r.Page, r.IP); err != nil {
		return nil, err
	}
	c, err := s.provider(ctx, env, oneTapProvider)
	if err != nil {
		return nil, err
	}
	ready := &OneTapReady{
		ClientID: c.credentials.ClientID, CallbackID: CallbackID(env), Cookie: r.Cookie, Expires: s.DB.Now().Add(flowFor), Secure: s.overHTTPS(),
	}
	if !secret.ValidToken(ready.Cookie) {
		ready.Cookie = secret.Token()
	}
	return ready, nil
}

// mayOneTap decides whether a page may have people sign in with One Tap. The
// page's origin is what the frame was told by the browser: a page cannot make
// the browser of somebody else say another one.
func (s *Service) mayOneTap(env *project.Environment, page string, ip netip.Addr) error {
	rule := ratelimit.Rule{Name: "oauth starts", Limit: s.StartsPerMinute, Per: time.Minute}
	if ok, wait := s.starts.Take(rule, startKey{env.ID, ratelimit.Network(ip)}); rule.Limit > 0 && !ok {
		return rule.Refused(wait)
	}
	switch {
	case !env.AllowsOrigin(page):
		return errOneTapPage
	case env.Config.SDK.OAuth.PKCERequired:
		return errOneTapPKCE
	}
	return nil
}

// OneTap is the frame with what Google has given to the page.
type OneTap struct {
	CallbackID string
	Page       string
	Cookie     string
	IP         netip.Addr
	IDToken    string
	CSRF       string // what the frame says that the cookie is
	LoginURL   string // where people go, "" for the defaults
	SignupURL  string
}

// FinishOneTap checks what Google has given and returns the address of the app
// with a token, as when a browser is back from a provider.
func (s *Service) FinishOneTap(ctx context.Context, r OneTap) (target string, err error) {
	env, err := s.callbackEnvironment(ctx, r.CallbackID)
	if err != nil {
		return "", err
	}
	wire.CallFrom(ctx).SetEnv(string(env.Kind))
	if err := s.mayOneTap(env, r.Page, r.IP); err != nil {
		return "", err
	}
	if !secret.ValidToken(r.Cookie) || !secret.Equal(r.Cookie, r.CSRF) {
		return "", errOneTapCSRF
	}
	f, err := (&asked{login: r.LoginURL, signup: r.SignupURL}).flow(env)
	if err != nil {
		return "", err
	}
	f.provider = oneTapProvider
	target, err = s.takeOneTap(ctx, env, f, strings.TrimSpace(r.IDToken))
	if refused := apierr.From(err); refused != nil {
		if err := s.report(ctx, env, f, refused); err != nil {
			return "", err
		}
	}
	return target, err
}

func (s *Service) takeOneTap(ctx context.Context, env *project.Environment, f *flow, token string) (target string, err error) {
	c, err := s.provider(ctx, env, f.provider)
	if err != nil {
		return "", err
	}
	// For pages there is one client id. Those of apps are for apps: a page could
	// not have got an id_token for them.
	pinned := *c.credentials
	pinned.NativeClientIDs = nil
	a := account{Tokens: &provider.Tokens{ID: token}}
	if a.Identity, err = s.Providers.VerifyIDToken(ctx, c.Provider, &pinned, token, ""); err != nil {
		return "", err
	}
	use := useOf(token)
	return s.keep(ctx, env, f, c.Provider, &a, func(tx *store.Tx) error { return use.spend(tx, env) })
}
