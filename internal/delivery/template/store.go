package template

import (
	"encoding/json"
	"errors"
	"fmt"

	"gatehouse/internal/delivery"
	"gatehouse/internal/store"
)

const templateColumns = `t.template_id, t.document, t.created_at, t.updated_at`

// readTemplate returns nil when the project has no such template.
func readTemplate(tx *store.Tx, projectID, templateID string) (*Template, error) {
	t, err := scanTemplate(tx.QueryRow(`SELECT `+templateColumns+` FROM email_templates t
		WHERE t.project_id = $1 AND t.template_id = $2`, projectID, templateID))
	if err != nil || t == nil {
		return nil, err
	}
	t.Defaults, err = defaultsOf(tx, projectID, templateID)
	return t, err
}

// readDefault returns the default template of a type, or else the project's look
// of our own wording, or nil.
func readDefault(tx *store.Tx, projectID string, typ delivery.Type) (*Template, error) {
	return scanTemplate(tx.QueryRow(`SELECT `+templateColumns+` FROM email_template_defaults d
		JOIN email_templates t ON t.project_id = d.project_id AND t.template_id = d.template_id
		WHERE d.project_id = $1 AND d.type IN ($2, $3) ORDER BY d.type = $3`, projectID, typ, Prebuilt))
}

func readTemplates(tx *store.Tx, projectID string) ([]*Template, error) {
	rows, err := tx.Query(`SELECT `+templateColumns+` FROM email_templates t WHERE t.project_id = $1 ORDER BY t.template_id`, projectID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []*Template
	for rows.Next() {
		t, err := scanTemplate(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, t := range list {
		if t.Defaults, err = defaultsOf(tx, projectID, t.ID); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func scanTemplate(from interface{ Scan(dest ...any) error }) (*Template, error) {
	var id, document string
	var created, updated int64
	err := from.Scan(&id, &document, &created, &updated)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t := &Template{}
	if err := json.Unmarshal([]byte(document), t); err != nil {
		return nil, fmt.Errorf("e-mail template %s: %w", id, err)
	}
	t.CreatedAt, t.UpdatedAt = store.Time(created), store.Time(updated)
	return t, nil
}

// lockTemplate holds a template until the transaction ends and returns its
// type, "" when there is none.
func lockTemplate(tx *store.Tx, projectID, templateID string) (typ delivery.Type, err error) {
	err = tx.QueryRow(`SELECT type FROM email_templates WHERE project_id = $1 AND template_id = $2`+tx.ForUpdate(),
		projectID, templateID).Scan(&typ)
	if errors.Is(err, store.ErrNoRows) {
		return "", nil
	}
	return typ, err
}

func countTemplates(tx *store.Tx, projectID string) (n int, err error) {
	err = tx.QueryRow(`SELECT count(*) FROM email_templates WHERE project_id = $1`, projectID).Scan(&n)
	return n, err
}

func upsertTemplate(tx *store.Tx, projectID, templateID string, typ delivery.Type, document string) error {
	_, err := tx.Exec(`INSERT INTO email_templates (project_id, template_id, type, document, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $5)
		ON CONFLICT (project_id, template_id) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at`,
		projectID, templateID, typ, document, store.Millis(tx.Now))
	return err
}

func deleteTemplate(tx *store.Tx, projectID, templateID string) error {
	_, err := tx.Exec(`DELETE FROM email_templates WHERE project_id = $1 AND template_id = $2`, projectID, templateID)
	return err
}

// defaultsOf lists the types a template is the default of.
func defaultsOf(tx *store.Tx, projectID, templateID string) ([]delivery.Type, error) {
	rows, err := tx.Query(`SELECT type FROM email_template_defaults WHERE project_id = $1 AND template_id = $2 ORDER BY type`,
		projectID, templateID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []delivery.Type
	for rows.Next() {
		var typ delivery.Type
		if err := rows.Scan(&typ); err != nil {
			return nil, err
		}
		list = append(list, typ)
	}
	return list, rows.Err()
}

func upsertDefault(tx *store.Tx, projectID string, typ delivery.Type, templateID string) error {
	_, err := tx.Exec(`INSERT INTO email_template_defaults (project_id, type, template_id) VALUES ($1, $2, $3)
		ON CONFLICT (project_id, type) DO UPDATE SET template_id = excluded.template_id`, projectID, typ, templateID)
	return err
}

func deleteDefault(tx *store.Tx, projectID string, typ delivery.Type) (int64, error) {
	return tx.Exec(`DELETE FROM email_template_defaults WHERE project_id = $1 AND type = $2`, projectID, typ)
}
