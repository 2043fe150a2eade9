package event

import (
	"encoding/json"
	"strings"
	"time"

	"gatehouse/internal/store"
)

func insert(tx *store.Tx, e *Event, details []byte) error {
	_, err := tx.Exec(`INSERT INTO events (environment_id, id, type, outcome, factor, user_id, object_id, ip, user_agent, request_id, details, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		e.EnvironmentID, e.ID, e.Type, e.Outcome, e.Factor, e.UserID, e.ObjectID, e.IP, strings.ToValidUTF8(e.UserAgent, "\uFFFD"),
		e.RequestID, string(details), store.Millis(e.CreatedAt))
	return err
}

const columns = `id, type, outcome, factor, user_id, object_id, ip, user_agent, request_id, details, created_at`

func ofRequest(tx *store.Tx, envID, requestID string, from, to time.Time) ([]Event, error) {
	rows, err := tx.Query(`SELECT `+columns+` FROM events
		WHERE environment_id = $1 AND request_id = $2 AND created_at >= $3 AND created_at < $4 ORDER BY id`,
		envID, requestID, store.Millis(from), store.Millis(to))
	if err != nil {
		return nil, err
	}
	return scan(rows, envID)
}

func list(tx *store.Tx, envID, userID, eventType string, limit int) ([]Event, error) {
	rows, err := tx.Query(`SELECT `+columns+`
		FROM events WHERE environment_id = $1 AND ($2 = '' OR user_id = $2) AND ($3 = '' OR type = $3)
		ORDER BY id DESC LIMIT $4`, envID, userID, eventType, int64(limit))
	if err != nil {
		return nil, err
	}
	return scan(rows, envID)
}

func scan(rows *store.Rows, envID string) ([]Event, error) {
	defer rows.Close()
	var events []Event
	for rows.Next() {
		e := Event{EnvironmentID: envID}
		var details string
		var created int64
		if err := rows.Scan(&e.ID, &e.Type, &e.Outcome, &e.Factor, &e.UserID, &e.ObjectID, &e.IP, &e.UserAgent, &e.RequestID, &details, &created); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(details), &e.Details); err != nil {
			return nil, err
		}
		e.CreatedAt = store.Time(created)
		events = append(events, e)
	}
	return events, rows.Err()
}

func purge(tx *store.Tx, before time.Time, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM events WHERE (environment_id, id) IN
		(SELECT environment_id, id FROM events WHERE created_at < $1 ORDER BY created_at LIMIT $2)`, store.Millis(before), int64(budget))
}
