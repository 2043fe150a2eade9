package delivery

import (
	"errors"

	"gatehouse/internal/reseal"
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

const unreachableColumns = `number, channel, reason, since, ends_at`

func scanUnreachable(from interface{ Scan(dest ...any) error }) (*UnreachableNumber, error) {
	n := &UnreachableNumber{}
	var since int64
	var ends *int64
	if err := from.Scan(&n.Number, &n.Channel, &n.Reason, &since, &ends); err != nil {
		return nil, err
	}
	n.Since = store.Time(since)
	if ends != nil {
		at := store.Time(*ends)
		n.EndsAt = &at
	}
	return n, nil
}

// unreachableRow is what is kept of a number, whether it holds or not; nil when
// nothing is.
func unreachableRow(tx *store.Tx, envID string, c Channel, number string) (*UnreachableNumber, error) {
	n, err := scanUnreachable(tx.QueryRow(`SELECT `+unreachableColumns+` FROM unreachable_numbers
		WHERE environment_id = $1 AND channel = $2 AND number = $3`, envID, string(c), number))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return n, err
}

// unreachableNumbers lists those of an environment that hold.
func unreachableNumbers(tx *store.Tx, envID string, limit int) ([]UnreachableNumber, error) {
	rows, err := tx.Query(`SELECT `+unreachableColumns+` FROM unreachable_numbers
		WHERE environment_id = $1 AND (ends_at IS NULL OR ends_at > $2) ORDER BY since DESC, number, channel LIMIT $3`,
		envID, store.Millis(tx.Now), int64(limit))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []UnreachableNumber
	for rows.Next() {
		n, err := scanUnreachable(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, *n)
	}
	return list, rows.Err()
}

// upsertUnreachable notes a refusal. One that no time ends stays so.
func upsertUnreachable(tx *store.Tx, envID string, n *UnreachableNumber) error {
	var ends *int64
	if n.EndsAt != nil {
		at := store.Millis(*n.EndsAt)
		ends = &at
	}
	_, err := tx.Exec(`INSERT INTO unreachable_numbers (environment_id, channel, number, reason, since, ends_at)
		VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (environment_id, channel, number) DO UPDATE SET reason = excluded.reason, ends_at = excluded.ends_at
		WHERE unreachable_numbers.ends_at IS NOT NULL`,
		envID, string(n.Channel), n.Number, string(n.Reason), store.Millis(n.Since), ends)
	return err
}

// deleteUnreachable forgets a number on a channel, or on all of them ("").
func deleteUnreachable(tx *store.Tx, envID string, c Channel, number string) (int64, error) {
	return tx.Exec(`DELETE FROM unreachable_numbers WHERE environment_id = $1 AND (channel = $2 OR $2 = '') AND number = $3`,
		envID, string(c), number)
}

func purgeUnreachable(tx *store.Tx, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM unreachable_numbers WHERE (environment_id, channel, number) IN
		(SELECT environment_id, channel, number FROM unreachable_numbers WHERE ends_at <= $1 ORDER BY ends_at LIMIT $2)`,
		store.Millis(tx.Now), int64(budget))
}

// Sealed says where the settings of senders are kept. Messages that wait are
// over soon.
func Sealed() []reseal.Column {
	return []reseal.Column{{Table: "senders", Key: "id", Name: "sealed", Purpose: senderPurpose}}
}
