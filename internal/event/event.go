// Package event is the audit log: what happened to whom, written in the
// transaction of the fact itself. It holds no secret and no credential, and
// it decides nothing.
package event

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// Event is one entry of the audit log.
type Event struct {
	ID            string         `json:"event_id"`
	EnvironmentID string         `json:"project_id"`
	Type          string         `json:"type"`                // what happened: "user.create", "login", "session.revoke"
	Outcome       string         `json:"outcome,omitempty"`   // of an attempt: "success", or the error_type that refused it
	Factor        string         `json:"factor,omitempty"`    // the factor's type: "webauthn", "password"
	UserID        string         `json:"user_id,omitempty"`   // whom it concerns
	ObjectID      string         `json:"object_id,omitempty"` // what else it concerns: a session, a registration
	IP            string         `json:"ip_address,omitempty"`
	UserAgent     string         `json:"user_agent,omitempty"`
	RequestID     string         `json:"request_id,omitempty"`
	Details       map[string]any `json:"details,omitempty"` // never secrets
	CreatedAt     time.Time      `json:"created_at"`
}

// maxUserAgent bounds what a caller can make the log hold.
const maxUserAgent = 512

type operatorKey struct{}

// WithOperator returns a context whose events say that somebody caused them at
// the command line, under that name of the machine.
func WithOperator(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, operatorKey{}, name)
}

// Operator returns who caused the event at the command line; "" for others.
func (e *Event) Operator() string {
	name, _ := e.Details["operator"].(string)
	return name
}

// Emit writes e at the transaction's instant.
func Emit(tx *store.Tx, kind id.Env, e Event) error {
	if name, ok := tx.Context().Value(operatorKey{}).(string); ok {
		if e.Details = maps.Clone(e.Details); e.Details == nil {
			e.Details = map[string]any{}
		}
		e.Details["by"], e.Details["operator"] = "cli", name
	}
	details := []byte("{}")
	if len(e.Details) > 0 {
		var err error
		if details, err = json.Marshal(e.Details); err != nil {
			return err
		}
	}
	if len(e.UserAgent) > maxUserAgent {
		e.UserAgent = e.UserAgent[:maxUserAgent]
	}
	e.ID, e.CreatedAt = id.New(id.Event, kind, tx.Now), tx.Now
	return insert(tx, &e, details)
}

// List returns the newest events of an environment first, at most limit of
// them; userID and eventType narrow the list unless they are empty.
func List(ctx context.Context, db *store.DB, envID, userID, eventType string, limit int) ([]Event, error) {
	var events []Event
	err := db.View(ctx, func(tx *store.Tx) (err error) {
		events, err = list(tx, envID, userID, eventType, limit)
		return err
	})
	return events, err
}

// OfRequest returns what one request left in the log of an environment, in the
// order it happened. The identifier says when that was, and so where to look.
func OfRequest(ctx context.Context, db *store.DB, envID, requestID string) ([]Event, error) {
	at, ok := id.Made(requestID)
	if !ok {
		return nil, nil
	}
	var events []Event
	err := db.View(ctx, func(tx *store.Tx) (err error) {
		events, err = ofRequest(tx, envID, requestID, at.Add(-time.Minute), at.Add(10*time.Minute))
		return err
	})
	return events, err
}

// Purge removes up to budget events older than keep and returns how many.
func Purge(tx *store.Tx, keep time.Duration, budget int) (int64, error) {
	return purge(tx, tx.Now.Add(-keep), budget)
}
