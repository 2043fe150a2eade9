package store

import "strings"

func (db *sqliteDB) schema(tx *Tx) (string, error) {
	return lines(tx, `SELECT sql || ';' FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'sqlite_sequence' ORDER BY tbl_name, type DESC, name`)
}

func (db *postgresDB) schema(tx *Tx) (string, error) {
	return lines(tx, `SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position`)
}

func lines(tx *Tx, query string) (string, error) {
	rows, err := tx.Query(query)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return "", err
		}
		b.WriteString(line + "\n")
	}
	return b.String(), rows.Err()
}
