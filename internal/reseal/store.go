package reseal

import "gatehouse/internal/store"

// rowsAfter reads the next rows of a walk.
func rowsAfter(tx *store.Tx, w *walk, limit int) ([]*row, error) {
	rows, err := tx.Query(`SELECT environment_id, `+w.Key+`, `+w.Name+` FROM `+w.Table+`
		WHERE environment_id >= $1 AND (environment_id, `+w.Key+`) > ($1, $2)
		ORDER BY environment_id, `+w.Key+` LIMIT $3`, w.at.environmentID, w.at.key, int64(limit))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*row
	for rows.Next() {
		r := &row{}
		if err := rows.Scan(&r.environmentID, &r.key, &r.sealed); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// replace writes a value sealed anew, unless it has become another meanwhile.
func replace(tx *store.Tx, w *walk, r *row) (int64, error) {
	return tx.Exec(`UPDATE `+w.Table+` SET `+w.Name+` = $4 WHERE environment_id = $1 AND `+w.Key+` = $2 AND `+w.Name+` = $3`,
		r.environmentID, r.key, r.sealed, r.fresh)
}

// byKey counts values by the key that has sealed them, whose id they begin with.
func byKey(tx *store.Tx, w *walk, each func(head []byte, n int)) error {
	rows, err := tx.Query(`SELECT substr(` + w.Name + `, 1, 4), COUNT(*) FROM ` + w.Table + ` WHERE ` + w.Name + ` IS NOT NULL GROUP BY 1`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var head []byte
		var n int64
		if err := rows.Scan(&head, &n); err != nil {
			return err
		}
		each(head, int(n))
	}
	return rows.Err()
}
