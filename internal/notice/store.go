package notice

import (
	"time"

	"gatehouse/internal/store"
)

// devicesOf lists the devices of a user, the one seen last first.
func devicesOf(tx *store.Tx, envID, userID string) ([]device, error) {
	rows, err := tx.Query(`SELECT device, last_seen FROM notice_devices WHERE environment_id = $1 AND user_id = $2
		ORDER BY last_seen DESC, device`, envID, userID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []device
	for rows.Next() {
		var d device
		var seen int64
		if err := rows.Scan(&d.mac, &seen); err != nil {
			return nil, err
		}
		d.lastSeen = store.Time(seen)
		list = append(list, d)
	}
	return list, rows.Err()
}

// upsertDevice says that a device is seen now.
func upsertDevice(tx *store.Tx, envID, userID string, mac []byte) error {
	_, err := tx.Exec(`INSERT INTO notice_devices (environment_id, user_id, device, last_seen) VALUES ($1, $2, $3, $4)
		ON CONFLICT (environment_id, user_id, device) DO UPDATE SET last_seen = excluded.last_seen`,
		envID, userID, mac, store.Millis(tx.Now))
	return err
}

func deleteDevice(tx *store.Tx, envID, userID string, mac []byte) error {
	_, err := tx.Exec(`DELETE FROM notice_devices WHERE environment_id = $1 AND user_id = $2 AND device = $3`, envID, userID, mac)
	return err
}

func deleteOfUser(tx *store.Tx, envID, userID string) error {
	_, err := tx.Exec(`DELETE FROM notice_devices WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	return err
}

// purge asks twice how old a device is: on PostgreSQL one that signs in while
// the statement waits for it stays.
func purge(tx *store.Tx, before time.Time, budget int) (int64, error) {
	return tx.Exec(`DELETE FROM notice_devices WHERE last_seen <= $1 AND (environment_id, user_id, device) IN
		(SELECT environment_id, user_id, device FROM notice_devices WHERE last_seen <= $1 ORDER BY last_seen LIMIT $2)`,
		store.Millis(before), int64(budget))
}
