package delivery

import (
	"errors"

	"gatehouse/internal/store"
)

func hasSender(tx *store.Tx, envID string, c Channel) (bool, error) {
	var one int
	err := tx.QueryRow(`SELECT 1 FROM senders WHERE environment_id = $1 AND channel = $2 LIMIT 1`, envID, string(c)).Scan(&one)
	if errors.Is(err, store.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// positions returns the lowest and the highest position of a channel's senders,
// 0 and 0 without any.
func positions(tx *store.Tx, envID string, c Channel) (first, last int, err error) {
	err = tx.QueryRow(`SELECT COALESCE(MIN(position), 0), COALESCE(MAX(position), 0) FROM senders
		WHERE environment_id = $1 AND channel = $2`, envID, string(c)).Scan(&first, &last)
	return first, last, err
}

func insertSender(tx *store.Tx, envID string, i *SenderInfo) error {
	_, err := tx.Exec(`INSERT INTO senders (environment_id, id, channel, kind, position, summary, sealed, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		envID, i.ID, string(i.Channel), i.Kind, int64(i.Position), i.Summary, i.sealed, store.Millis(i.CreatedAt))
	return err
}

func deleteSender(tx *store.Tx, envID, senderID string) (int64, error) {
	return tx.Exec(`DELETE FROM senders WHERE environment_id = $1 AND id = $2`, envID, senderID)
}

// senders lists those of a channel, or all of them for "".
func senders(tx *store.Tx, envID string, c Channel) ([]*SenderInfo, error) {
	rows, err := tx.Query(`SELECT id, channel, kind, position, summary, sealed, created_at FROM senders
		WHERE environment_id = $1 AND (channel = $2 OR $2 = '') ORDER BY channel, position, id`, envID, string(c))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*SenderInfo
	for rows.Next() {
		i := &SenderInfo{}
		var created int64
		if err := rows.Scan(&i.ID, &i.Channel, &i.Kind, &i.Position, &i.Summary, &i.sealed, &created); err != nil {
			return nil, err
		}
		i.CreatedAt = store.Time(created)
		list = append(list, i)
	}
	return list, rows.Err()
}
