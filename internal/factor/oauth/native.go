package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

var errIDTokenUsed = apierr.New(400, "id_token_invalid", "The id_token was used already. Sign in again.")

// idTokenRequest is that of an app that got an id_token from the provider
// itself, through the means of the system it runs on.
type idTokenRequest struct {
	session.Fields
	IDToken     string    `json:"id_token" required:"true" description:"As the provider's library on the device gave it. It works once."`
	Nonce       string    `json:"nonce" description:"With which the app asked for the id_token, not its hash."`
	Name        *nameSaid `json:"name" description:"What Apple has told the app, the first time alone. It names somebody who has no name yet."`
	AttachToken string    `json:"oauth_attach_token" description:"Adds the account to the user whom this token is for."`
}

// nameSaid is the name of a person as an app says it.
type nameSaid struct {
	First  string `json:"first_name"`
	Middle string `json:"middle_name"`
	Last   string `json:"last_name"`
}

type idTokenResponse struct {
	session.Result
	session.Reset
	ProviderSubject string `json:"provider_subject" required:"true" description:"The account's id at the provider."`
	UserCreated     bool   `json:"user_created" required:"true"`
}

// nativeProviders are those whose id_tokens sign in without the way of a browser.
var nativeProviders = []string{"google", "apple"}

// nativeEndpoints are the routes of apps that sign people in without a browser.
func (s *Service) nativeEndpoints() []wire.Endpoint {
	var list []wire.Endpoint
	for _, name := range nativeProviders {
		login := session.Retried(session.LoginAfter(s.Core, s.verifyIDToken(name), s.proveIDToken), raced)
		list = append(list, wire.POST("/sdk/v1/oauth/"+name+"/id_token/authenticate", wire.Public, login, wire.Needs(needOAuth),
			wire.Summary("Sign in with an id_token that an app got on the device")))
	}
	return list
}

// verified is an account that an id_token names, and the one use of the token.
type verified struct {
	provider *provider.Provider
	identity *provider.Identity
	use      *idTokenUse
}

// verifyIDToken checks an id_token outside of any transaction: the provider's
// keys may have to be fetched.
func (s *Service) verifyIDToken(name string) func(context.Context, *idTokenRequest) (*verified, error) {
	return func(ctx context.Context, req *idTokenRequest) (*verified, error) {
		c, err := s.provider(ctx, project.CallerFrom(ctx).Env, name)
		if err != nil {
			return nil, err
		}
		v := &verified{provider: c.Provider, use: useOf(req.IDToken)}
		if v.identity, err = s.Providers.VerifyIDToken(ctx, c.Provider, c.credentials, req.IDToken, req.Nonce); err != nil {
			return nil, err
		}
		if req.Name != nil && v.identity.Name == (provider.Name{}) {
			v.identity.Name = provider.Name{First: req.Name.First, Middle: req.Name.Middle, Last: req.Name.Last}
		}
		return v, nil
	}
}

// proveIDToken names whom the account signs in, by the rules that hold for one
// that comes through a browser.
func (s *Service) proveIDToken(ctx context.Context, tx *store.Tx, req *idTokenRequest, v *verified, resp *idTokenResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	proof := session.Proof{Factor: session.OAuth(v.provider.Name, session.OAuthFactor{ProviderSubject: v.identity.Subject})}
	to := &attachment{}
	if req.AttachToken != "" {
		a, err := s.attachmentOf(tx, env, req.AttachToken, v.provider)
		if err != nil {
			return proof, err
		}
		to = a
	}
	o, err := held(tx, env, v.provider, v.identity, to.userID)
	if err != nil {
		return proof, err
	}
	if err := v.use.spend(tx, env); err != nil {
		return proof, err
	}
	resp.ProviderSubject, resp.UserCreated = v.identity.Subject, o.row == nil
	return proof, s.settle(tx, env, o, to.sessionID, &proof)
}

func (s *Service) attachmentOf(tx *store.Tx, env *project.Environment, token string, p *provider.Provider) (*attachment, error) {
	if !secret.ValidToken(token) {
		return nil, errAttachToken
	}
	a, err := takeAttachment(tx, env.ID, secret.Hash(token), p.Name)
	if errors.Is(err, store.ErrNoRows) {
		return nil, errAttachToken
	}
	return a, err
}

// settle completes a proof with whose the account is: a user who is there, or
// one who is made. sessionID is where it has to end, "" for anywhere.
func (s *Service) settle(tx *store.Tx, env *project.Environment, o *owner, sessionID string, proof *session.Proof) error {
	if o.row != nil {
		proof.Apply, proof.Done = o.complete, o.report(env)
	} else if err := o.make(tx, env, s.Users); err != nil {
		return err
	}
	proof.UserID, proof.SessionID = o.row.UserID, sessionID
	proof.Factor = session.OAuth(o.provider.Name, session.OAuthFactor{
		ID: o.registrationID, ProviderSubject: o.identity.Subject, EmailID: o.emailID,
	})
	return nil
}

// idTokenUse is the one use of an id_token, which nothing but its signature
// protects: whoever finds it in a log could sign in for as long as it lasts. One
// that came through a browser is used up as well.
type idTokenUse struct {
	hash    []byte
	expires time.Time
}

// useOf reads when an id_token ends. It is verified beside it; one that is none
// has a use that nobody gets to.
func useOf(token string) *idTokenUse {
	// The signature can be written in more than one way, what it signs cannot.
	signed := token[:max(strings.LastIndexByte(token, '.'), 0)]
	u := &idTokenUse{hash: secret.Hash(signed)}
	_, payload, _ := strings.Cut(signed, ".")
	var claims struct {
		Expires float64 `json:"exp"`
	}
	if text, err := base64.RawURLEncoding.DecodeString(payload); err == nil && json.Unmarshal(text, &claims) == nil {
		u.expires = time.Unix(int64(claims.Expires), 0)
	}
	return u
}

// remember is how long past its end a use is remembered: an id_token may be
// taken a little late, by a clock that goes wrong.
const remember = time.Hour

func (u *idTokenUse) spend(tx *store.Tx, env *project.Environment) error {
	first, err := insertIDToken(tx, env.ID, u.hash, u.expires.Add(remember))
	if err == nil && !first {
		return errIDTokenUsed
	}
	return err
}
