package project

import (
	"encoding/json"
	"fmt"

	"gatehouse/internal/jwttemplate"
	"gatehouse/internal/store"
)

func readPolicies(tx *store.Tx, s *snapshot) error {
	rows, err := tx.Query(`SELECT environment_id, document FROM rbac_policies`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var env, document string
		if err := rows.Scan(&env, &document); err != nil {
			return err
		}
		p, err := storedPolicy(document)
		if err != nil {
			return fmt.Errorf("policy of %s: %w", env, err)
		}
		if e := s.known(env); e != nil {
			e.policy = p
		}
	}
	return rows.Err()
}

// storedPolicy reads a policy that nobody else has.
func storedPolicy[T string | []byte](document T) (*Policy, error) {
	p := &Policy{}
	if err := json.Unmarshal([]byte(document), p); err != nil {
		return nil, err
	}
	return p.completed(), nil
}

func writePolicy(tx *store.Tx, envID string, document []byte) error {
	_, err := tx.Exec(`INSERT INTO rbac_policies (environment_id, document, updated_at) VALUES ($1, $2, $3)
		ON CONFLICT (environment_id) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at`,
		envID, string(document), store.Millis(tx.Now))
	return err
}

func readJWTTemplates(tx *store.Tx, s *snapshot) error {
	rows, err := tx.Query(`SELECT environment_id, type, content, custom_audience, updated_at FROM jwt_templates`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var env string
		var updated int64
		t := &JWTTemplate{}
		if err := rows.Scan(&env, &t.Type, &t.Content, &t.CustomAudience, &updated); err != nil {
			return err
		}
		t.UpdatedAt = store.Time(updated)
		t.parsed, t.broken = jwttemplate.Parse(t.Type, t.Content)
		e := s.known(env)
		if e == nil {
			continue
		}
		if e.jwtTemplates == nil {
			e.jwtTemplates = map[jwttemplate.Kind]*JWTTemplate{}
		}
		e.jwtTemplates[t.Type] = t
	}
	return rows.Err()
}

func writeJWTTemplate(tx *store.Tx, envID string, t *JWTTemplate) error {
	_, err := tx.Exec(`INSERT INTO jwt_templates (environment_id, type, content, custom_audience, updated_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (environment_id, type) DO UPDATE SET content = excluded.content, custom_audience = excluded.custom_audience, updated_at = excluded.updated_at`,
		envID, string(t.Type), t.Content, t.CustomAudience, store.Millis(tx.Now))
	return err
}

func deleteJWTTemplate(tx *store.Tx, envID string, kind jwttemplate.Kind) (int64, error) {
	return tx.Exec(`DELETE FROM jwt_templates WHERE environment_id = $1 AND type = $2`, envID, string(kind))
}
