package mailbox

import (
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/store"
)

func insert(tx *store.Tx, m *delivery.Envelope, recipient string, content []byte) error {
	_, err := tx.Exec(`INSERT INTO mailbox (environment_id, id, place, recipient, channel, type, content, created_at)
		VALUES ($1, $2, (SELECT COALESCE(MAX(place), 0) + 1 FROM mailbox WHERE environment_id = $1), $3, $4, $5, $6, $7)
		ON CONFLICT (environment_id, id) DO NOTHING`,
		m.EnvironmentID, m.ID, recipient, string(m.Channel), string(m.Type), content, store.Millis(tx.Now))
	return err
}

func placeOf(tx *store.Tx, envID, messageID string) (place int64, err error) {
	err = tx.QueryRow(`SELECT place FROM mailbox WHERE environment_id = $1 AND id = $2`, envID, messageID).Scan(&place)
	return place, err
}

// list goes on before a place. Two messages that PostgreSQL stored at the same
// instant may share one; then their ids decide.
func list(tx *store.Tx, envID string, f *Filter, before int64) ([][]byte, error) {
	rows, err := tx.Query(`SELECT content FROM mailbox WHERE environment_id = $1
		AND ($2 = '' OR recipient = $2) AND ($3 = '' OR channel = $3) AND ($4 = '' OR type = $4)
		AND (place < $5 OR place = $5 AND id < $6)
		ORDER BY place DESC, id DESC LIMIT $7`,
		envID, f.To, string(f.Channel), string(f.Type), before, f.After, int64(f.Limit))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var contents [][]byte
	for rows.Next() {
		var content []byte
		if err := rows.Scan(&content); err != nil {
			return nil, err
		}
		contents = append(contents, content)
	}
	return contents, rows.Err()
}

func read(tx *store.Tx, envID, messageID string) (content []byte, err error) {
	err = tx.QueryRow(`SELECT content FROM mailbox WHERE environment_id = $1 AND id = $2`, envID, messageID).Scan(&content)
	return content, err
}

func clearAll(tx *store.Tx, envID, recipient string) (int64, error) {
	return tx.Exec(`DELETE FROM mailbox WHERE environment_id = $1 AND ($2 = '' OR recipient = $2)`, envID, recipient)
}

// newest names the newest message and how many there are. Messages arrive at
// the top alone, so that no two contents of a mailbox share both.
func newest(tx *store.Tx, envID string) (string, error) {
	var messageID string
	var count int64
	err := tx.QueryRow(`SELECT id, (SELECT COUNT(*) FROM mailbox WHERE environment_id = $1) FROM mailbox
		WHERE environment_id = $1 ORDER BY place DESC, id DESC LIMIT 1`, envID).Scan(&messageID, &count)
	if errors.Is(err, store.ErrNoRows) {
		return "empty", nil
	}
	return fmt.Sprintf("%d-%s", count, messageID), err
}

func purgeOld(tx *store.Tx, before time.Time, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM mailbox WHERE (environment_id, id) IN
		(SELECT environment_id, id FROM mailbox WHERE created_at < $1 ORDER BY created_at LIMIT $2)`, store.Millis(before), int64(budget))
}

func purgeSurplus(tx *store.Tx, keep, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM mailbox WHERE (environment_id, id) IN
		(SELECT environment_id, id FROM
			(SELECT environment_id, id, ROW_NUMBER() OVER (PARTITION BY environment_id ORDER BY place DESC, id DESC) AS nth FROM mailbox) AS counted
		WHERE nth > $1 LIMIT $2)`, int64(keep), int64(budget))
}
