package provider

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/jwks"
)

// patience is how long a person waits for a provider, whatever it is asked.
const patience = 20 * time.Second

// Exchange turns the code of an answer into tokens and reads whose they are.
func (s *Service) Exchange(ctx context.Context, p *Provider, c *Credentials, a Answer) (*Identity, *Tokens, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at, err := s.find(ctx, p, c)
	if err != nil {
		return nil, nil, errCallback.Because(err)
	}
	if err := checkIssuer(p, c, at, a.Issuer); err != nil {
		return nil, nil, errCallback.Because(err)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {a.Code}, "redirect_uri": {a.RedirectURI}}
	if p.PKCE {
		form.Set("code_verifier", a.CodeVerifier)
	}
	reply, err := s.tokenRequest(ctx, p, c, at, form)
	if err != nil {
		return nil, nil, err
	}
	tokens, err := s.readTokens(reply)
	if err != nil {
		return nil, nil, errCallback.Because(err)
	}
	v := &visit{s: s, p: p, c: c, at: at, answer: a, tokens: tokens, reply: reply}
	who, err := v.identify(ctx)
	if err != nil {
		return nil, nil, err
	}
	return who, tokens, nil
}

// identify reads whose the tokens are.
func (v *visit) identify(ctx context.Context) (*Identity, error) {
	if v.p.openID {
		if err := v.readIDToken(ctx); err != nil {
			return nil, err
		}
	}
	read := v.p.account
	if read == nil {
		read = openIDAccount
	}
	who, err := read(ctx, v)
	if err != nil {
		return nil, callbackFault(err)
	}
	return v.settle(who)
}

// settle applies what holds for every account, however it was read.
func (v *visit) settle(who *Identity) (*Identity, error) {
	if err := who.tidy(); err != nil {
		return nil, callbackFault(err)
	}
	if v.p.Email == Never {
		who.EmailVerified = false
	}
	return who, nil
}

// callbackFault keeps a verdict that is more precise. What is said of an
// address that may not be called is for the log: the person did not choose it.
func callbackFault(err error) error {
	if errors.Is(err, errGoogleMissing) {
		return err
	}
	return errCallback.Because(err)
}

// Refresh returns new tokens. Where the provider keeps the refresh token, the
// given one is in the answer.
func (s *Service) Refresh(ctx context.Context, p *Provider, c *Credentials, refreshToken string) (*Tokens, error) {
	at, err := s.find(ctx, p, c)
	if err != nil {
		return nil, errRefresh.Because(err)
	}
	if p.refreshAt != nil {
		at.Token = p.refreshAt(at.Token)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	reply, err := s.tokenRequest(ctx, p, c, at, form)
	if err != nil {
		return nil, errRefresh.Because(err)
	}
	tokens, err := s.readTokens(reply)
	if err != nil {
		return nil, errRefresh.Because(err)
	}
	if tokens.Refresh == "" {
		tokens.Refresh = refreshToken
	}
	return tokens, nil
}

// tokenRequest asks the token endpoint, as the client we are there.
func (s *Service) tokenRequest(ctx context.Context, p *Provider, c *Credentials, at place, form url.Values) (jwks.Claims, error) {
	secret := c.ClientSecret
	if p.secret != nil {
		var err error
		if secret, err = p.secret(s, c); err != nil {
			return nil, errClient.Because(err)
		}
	}
	header := http.Header{}
	if secret != "" && at.basic {
		r := http.Request{Header: header}
		r.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(secret))
	} else {
		form.Set(cmp.Or(p.idParam, "client_id"), c.ClientID)
		if secret != "" {
			form.Set("client_secret", secret)
		}
	}
	status, answer, err := s.post(ctx, at.Token, form, header)
	if err != nil {
		return nil, errCallback.Because(err)
	}
	return answer, p.verdict(status, answer)
}

// verdict is what the answer of a token endpoint means. Providers answer 200
// with an error as well as the other way round.
func (p *Provider) verdict(status int, answer jwks.Claims) error {
	code := answer.String("error")
	if p.fault != nil && answer != nil {
		code = p.fault(status, answer)
	}
	if code == "" && status == http.StatusOK && answer != nil {
		return nil
	}
	if p.refusals != nil && answer != nil {
		if err := p.refusals(answer); err != nil {
			return err
		}
	}
	cause := fmt.Errorf("the token endpoint of %s answered %d with %s", p.Name, status, plainCode(code))
	switch code {
	case "invalid_client":
		return errClient.Because(cause)
	case "unauthorized_client":
		return errUnauthorized.Because(cause)
	case "invalid_scope":
		return errTokenScope.Because(cause)
	case "invalid_grant":
		return errAuthCode.Because(cause)
	case "invalid_request", "unsupported_grant_type", "redirect_uri_mismatch":
		return errRequest.Because(cause)
	}
	return errCallback.Because(cause)
}

// readTokens reads an answer of RFC 6749, section 5.1, as the providers write
// it: scope may be a text or a list, with spaces or commas, and is sometimes
// called scopes; expires_in may be a text.
func (s *Service) readTokens(reply jwks.Claims) (*Tokens, error) {
	t := &Tokens{Access: reply.String("access_token"), Refresh: reply.String("refresh_token"), ID: reply.String("id_token")}
	if t.Access == "" {
		return nil, errors.New("the answer has no access token")
	}
	for _, token := range []string{t.Access, t.Refresh, t.ID} {
		if len(token) > maxToken || !visible(token) {
			return nil, errors.New("a token is too long or no token")
		}
	}
	if kind := reply.String("token_type"); kind != "" && !strings.EqualFold(kind, "bearer") {
		return nil, errors.New("the access token is not a bearer token")
	}
	t.Scopes = readScopes(reply)
	if seconds := readSeconds(reply["expires_in"]); seconds > 0 {
		t.ExpiresAt = s.now().Add(time.Duration(seconds) * time.Second).UTC()
	}
	return t, nil
}

func readScopes(reply jwks.Claims) []string {
	v, is := reply["scope"]
	if !is {
		v = reply["scopes"]
	}
	scopes := []string{}
	for _, some := range jwks.Strings(v) {
		for _, scope := range strings.FieldsFunc(some, func(r rune) bool { return r == ' ' || r == ',' }) {
			if isScope(scope) && len(scopes) < maxScopes {
				scopes = append(scopes, scope)
			}
		}
	}
	return scopes
}

// maxSeconds bounds how long a token is said to hold: ten years.
const maxSeconds = 10 * 365 * 24 * 60 * 60

func readSeconds(v any) int64 {
	n, is := v.(json.Number)
	if text, isText := v.(string); isText {
		n, is = json.Number(text), true
	}
	if seconds, err := n.Int64(); is && err == nil && seconds > 0 {
		return min(seconds, maxSeconds)
	}
	return 0
}
