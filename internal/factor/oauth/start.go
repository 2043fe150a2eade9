package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/pkce"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

var (
	errNoMatch       = apierr.New(400, "no_match_for_provided_oauth_url", "The URL is not one of the environment's redirect URLs of this type. Register it with `gatehouse redirect-url add`.")
	errLoginURL      = apierr.New(400, "invalid_login_oauth_url", "The login_redirect_url is not a valid absolute URL.")
	errSignupURL     = apierr.New(400, "invalid_signup_oauth_url", "The signup_redirect_url is not a valid absolute URL.")
	errNativePKCE    = apierr.New(400, "pkce_required_for_native_callback", "A redirect URL that opens an app needs PKCE: send a code_challenge.")
	errPKCE          = apierr.New(400, "invalid_pkce_code_challenge", "Sign-in with providers needs PKCE in this environment: send a code_challenge.")
	errPKCEMethod    = apierr.New(400, "invalid_pkce_code_challenge", "There is one code_challenge_method, S256. Send the SHA-256 of the code_verifier, or leave the method out.")
	errScope         = apierr.New(400, "oauth_invalid_scope_requested", "custom_scopes is malformed. Send scopes of the provider with spaces between them.")
	errAttachToken   = apierr.New(400, "invalid_oauth_attach_token", "The oauth_attach_token was used already, has expired, or is for another provider. Go back to the app and try again.")
	errRepeated      = apierr.New(400, "bad_request", "A parameter of the address stands there twice, or the address is malformed. Send each parameter once.")
	errNoPublicToken = apierr.New(400, "public_token_required", "The public_token is missing. Send the public token of the environment as a parameter of the address.")
)

// Start is a browser that sets out for a provider.
type Start struct {
	Provider string // as the path names it
	Query    string // of the address, as it came
	Cookies  []Cookie
	IP       netip.Addr
}

// Cookie is one that a browser brings.
type Cookie struct{ Name, Value string }

// Departure is where a browser that set out goes, and what it keeps.
type Departure struct {
	URL  string
	Mark Mark
}

// Mark is the cookie by which a browser that set out is recognised when it is
// back.
type Mark struct {
	Name, Value string
	Expires     time.Time
	Secure      bool
	// CrossSite is set where the provider comes back with a form of its own: such
	// a request brings no other cookies along (SameSite).
	CrossSite bool
}

// flow is a browser on its way, as it is kept.
type flow struct {
	hash        []byte
	provider    string
	browserHash []byte
	login       string // where people who are known go, a registered URL
	signup      string // where people who are new go
	challenge   string // of the app, "" for none
	userID      string // to whom the account is to be added, "" for whom it says
	sessionID   string // in which that has to end, "" for any
	sealed      []byte
	expires     time.Time
	used        bool
}

// memo is what only this server may know of a flow, kept sealed.
type memo struct {
	CodeVerifier string `json:"code_verifier"`
	Nonce        string `json:"nonce"`
	RedirectURI  string `json:"redirect_uri"`
}

const memoPurpose = "oauth flow"

// Start sends a browser to a provider. Whatever is wrong is found before it goes.
func (s *Service) Start(ctx context.Context, r Start) (*Departure, error) {
	ask, err := readStart(r.Query)
	if err != nil {
		return nil, err
	}
	env, err := s.environmentOf(ctx, ask.publicToken)
	if err != nil {
		return nil, err
	}
	wire.CallFrom(ctx).SetEnv(string(env.Kind))
	rule := ratelimit.Rule{Name: "oauth starts", Limit: s.StartsPerMinute, Per: time.Minute}
	if ok, wait := s.starts.Take(rule, startKey{env.ID, ratelimit.Network(r.IP)}); rule.Limit > 0 && !ok {
		return nil, rule.Refused(wait)
	}
	f, err := ask.flow(env)
	if err != nil {
		return nil, err
	}
	c, err := s.provider(ctx, env, r.Provider)
	if err != nil {
		return nil, err
	}
	f.provider, f.expires = c.Name, s.DB.Now().Add(flowFor)
	state, m := secret.Token(), memo{secret.Token(), secret.Token(), s.RedirectURI(env, c.Provider)}
	d := &Departure{Mark: s.mark(c.Provider, r.Cookies, f.expires)}
	d.URL, err = s.Providers.AuthorizationURL(ctx, c.Provider, c.credentials, provider.Request{
		RedirectURI: m.RedirectURI, State: state, Nonce: m.Nonce, CodeChallenge: pkce.Challenge(m.CodeVerifier),
		Scopes: ask.scopes, Params: ask.params,
	})
	if err != nil {
		return nil, err
	}
	f.hash, f.browserHash = secret.Hash(state), secret.Hash(d.Mark.Value)
	if f.sealed, err = s.seal(memoPurpose, env, m); err != nil {
		return nil, err
	}
	return d, s.DB.Update(ctx, func(tx *store.Tx) error { return begin(tx, env, f, ask.attachToken) })
}

// startKey is what starts are counted by.
type startKey struct {
	environmentID string
	network       netip.Prefix
}

// begin writes a flow, and uses up what asked for it.
func begin(tx *store.Tx, env *project.Environment, f *flow, attachToken string) error {
	if attachToken != "" {
		a, err := takeAttachment(tx, env.ID, secret.Hash(attachToken), f.provider)
		if errors.Is(err, store.ErrNoRows) {
			return errAttachToken
		}
		if err != nil {
			return err
		}
		f.userID, f.sessionID = a.userID, a.sessionID
	}
	return insertFlow(tx, env.ID, f)
}

// asked is what the address of a start asks for, checked where that needs
// nothing else.
type asked struct {
	publicToken string
	login       string
	signup      string
	challenge   string
	attachToken string
	scopes      []string
	params      map[string]string
}

// providerPrefix marks the parameters that are meant for the provider.
const providerPrefix = "provider_"

// maxScopes bounds what custom_scopes may say, in bytes.
const maxScopes = 4096

func readStart(query string) (*asked, error) {
	values, ok := single(query)
	if !ok {
		return nil, errRepeated
	}
	a := &asked{
		publicToken: values["public_token"], login: values["login_redirect_url"], signup: values["signup_redirect_url"],
		challenge: values["code_challenge"], attachToken: values["oauth_attach_token"], params: map[string]string{},
	}
	for name, value := range values {
		if param, ok := strings.CutPrefix(name, providerPrefix); ok {
			a.params[param] = value
		}
	}
	scopes := values["custom_scopes"]
	if len(scopes) > maxScopes || strings.ContainsFunc(scopes, notInScope) {
		return nil, errScope
	}
	for _, scope := range strings.Fields(scopes) {
		if !slices.Contains(a.scopes, scope) {
			a.scopes = append(a.scopes, scope)
		}
	}
	if method := values["code_challenge_method"]; method != "" && method != "S256" {
		return nil, errPKCEMethod
	}
	if a.attachToken != "" && !secret.ValidToken(a.attachToken) {
		return nil, errAttachToken
	}
	return a, nil
}

// notInScope reports what RFC 6749, section 3.3, has no place for in scopes.
func notInScope(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }

// single decodes a query in which each parameter stands once: of two with one
// name, whoever else reads the address may take the other.
func single(query string) (map[string]string, bool) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, false
	}
	return singleValues(values)
}

func singleValues(values url.Values) (map[string]string, bool) {
	each := make(map[string]string, len(values))
	for name, list := range values {
		if len(list) != 1 {
			return nil, false
		}
		each[name] = list[0]
	}
	return each, true
}

func (s *Service) environmentOf(ctx context.Context, publicToken string) (*project.Environment, error) {
	if publicToken == "" {
		return nil, errNoPublicToken
	}
	return s.Projects.PublicTokenEnvironment(ctx, publicToken)
}

// flow decides where people will be sent back to, before they go anywhere.
func (a *asked) flow(env *project.Environment) (*flow, error) {
	f := &flow{challenge: a.challenge}
	var err error
	if f.login, err = destination(env, project.RedirectLogin, a.login, errLoginURL); err != nil {
		return nil, err
	}
	if f.signup, err = destination(env, project.RedirectSignup, a.signup, errSignupURL); err != nil {
		return nil, err
	}
	switch native := project.IsNative(f.login) || project.IsNative(f.signup); {
	case a.challenge != "":
		return f, pkce.CheckChallenge(a.challenge)
	case native:
		return nil, errNativePKCE
	case env.Config.SDK.OAuth.PKCERequired:
		return nil, errPKCE
	}
	return f, nil
}

// destination is Environment.Destination in the words of this flow.
func destination(env *project.Environment, t project.RedirectType, asked string, invalid *apierr.Error) (string, error) {
	to, err := env.Destination(t, asked)
	verdict := apierr.From(err)
	switch {
	case verdict == nil:
		return to, err
	case strings.HasPrefix(verdict.Type, "no_match_for_provided_"):
		return "", errNoMatch
	case strings.HasPrefix(verdict.Type, "invalid_"):
		return "", invalid.Because(verdict.Unwrap())
	}
	return "", err
}

// mark returns the browser's mark: one that it has, since several flows may be
// under way in it, or a new one. Each new one has a name of its own: of two tabs
// that set out at once without any, neither takes away the other's.
func (s *Service) mark(p *provider.Provider, cookies []Cookie, until time.Time) Mark {
	m := Mark{Name: s.cookieName(p) + secret.Token()[:8], Value: secret.Token(), Expires: until, CrossSite: p.FormPost, Secure: p.FormPost || s.overHTTPS()}
	if had := s.marks(p, cookies); len(had) > 0 {
		m.Name, m.Value = had[0].Name, had[0].Value
	}
	return m
}

// maxMarks bounds the marks of a browser that are looked at.
const maxMarks = 16

// marks are those that a browser brings.
func (s *Service) marks(p *provider.Provider, cookies []Cookie) (list []Cookie) {
	for _, c := range cookies {
		if strings.HasPrefix(c.Name, s.cookieName(p)) && secret.ValidToken(c.Value) && len(list) < maxMarks {
			list = append(list, c)
		}
	}
	return list
}

// cookieName is how the names of browsers' marks begin. The prefix keeps pages of
// other hosts of the same domain from choosing one (RFC 6265bis, section
// 4.1.3.2); it does not exist without TLS, as during development.
func (s *Service) cookieName(p *provider.Provider) string {
	name := "gatehouse_oauth."
	if p.FormPost {
		name = "gatehouse_oauth_post."
	}
	if s.overHTTPS() {
		return "__Host-" + name
	}
	return name
}

func (s *Service) overHTTPS() bool { return strings.HasPrefix(s.PublicURL(), "https://") }

// seal and unseal keep what a flow knows.
func (s *Service) seal(purpose string, env *project.Environment, v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return s.Keyring.Seal(purpose, env.ID, text)
}

func (s *Service) unseal(purpose string, env *project.Environment, sealed []byte, v any) error {
	text, err := s.Keyring.Open(purpose, env.ID, sealed)
	if err != nil {
		return fmt.Errorf("%s: %w", purpose, err)
	}
	return json.Unmarshal(text, v)
}
