package store

import (
	"regexp"
	"strings"
)

// spaces are what the layout of a migration adds to a statement.
var spaces = regexp.MustCompile(`\s+`)

// schema lists the statements that SQLite keeps, on one line per column or
// constraint, sorted by table, each table before its indexes.
func (db *sqliteDB) schema(tx *Tx) (string, error) {
	var b strings.Builder
	err := each(tx, `SELECT type, sql FROM sqlite_master
		WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND tbl_name <> '`+versionTable+`'
		ORDER BY tbl_name, CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 ELSE 2 END, name`,
		func(row []string) {
			if row[0] == "table" && b.Len() > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(layout(row[1]) + ";\n")
		})
	return b.String(), err
}

// layout writes a CREATE statement the same way however its migration did.
func layout(statement string) string {
	statement = strings.TrimSpace(spaces.ReplaceAllString(uncommented(statement), " "))
	open := strings.IndexByte(statement, '(')
	if open < 0 || !strings.HasPrefix(statement, "CREATE TABLE") {
		return statement
	}
	var parts []string
	depth, start, end := 0, open+1, len(statement)
	for i := open; i < len(statement); {
		if n := skip(statement[i:]); n > 0 {
			i += n
			continue
		}
		switch c := statement[i]; {
		case c == '(':
			depth++
		case c == ')':
			if depth--; depth == 0 {
				parts, end = append(parts, statement[start:i]), i
				i = len(statement)
			}
		case c == ',' && depth == 1:
			parts, start = append(parts, statement[start:i]), i+1
		}
		i++
	}
	for i := range parts {
		parts[i] = "  " + strings.TrimSpace(parts[i])
	}
	return statement[:open] + "(\n" + strings.Join(parts, ",\n") + "\n" + statement[end:]
}

// uncommented is statement without its comments.
func uncommented(statement string) string {
	var b strings.Builder
	for i := 0; i < len(statement); {
		n := max(1, skip(statement[i:]))
		if part := statement[i : i+n]; !strings.HasPrefix(part, "--") && !strings.HasPrefix(part, "/*") {
			b.WriteString(part)
		} else {
			b.WriteByte(' ')
		}
		i += n
	}
	return b.String()
}

// The catalogue in the words of SQL, each row one line: columns in their order,
// then constraints, then indexes that are no constraint.
const (
	pgColumns = `SELECT c.relname, a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
			|| CASE WHEN co.collname IS NOT NULL AND a.attcollation <> t.typcollation THEN ' COLLATE "' || co.collname || '"' ELSE '' END
			|| CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
			|| coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
		FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
		JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
		JOIN pg_type t ON t.oid = a.atttypid
		LEFT JOIN pg_collation co ON co.oid = a.attcollation
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attnum > 0 AND NOT a.attisdropped
		ORDER BY c.relname COLLATE "C", a.attnum`
	pgConstraints = `SELECT c.relname, 'CONSTRAINT ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
		FROM pg_constraint k
		JOIN pg_class c ON c.oid = k.conrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()
		WHERE k.contype <> 'n'
		ORDER BY c.relname COLLATE "C", k.contype <> 'p', k.conname COLLATE "C"`
	pgIndexes = `SELECT i.tablename, replace(i.indexdef, ' ON ' || quote_ident(i.schemaname) || '.', ' ON ') FROM pg_indexes i
		WHERE i.schemaname = current_schema() AND NOT EXISTS (
			SELECT 1 FROM pg_constraint k JOIN pg_namespace n ON n.oid = k.connamespace
			WHERE k.conname = i.indexname AND n.nspname = i.schemaname)
		ORDER BY i.tablename COLLATE "C", i.indexname COLLATE "C"`
)

// schema writes the catalogue as CREATE statements.
func (db *postgresDB) schema(tx *Tx) (string, error) {
	var tables []string
	lines, indexes := map[string][]string{}, map[string][]string{}
	for _, query := range []string{pgColumns, pgConstraints} {
		err := each(tx, query, func(row []string) {
			if lines[row[0]] == nil {
				tables = append(tables, row[0])
			}
			lines[row[0]] = append(lines[row[0]], "  "+row[1])
		})
		if err != nil {
			return "", err
		}
	}
	if err := each(tx, pgIndexes, func(row []string) {
		indexes[row[0]] = append(indexes[row[0]], row[1]+";\n")
	}); err != nil {
		return "", err
	}
	var b strings.Builder
	for _, table := range tables {
		if table == versionTable {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString("CREATE TABLE " + table + " (\n" + strings.Join(lines[table], ",\n") + "\n);\n")
		b.WriteString(strings.Join(indexes[table], ""))
	}
	return b.String(), nil
}

// each gives the rows of a query of two texts to f.
func each(tx *Tx, query string, f func(row []string)) error {
	rows, err := tx.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row := make([]string, 2)
		if err := rows.Scan(&row[0], &row[1]); err != nil {
			return err
		}
		f(row)
	}
	return rows.Err()
}
