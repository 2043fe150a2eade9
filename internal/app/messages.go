package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/smtp"
	"gatehouse/internal/delivery/twilio"
	"gatehouse/internal/delivery/webhook"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/outbound"
	"gatehouse/internal/project"
	"gatehouse/internal/ui"
	"gatehouse/internal/wire"
)

// errSenderSettings is for settings that no kind of sender can read.
var errSenderSettings = apierr.New(400, "invalid_sender", "The settings of the sender are not a JSON object of its kind.")

// senderKinds are the ways of sending messages, by name. A new one adds its
// lines here.
func (a *App) senderKinds() (map[string]delivery.Kind, error) {
	private, err := a.options.Server.Outbound()
	if err != nil {
		return nil, err
	}
	client := outbound.New(outbound.Policy{AllowPrivate: private, AllowHTTP: len(private) > 0})
	return map[string]delivery.Kind{
		"smtp": senderKind([]delivery.Channel{delivery.Email}, func(c *smtp.Config, password string) (string, delivery.Sender, error) {
			c.Password, c.Now = password, a.options.Now
			sender, err := smtp.New(*c)
			return fmt.Sprintf("%s from %s", c.Host, c.From), sender, err
		}),
		"twilio": senderKind([]delivery.Channel{delivery.SMS, delivery.WhatsApp}, func(c *twilio.Config, token string) (string, delivery.Sender, error) {
			sender, err := twilio.New(*c, token, client, a.options.Now)
			return "account " + c.AccountSID, sender, err
		}),
		"webhook": senderKind(delivery.Channels, func(c *webhook.Config, secret string) (string, delivery.Sender, error) {
			sender, err := webhook.New(*c, secret, client, a.options.Now)
			return "webhook at " + hostOf(c.URL), sender, err
		}),
	}, nil
}

// senderKind is a kind whose settings are a C. open makes the sender, which
// connects to nothing yet, and sums up what may be shown of its settings.
func senderKind[C any](channels []delivery.Channel, open func(*C, string) (string, delivery.Sender, error)) delivery.Kind {
	read := func(s delivery.Settings) (string, delivery.Sender, error) {
		c := new(C)
		dec := json.NewDecoder(bytes.NewReader(s.Values))
		dec.DisallowUnknownFields()
		err := dec.Decode(c)
		if err == nil && dec.More() {
			err = errors.New("more than one JSON value")
		}
		if err != nil {
			return "", nil, errSenderSettings.WithMessage("The settings of the sender cannot be read: %s.", strings.TrimPrefix(err.Error(), "json: "))
		}
		return open(c, s.Password)
	}
	return delivery.Kind{
		Channels: channels,
		Check: func(s delivery.Settings) (string, error) {
			summary, _, err := read(s)
			return summary, err
		},
		Open: func(s delivery.Settings) (delivery.Sender, error) {
			_, sender, err := read(s)
			return sender, err
		},
	}
}

// hostOf is what may be shown of a URL: its path and query can hold a key.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// hop is the page that e-mailed links point at.
func (a *App) hop() []wire.Endpoint {
	page := a.Pages.Hop(func(r *http.Request, l ui.Link) (ui.Passage, error) {
		call := wire.CallFrom(r.Context())
		visit := emaillink.Visit{
			PublicToken: l.PublicToken, Kind: l.TokenType, Token: l.Token, Method: r.Method, IP: call.IP, UserAgent: call.UserAgent,
			RequestID: call.RequestID,
		}
		if c, err := r.Cookie(project.BrowserCookie); err == nil {
			visit.BrowserID = c.Value
		}
		p, err := a.Links.Visit(r.Context(), visit)
		if err != nil {
			return ui.Passage{}, err
		}
		return ui.Passage{Destination: p.Target, AppName: p.AppName, SameBrowser: p.SameBrowser, Answer: p.Answer}, nil
	})
	return []wire.Endpoint{
		wire.Raw(http.MethodGet, emaillink.Path, wire.Open, page, wire.Summary("Where e-mailed links point: forwards a person, never a scanner")),
		wire.Raw(http.MethodPost, emaillink.Path, wire.Open, page, wire.Summary("The button of the page that e-mailed links point at")),
	}
}
