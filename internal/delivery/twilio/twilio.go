// Package twilio sends SMS and WhatsApp messages through Twilio's REST API
// (https://www.twilio.com/docs/messaging/api/message-resource). It owns what is
// sent and what Twilio's error codes mean for a message. It never decides where
// a call may go, and keeps nothing.
package twilio

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/outbound"
	"gatehouse/internal/outbox"
)

// Sender is a delivery.Sender. It may be shared.
type Sender struct {
	config Config
	token  string
	client *outbound.Client
	now    func() time.Time
}

// New returns a sender that signs in with the auth token of the account, or
// with the secret of the API key; or invalid_sender. It connects to nothing yet.
func New(c Config, token string, client *outbound.Client, now func() time.Time) (*Sender, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if err := checkToken(token); err != nil {
		return nil, err
	}
	return &Sender{config: c, token: token, client: client, now: now}, nil
}

// Send implements delivery.Sender. When it returns nil Twilio has queued the
// message; whether it arrives, Twilio's own log tells.
func (s *Sender) Send(ctx context.Context, m *delivery.Envelope) error {
	form, err := s.form(m)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.messages(), strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.SetBasicAuth(s.config.user(), s.token)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	resp, err := s.client.Do(ctx, r)
	if resp == nil {
		return fmt.Errorf("twilio: %w", err)
	}
	return judge(resp, s.now())
}

func (s *Sender) form(m *delivery.Envelope) (url.Values, error) {
	form, prefix := url.Values{}, ""
	switch m.Channel {
	case delivery.SMS:
	case delivery.WhatsApp:
		prefix = whatsAppPrefix
	default:
		return nil, fmt.Errorf("twilio sends no messages of the channel %q", m.Channel)
	}
	form.Set("To", prefix+m.To)
	if s.config.From != "" {
		form.Set("From", prefix+s.config.from())
	} else {
		form.Set("MessagingServiceSid", s.config.MessagingServiceSID)
	}
	// Outside a conversation WhatsApp takes nothing but templates it has
	// approved, and those for codes take a code.
	if m.Channel == delivery.WhatsApp && s.config.ContentSID != "" && m.Code != "" {
		variables, err := json.Marshal(map[string]string{"1": m.Code})
		if err != nil {
			return nil, err
		}
		form.Set("ContentSid", s.config.ContentSID)
		form.Set("ContentVariables", string(variables))
		return form, nil
	}
	form.Set("Body", m.Text)
	return form, nil
}

// refused are the codes with which Twilio says that it will never take this
// message.
var refused = map[int]bool{
	21265: true, // to a short code
	21266: true, // to the sender's own number
	21408: true, // to a region that the account may not send to
	63016: true, // WhatsApp: takes templates alone, outside a conversation
	63032: true, // WhatsApp: limits what this person gets
}

// unreachable are the codes with which it says that it would take no other
// message to this number either.
var unreachable = map[int]delivery.Reason{
	21211: delivery.Carrier,      // not a valid number
	21214: delivery.Carrier,      // cannot be reached
	21217: delivery.Carrier,      // does not appear to be valid
	21610: delivery.Unsubscribed, // has said STOP
	21614: delivery.Carrier,      // not a mobile number
	21635: delivery.Carrier,      // a landline
	30003: delivery.Carrier,      // switched off or out of reach
	30004: delivery.Carrier,      // blocked
	30005: delivery.Carrier,      // unknown, or no longer in use
	30006: delivery.Carrier,      // a landline, or a carrier that takes no texts
	63003: delivery.Carrier,      // not on the channel
	63024: delivery.Carrier,      // not a valid recipient of the channel
	63033: delivery.Carrier,      // WhatsApp: blocked
}

// busy are the codes that mean the account sends more than it may right now.
var busy = map[int]bool{
	14107: true, // messages at a time
	20429: true, // requests at a time
	21611: true, // messages waiting for this sender
	63018: true, // messages at a time, of a channel
}

// defaultWait is how long to leave a busy account alone when it does not say.
const defaultWait = 10 * time.Second

// judge reads an answer. Twilio's words are left out of the error: they quote
// the number.
func judge(resp *outbound.Response, now time.Time) error {
	code := 0
	if resp.Status >= 200 && resp.Status < 300 {
		var message struct {
			Status    string `json:"status"`
			ErrorCode int    `json:"error_code"`
		}
		if json.Unmarshal(resp.Body, &message) != nil || message.Status != "failed" {
			return nil // taken; what it says about it does not matter
		}
		code = message.ErrorCode
	} else {
		var failure struct {
			Code int `json:"code"`
		}
		if json.Unmarshal(resp.Body, &failure) == nil {
			code = failure.Code
		}
	}
	err := fmt.Errorf("twilio answered %d", resp.Status)
	if code != 0 {
		err = fmt.Errorf("twilio answered %d with error %d: see https://www.twilio.com/docs/errors/%d", resp.Status, code, code)
	}
	wait := resp.RetryAfter(now)
	reason, gone := unreachable[code]
	switch {
	case gone:
		return delivery.Unreachable(reason, err)
	case refused[code]:
		return outbox.Permanent(err)
	case busy[code] || resp.Status == http.StatusTooManyRequests:
		if wait == 0 {
			wait = defaultWait
		}
		return outbox.After(wait, err)
	case resp.Status == http.StatusServiceUnavailable && wait > 0:
		return outbox.After(wait, err)
	}
	return err
}
