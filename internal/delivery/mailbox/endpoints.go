package mailbox

import (
	"context"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/project"
	"gatehouse/internal/wire"
)

// Endpoints are the routes by which end-to-end tests read mail. The reference
// does not have them.
func (s *Service) Endpoints() []wire.Endpoint {
	return []wire.Endpoint{
		wire.GET("/v1/mailbox/messages", wire.Secret, s.list, wire.Summary("List the messages a test environment kept instead of sending, newest first (an extension of Gatehouse)")),
		wire.GET("/v1/mailbox/messages/{message_id}", wire.Secret, s.get, wire.Summary("Get a message of the mailbox (an extension of Gatehouse)")),
		wire.DELETE("/v1/mailbox/messages", wire.Secret, s.clear, wire.Summary("Delete the messages of the mailbox (an extension of Gatehouse)")),
	}
}

var errLive = apierr.New(403, "mailbox_is_for_test_environments", "Live environments have no mailbox, because their messages are sent. Use the project_id and a secret of a test environment.")

// environment is the caller's, which must not be live: nobody reads real
// people's mail here, whatever the mailbox may hold.
func environment(ctx context.Context) (id string, err error) {
	env := project.CallerFrom(ctx).Env
	if env.Live() {
		return "", errLive
	}
	return env.ID, nil
}

// Message is a message as tests see it.
type Message struct {
	MessageID string           `json:"message_id" required:"true"`
	Channel   delivery.Channel `json:"channel" required:"true" enum:"email,sms,whatsapp"`
	Type      delivery.Type    `json:"type" required:"true" description:"What the message is for." example:"LOGIN"`
	To        string           `json:"to" required:"true" description:"The address or number." example:"ada@example.com"`
	Subject   string           `json:"subject" required:"true" description:"Of an e-mail."`
	Text      string           `json:"text" required:"true" description:"The plain part of an e-mail; all of an SMS or WhatsApp message."`
	HTML      string           `json:"html" required:"true" description:"Of an e-mail."`
	Link      string           `json:"link" required:"true" description:"What to click; empty without one."`
	Code      string           `json:"code" required:"true" description:"What to type; empty without one." example:"123456"`
	Locale    string           `json:"locale" required:"true"`
	CreatedAt time.Time        `json:"created_at" required:"true"`
}

func message(m *delivery.Envelope) Message {
	return Message{
		MessageID: m.ID, Channel: m.Channel, Type: m.Type, To: m.To, Subject: m.Subject, Text: m.Text, HTML: m.HTML,
		Link: m.Link, Code: m.Code, Locale: m.Locale, CreatedAt: m.CreatedAt.UTC(),
	}
}

const defaultLimit = 100

type listRequest struct {
	To      string           `query:"to" description:"The whole address or number; capitals do not matter." example:"ada@example.com"`
	Channel delivery.Channel `query:"channel" enum:"email,sms,whatsapp"`
	Type    delivery.Type    `query:"type" example:"LOGIN"`
	After   string           `query:"after" description:"The message_id that the page before ended with."`
	Limit   *int             `query:"limit" min:"1" max:"1000" description:"Messages per page; 100 when left out."`
}

// Validate refuses what would quietly find nothing.
func (r *listRequest) Validate() error {
	if r.Limit != nil && (*r.Limit < 1 || *r.Limit > MaxLimit) {
		return wire.BadRequest("The query parameter %q must lie between 1 and %d.", "limit", MaxLimit)
	}
	if r.Channel != "" && !slices.Contains(delivery.Channels, r.Channel) {
		return wire.BadRequest("The query parameter %q must be one of %v.", "channel", delivery.Channels)
	}
	return nil
}

type listResponse struct {
	wire.Meta
	Messages []Message `json:"messages" required:"true"`
}

func (s *Service) list(ctx context.Context, req *listRequest) (*listResponse, error) {
	env, err := environment(ctx)
	if err != nil {
		return nil, err
	}
	f := Filter{To: typed(req.To), Channel: req.Channel, Type: req.Type, After: req.After, Limit: defaultLimit}
	if req.Limit != nil {
		f.Limit = *req.Limit
	}
	found, err := s.List(ctx, env, f)
	if err != nil {
		return nil, err
	}
	resp := &listResponse{Messages: make([]Message, len(found))}
	for i := range found {
		resp.Messages[i] = message(&found[i])
	}
	return resp, nil
}

// typed is a recipient as it was meant. No address holds a space: one in a
// query string is a plus that was not escaped, as in ?to=+14155552671.
func typed(to string) string { return strings.ReplaceAll(to, " ", "+") }

type getRequest struct {
	MessageID string `path:"message_id"`
}

type getResponse struct {
	wire.Meta
	Message
}

func (s *Service) get(ctx context.Context, req *getRequest) (*getResponse, error) {
	env, err := environment(ctx)
	if err != nil {
		return nil, err
	}
	m, err := s.Get(ctx, env, req.MessageID)
	if err != nil {
		return nil, err
	}
	return &getResponse{Message: message(m)}, nil
}

type clearRequest struct {
	To string `query:"to" description:"The whole address or number; without it, everybody's messages are deleted."`
}

type clearResponse struct {
	wire.Meta
	Deleted int `json:"deleted" required:"true" description:"How many messages there were."`
}

func (s *Service) clear(ctx context.Context, req *clearRequest) (*clearResponse, error) {
	env, err := environment(ctx)
	if err != nil {
		return nil, err
	}
	n, err := s.Clear(ctx, env, typed(req.To))
	if err != nil {
		return nil, err
	}
	return &clearResponse{Deleted: n}, nil
}
