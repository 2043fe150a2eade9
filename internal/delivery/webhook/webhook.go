// Package webhook sends messages to a URL of the operator's, behind which any
// provider of SMS or e-mail may stand: an Envelope as JSON, signed as Standard
// Webhooks says (https://www.standardwebhooks.com). It owns what is sent and
// how the answer is read. It never decides where a call may go, and keeps
// nothing.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/outbound"
	"gatehouse/internal/outbox"
)

// Sender is a delivery.Sender. It may be shared.
type Sender struct {
	config Config
	key    []byte
	client *outbound.Client
	now    func() time.Time
}

// New returns a sender that signs with a secret as NewSecret makes them, or
// invalid_sender. It connects to nothing yet.
func New(c Config, secret string, client *outbound.Client, now func() time.Time) (*Sender, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	key, err := parseSecret(secret)
	if err != nil {
		return nil, err
	}
	return &Sender{config: c, key: key, client: client, now: now}, nil
}

// Send implements delivery.Sender. A status of 2xx means that the receiver has
// the message, whatever the answer's body says.
func (s *Sender) Send(ctx context.Context, m *delivery.Envelope) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.config.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, value := range s.config.Headers {
		r.Header.Set(name, value)
	}
	now := s.now()
	timestamp := strconv.FormatInt(now.Unix(), 10)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Webhook-Id", m.ID)
	r.Header.Set("Webhook-Timestamp", timestamp)
	r.Header.Set("Webhook-Signature", sign(s.key, m.ID, timestamp, body))
	resp, err := s.client.Do(ctx, r)
	if resp == nil {
		if apierr.From(err) != nil {
			return err
		}
		// What went wrong may quote what the other side wrote.
		return fmt.Errorf("the webhook: %s", excerpt(err.Error(), m))
	}
	return judge(resp, m, now)
}

// sign returns a signature of version 1.
func sign(key []byte, id, timestamp string, body []byte) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id + "." + timestamp + "."))
	h.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// judge reads an answer.
func judge(resp *outbound.Response, m *delivery.Envelope, now time.Time) error {
	if resp.Status >= 200 && resp.Status < 300 {
		return nil
	}
	text := "the webhook answered " + strconv.Itoa(resp.Status)
	if words := excerpt(string(resp.Body), m); words != "" {
		text += ": " + words
	}
	err := errors.New(text)
	var verdict struct {
		ErrorType string `json:"error_type"`
	}
	// Most receivers answer in another form, or in none.
	if json.Unmarshal(resp.Body, &verdict) == nil && resp.Status < 500 {
		switch verdict.ErrorType {
		case "unsubscribed_phone_number":
			return delivery.Unreachable(delivery.Unsubscribed, err)
		case "downstream_carrier_error":
			return delivery.Unreachable(delivery.Carrier, err)
		}
	}
	switch resp.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return outbox.Permanent(err)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if wait := resp.RetryAfter(now); wait > 0 {
			return outbox.After(wait, err)
		}
	}
	return err
}
