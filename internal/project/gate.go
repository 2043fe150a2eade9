package project

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
	"gatehouse/internal/wire"
)

var (
	errCredentials   = apierr.New(401, "unauthorized_credentials", "The project_id or secret is wrong, revoked, or belongs to another environment. Check the credentials of this environment.")
	errTokenRequired = apierr.New(400, "public_token_required", "The public token is missing. Send it as the user name of the Authorization header.")
	errTokenShape    = apierr.New(400, "invalid_public_token_id", "The public token is malformed. It looks like public-token-test- or public-token-live- and a UUID.")
	errTokenUnknown  = apierr.New(404, "public_token_not_found", "The public token is unknown or revoked. Check the public token of this environment.")
	errSDKDisabled   = apierr.New(401, "endpoint_not_authorized_for_sdk", "This endpoint is not enabled for client SDKs. Switch the product on in the environment's SDK configuration.")
	errBadDomain     = apierr.New(400, "bad_domain_for_stytch_sdk", "This origin is not authorised to use the environment. Add it to the environment's authorised domains.")
	errBadBundle     = apierr.New(400, "bad_app_bundle_for_stytch_sdk", "This app is not authorised to use the environment. Add its bundle id to the environment's SDK configuration.")
)

// The names of the session cookies, as the official browser SDK reads them.
const (
	SessionCookie    = "stytch_session"
	SessionJWTCookie = "stytch_session_jwt"
)

// BrowserCookie lets a browser that asked for a link by e-mail be recognised
// when the link is opened. It identifies nobody and opens nothing.
const BrowserCookie = "gatehouse_browser"

// SecretGate lets in callers who hold a secret of the environment they name
// (Basic project_id:secret).
func (s *Service) SecretGate(ctx context.Context, in *wire.Incoming) (context.Context, error) {
	if !in.HasBasic {
		return nil, errCredentials.WithMessage("The request has no credentials. Send the project_id and a secret as Basic authorization.")
	}
	env, err := s.bySecret(ctx, in.BasicPassword)
	if err != nil {
		return nil, err
	}
	if env == nil || env.ID != in.BasicUser {
		return nil, errCredentials
	}
	return s.enter(ctx, in, env, &Caller{}), nil
}

// PublicGate lets in browsers and apps that name an environment by its public
// token, from an origin or app the environment authorises, to products it has
// switched on. Who the person is, the session they present says.
func (s *Service) PublicGate(ctx context.Context, in *wire.Incoming) (context.Context, error) {
	env, err := s.publicEnvironment(ctx, in)
	if err != nil {
		return nil, err
	}
	origin, err := checkOrigin(env, in)
	if err != nil {
		return nil, err
	}
	for _, need := range in.Endpoint.Needs {
		if needed := switches[need]; needed.on == nil || !needed.on(&env.Config.SDK) {
			return nil, errSDKDisabled.WithMessage("This is not enabled for client SDKs. Set %s with `gatehouse sdk-config set`.", needed.setting)
		}
	}
	caller := &Caller{Browser: true, Origin: origin, SessionToken: presentedSession(env, in, origin)}
	if origin != "" {
		caller.BrowserID = in.Cookie(BrowserCookie)
	} else {
		caller.BundleID = bundleID(in.SDKClient)
	}
	return s.enter(ctx, in, env, caller), nil
}

func (s *Service) publicEnvironment(ctx context.Context, in *wire.Incoming) (*Environment, error) {
	if !in.HasBasic || in.BasicUser == "" {
		return nil, errTokenRequired
	}
	env, err := s.PublicTokenEnvironment(ctx, in.BasicUser)
	if err != nil {
		return nil, err
	}
	if !env.Config.SDK.Basic.Enabled {
		return nil, errSDKDisabled.WithMessage("Client SDKs are switched off for this environment. Set basic.enabled with `gatehouse sdk-config set`.")
	}
	return env, nil
}

// PublicTokenEnvironment finds the environment a public token names, or says
// in the contract's terms why there is none.
func (s *Service) PublicTokenEnvironment(ctx context.Context, token string) (*Environment, error) {
	if !id.Check(id.PublicToken, id.Test, token) && !id.Check(id.PublicToken, id.Live, token) {
		return nil, errTokenShape
	}
	env, err := s.byPublicToken(ctx, token)
	if err != nil {
		return nil, err
	}
	if env == nil {
		return nil, errTokenUnknown
	}
	return env, nil
}

// checkOrigin decides whether the page or app may talk to the environment. A
// browser sends Origin, or on same-origin reads only the SDK's own header; an
// app sends neither and is known by its bundle id.
func checkOrigin(env *Environment, in *wire.Incoming) (string, error) {
	origin := in.Origin
	if origin == "" {
		origin = in.ParentHost
	}
	if origin != "" {
		if !env.AllowsOrigin(origin) {
			return "", errBadDomain.WithMessage("The origin %s is not authorised to use this environment. Add it with `gatehouse domain add`.", quoted(origin))
		}
		return origin, nil
	}
	bundle := bundleID(in.SDKClient)
	if !slices.Contains(env.Config.SDK.Basic.BundleIDs, bundle) && (env.Live() || bundle != "" && len(env.Config.SDK.Basic.BundleIDs) > 0) {
		return "", errBadBundle
	}
	return "", nil
}

// quoted keeps a caller's own text short and printable inside a message.
func quoted(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "sent"
	}
	return string(b)
}

// bundleID reads app.identifier from the X-SDK-Client header: base64 JSON.
func bundleID(header string) string {
	raw, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return ""
	}
	var client struct {
		App struct {
			Identifier string `json:"identifier"`
		} `json:"app"`
	}
	if json.Unmarshal(raw, &client) != nil {
		return ""
	}
	return client.App.Identifier
}

// presentedSession is the session a browser or app brings. With HttpOnly
// cookies the cookie counts, but only from an authorised origin: a cookie
// comes along whoever made the request. When they are enforced, a browser's
// header no longer counts.
func presentedSession(env *Environment, in *wire.Incoming, origin string) string {
	header := in.BasicPassword
	if header == in.BasicUser {
		header = ""
	}
	if !env.Config.HTTPOnlyCookies() || origin == "" {
		return header
	}
	if header == "" || env.Config.SDK.Cookies.HTTPOnly == CookiesEnforced {
		return in.Cookie(SessionCookie)
	}
	return header
}

func (s *Service) enter(ctx context.Context, in *wire.Incoming, env *Environment, c *Caller) context.Context {
	c.Env, c.IP, c.UserAgent = env, in.IP, in.UserAgent
	if call := wire.CallFrom(ctx); call != nil {
		call.SetEnv(string(env.Kind))
		c.RequestID = call.RequestID
	}
	return WithCaller(ctx, c)
}
