package m2m

import (
	"context"
	"encoding/json"

	"gatehouse/internal/project"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Endpoints are the routes of clients and of their tokens.
func (s *Service) Endpoints() []wire.Endpoint {
	token := []wire.Option{wire.Form(), wire.OAuthErrors(), wire.NoStore()}
	return []wire.Endpoint{
		wire.POST("/v1/m2m/clients", wire.Secret, s.create, wire.Summary("Create a machine-to-machine client")),
		wire.POST("/v1/m2m/clients/search", wire.Secret, s.search, wire.Summary("Search machine-to-machine clients")),
		wire.GET("/v1/m2m/clients/{client_id}", wire.Secret, s.get, wire.Summary("Get a machine-to-machine client")),
		wire.PUT("/v1/m2m/clients/{client_id}", wire.Secret, s.update, wire.Summary("Update a machine-to-machine client")),
		wire.DELETE("/v1/m2m/clients/{client_id}", wire.Secret, s.delete, wire.Summary("Delete a machine-to-machine client")),
		wire.POST("/v1/m2m/clients/{client_id}/secrets/rotate/start", wire.Secret, s.rotateStart, wire.Summary("Give a client a second secret")),
		wire.POST("/v1/m2m/clients/{client_id}/secrets/rotate/cancel", wire.Secret, s.rotateCancel, wire.Summary("Take a client's second secret away")),
		wire.POST("/v1/m2m/clients/{client_id}/secrets/rotate", wire.Secret, s.rotate, wire.Summary("Put a client's second secret in place of the first")),
		wire.POST("/v1/public/{project_id}/oauth2/token", wire.Open, s.tokenOfProject, append(token, wire.Summary("Get an access token for a client's secret, which is sent in the body or as Basic authorization"))...),
		wire.POST("/v1/oauth2/token", wire.Open, s.tokenOfHost, append(token, wire.Summary("Get an access token for a client's secret, of whichever project the client is"))...),
	}
}

type createRequest struct {
	Scopes            *[]string       `json:"scopes" required:"true" max:"100" description:"What the client may ask for. Empty: a token without scopes." example:"[\"read:users\"]"`
	ClientID          string          `json:"client_id" max:"128" description:"Made when left out."`
	ClientSecret      string          `json:"client_secret" min:"8" max:"256" description:"Of a client that you bring along. Made when left out, which is safer."`
	ClientName        string          `json:"client_name" max:"256" example:"Billing"`
	ClientDescription string          `json:"client_description" max:"2048"`
	TrustedMetadata   json.RawMessage `json:"trusted_metadata" description:"An object of at most 20 keys and 4096 bytes."`
}

// created is a client with its secret, which is shown this once.
type created struct {
	Client
	ClientSecret string `json:"client_secret" required:"true" description:"Shown this once."`
}

type createResponse struct {
	wire.Meta
	Client created `json:"m2m_client" required:"true"`
}

func (s *Service) create(ctx context.Context, req *createRequest) (*createResponse, error) {
	c, value, err := s.Create(ctx, project.CallerFrom(ctx).Env, NewClient{
		ClientID: req.ClientID, ClientSecret: req.ClientSecret, ClientName: req.ClientName, ClientDescription: req.ClientDescription,
		Scopes: *req.Scopes, TrustedMetadata: req.TrustedMetadata,
	})
	if err != nil {
		return nil, err
	}
	return &createResponse{Client: created{*c, value}}, nil
}

type clientPath struct {
	ClientID string `path:"client_id"`
}

type clientResponse struct {
	wire.Meta
	Client *Client `json:"m2m_client" required:"true"`
}

func shown(c *Client, err error) (*clientResponse, error) {
	if err != nil {
		return nil, err
	}
	return &clientResponse{Client: c}, nil
}

func (s *Service) get(ctx context.Context, req *clientPath) (*clientResponse, error) {
	return shown(s.Get(ctx, project.CallerFrom(ctx).Env, req.ClientID))
}

type updateRequest struct {
	clientPath
	Changes
}

func (s *Service) update(ctx context.Context, req *updateRequest) (*clientResponse, error) {
	return shown(s.Update(ctx, project.CallerFrom(ctx).Env, req.ClientID, req.Changes))
}

type deleteResponse struct {
	wire.Meta
	ClientID string `json:"client_id" required:"true"`
}

func (s *Service) delete(ctx context.Context, req *clientPath) (*deleteResponse, error) {
	if err := s.Delete(ctx, project.CallerFrom(ctx).Env, req.ClientID); err != nil {
		return nil, err
	}
	return &deleteResponse{ClientID: req.ClientID}, nil
}

// rotating is a client with its next secret, which is shown this once.
type rotating struct {
	Client
	NextClientSecret string `json:"next_client_secret" required:"true" description:"Shown this once. Both secrets are good until the rotation is finished or cancelled."`
}

type rotateStartResponse struct {
	wire.Meta
	Client rotating `json:"m2m_client" required:"true"`
}

func (s *Service) rotateStart(ctx context.Context, req *clientPath) (*rotateStartResponse, error) {
	c, next, err := s.StartRotation(ctx, project.CallerFrom(ctx).Env, req.ClientID)
	if err != nil {
		return nil, err
	}
	return &rotateStartResponse{Client: rotating{*c, next}}, nil
}

func (s *Service) rotateCancel(ctx context.Context, req *clientPath) (*clientResponse, error) {
	return shown(s.CancelRotation(ctx, project.CallerFrom(ctx).Env, req.ClientID))
}

func (s *Service) rotate(ctx context.Context, req *clientPath) (*clientResponse, error) {
	return shown(s.Rotate(ctx, project.CallerFrom(ctx).Env, req.ClientID))
}

type searchRequest struct {
	Query  Query  `json:"query"`
	Cursor string `json:"cursor" description:"next_cursor of the page before, with the same query."`
	Limit  *int   `json:"limit" min:"1" max:"1000" description:"Clients per page; 100 when left out."`
}

type searchResponse struct {
	wire.Meta
	Clients         []*Client            `json:"m2m_clients" required:"true"`
	ResultsMetadata user.ResultsMetadata `json:"results_metadata" required:"true"`
}

func (s *Service) search(ctx context.Context, req *searchRequest) (*searchResponse, error) {
	search := Search{Query: req.Query, Cursor: req.Cursor, Limit: defaultLimit}
	if req.Limit != nil {
		search.Limit = *req.Limit
	}
	page, err := s.Search(ctx, project.CallerFrom(ctx).Env, search)
	if err != nil {
		return nil, err
	}
	resp := &searchResponse{Clients: page.Clients, ResultsMetadata: user.ResultsMetadata{Total: page.Total}}
	if page.NextCursor != "" {
		resp.ResultsMetadata.NextCursor = &page.NextCursor
	}
	return resp, nil
}

// tokenFields are what a request for a token has in its body and its header.
type tokenFields struct {
	GrantType    string `json:"grant_type" required:"true" enum:"client_credentials"`
	ClientID     string `json:"client_id" description:"Here with client_secret, or in the Authorization header."`
	ClientSecret string `json:"client_secret" description:"Here or in the Authorization header, never in both."`
	Scope        string `json:"scope" description:"Scopes, separated by spaces. All that the client has when left out." example:"read:users"`
	Basic        wire.Basic
}

type tokenRequest struct {
	ProjectID string `path:"project_id"`
	tokenFields
}

type tokenResponse struct {
	wire.Meta
	AccessToken string `json:"access_token" required:"true" description:"A JWT."`
	TokenType   string `json:"token_type" required:"true" enum:"bearer"`
	ExpiresIn   int64  `json:"expires_in" required:"true" description:"In seconds." example:"3600"`
	Scope       string `json:"scope" required:"true" description:"The scopes of the token, separated by spaces."`
}

func (s *Service) tokenOfProject(ctx context.Context, req *tokenRequest) (*tokenResponse, error) {
	env, err := s.Projects.Environment(ctx, req.ProjectID)
	if err != nil {
		return nil, err
	}
	if env != nil {
		wire.CallFrom(ctx).SetEnv(string(env.Kind))
	}
	return s.answer(ctx, &req.tokenFields, grant{env: env})
}

func (s *Service) tokenOfHost(ctx context.Context, req *tokenFields) (*tokenResponse, error) {
	return s.answer(ctx, req, grant{anywhere: true})
}

func (s *Service) answer(ctx context.Context, req *tokenFields, g grant) (_ *tokenResponse, err error) {
	if req.GrantType != "client_credentials" {
		return nil, errGrantType
	}
	if g.clientID, g.clientSecret, err = req.client(); err != nil {
		return nil, err
	}
	g.scope = req.Scope
	return s.token(ctx, g)
}
