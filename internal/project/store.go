package project

import (
	"encoding/json"
	"fmt"

	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

func readVersion(tx *store.Tx) (int64, error) {
	var v int64
	err := tx.QueryRow(`SELECT version FROM config_version WHERE id = 1`).Scan(&v)
	return v, err
}

// BumpVersion tells every node that configuration has changed. Packages that
// keep configuration of their own (signing keys) call it too.
func BumpVersion(tx *store.Tx) error {
	_, err := tx.Exec(`UPDATE config_version SET version = version + 1 WHERE id = 1`)
	return err
}

func readSnapshot(tx *store.Tx) (*snapshot, error) {
	version, err := readVersion(tx)
	if err != nil {
		return nil, err
	}
	s := &snapshot{
		version: version,
		byID:    map[string]*Environment{}, byToken: map[string]*Environment{}, bySecret: map[string]*Environment{},
	}
	for _, read := range []func(*store.Tx, *snapshot) error{readEnvironments, readSecrets, readPublicTokens, readRedirectURLs, readPolicies, readJWTTemplates} {
		if err := read(tx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func readEnvironments(tx *store.Tx, s *snapshot) error {
	rows, err := tx.Query(`SELECT e.id, e.project_id, p.name, e.kind, e.name, e.config, e.created_at
		FROM environments e JOIN projects p ON p.id = e.project_id ORDER BY e.created_at, e.kind DESC, e.id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		e := &Environment{Version: s.version}
		var config string
		var created int64
		if err := rows.Scan(&e.ID, &e.ProjectID, &e.ProjectName, &e.Kind, &e.Name, &config, &created); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(config), &e.Config); err != nil {
			return fmt.Errorf("configuration of %s: %w", e.ID, err)
		}
		e.CreatedAt = store.Time(created)
		s.environments = append(s.environments, e)
		s.byID[e.ID] = e
	}
	return rows.Err()
}

// known returns an environment that was there when environments were read. What
// changes something sees, on PostgreSQL, the rows of one that is made meanwhile.
func (s *snapshot) known(envID string) *Environment { return s.byID[envID] }

func readSecrets(tx *store.Tx, s *snapshot) error {
	rows, err := tx.Query(`SELECT environment_id, id, hash, last_four, created_at FROM secrets ORDER BY created_at, id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var env string
		var hash []byte
		var created int64
		var k Secret
		if err := rows.Scan(&env, &k.ID, &hash, &k.LastFour, &created); err != nil {
			return err
		}
		k.CreatedAt = store.Time(created)
		if e := s.known(env); e != nil {
			s.bySecret[string(hash)] = e
			e.Secrets = append(e.Secrets, k)
		}
	}
	return rows.Err()
}

func readPublicTokens(tx *store.Tx, s *snapshot) error {
	rows, err := tx.Query(`SELECT environment_id, id, created_at FROM public_tokens ORDER BY created_at, id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var env string
		var created int64
		var p PublicToken
		if err := rows.Scan(&env, &p.Token, &created); err != nil {
			return err
		}
		p.CreatedAt = store.Time(created)
		if e := s.known(env); e != nil {
			s.byToken[p.Token] = e
			e.PublicTokens = append(e.PublicTokens, p)
		}
	}
	return rows.Err()
}

func readRedirectURLs(tx *store.Tx, s *snapshot) error {
	rows, err := tx.Query(`SELECT environment_id, id, url, types, created_at FROM redirect_urls ORDER BY created_at, id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var env, types string
		var created int64
		var r RedirectURL
		if err := rows.Scan(&env, &r.ID, &r.URL, &types, &created); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(types), &r.Types); err != nil {
			return fmt.Errorf("redirect URL %s: %w", r.ID, err)
		}
		r.CreatedAt = store.Time(created)
		if e := s.known(env); e != nil {
			e.RedirectURLs = append(e.RedirectURLs, r)
		}
	}
	return rows.Err()
}

func insertProject(tx *store.Tx, projectID, name string) error {
	_, err := tx.Exec(`INSERT INTO projects (id, name, created_at) VALUES ($1, $2, $3)`, projectID, name, store.Millis(tx.Now))
	return err
}

func insertEnvironment(tx *store.Tx, e *Environment) error {
	config, err := json.Marshal(e.Config)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO environments (id, project_id, kind, name, config, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		e.ID, e.ProjectID, string(e.Kind), e.Name, string(config), store.Millis(tx.Now))
	return err
}

// readConfig reads an environment's kind and configuration for a change.
func readConfig(tx *store.Tx, envID string) (kind id.Env, c Config, err error) {
	var config string
	err = tx.QueryRow(`SELECT kind, config FROM environments WHERE id = $1`+tx.ForUpdate(), envID).Scan(&kind, &config)
	if err != nil {
		return "", Config{}, err
	}
	return kind, c, json.Unmarshal([]byte(config), &c)
}

func writeConfig(tx *store.Tx, envID string, c *Config) error {
	config, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE environments SET config = $2 WHERE id = $1`, envID, string(config))
	return err
}

func projectHasLive(tx *store.Tx, projectID string) (bool, error) {
	var n int64
	err := tx.QueryRow(`SELECT count(*) FROM environments WHERE project_id = $1 AND kind = 'live'`, projectID).Scan(&n)
	return n > 0, err
}

func projectName(tx *store.Tx, projectID string) (string, error) {
	var name string
	err := tx.QueryRow(`SELECT name FROM projects WHERE id = $1`+tx.ForUpdate(), projectID).Scan(&name)
	return name, err
}

func insertSecret(tx *store.Tx, envID string, k Secret, hash []byte) error {
	_, err := tx.Exec(`INSERT INTO secrets (environment_id, id, hash, last_four, created_at) VALUES ($1, $2, $3, $4, $5)`,
		envID, k.ID, hash, k.LastFour, store.Millis(tx.Now))
	return err
}

func deleteSecret(tx *store.Tx, envID, secretID string) (int64, error) {
	return tx.Exec(`DELETE FROM secrets WHERE environment_id = $1 AND id = $2`, envID, secretID)
}

func insertPublicToken(tx *store.Tx, envID, token string) error {
	_, err := tx.Exec(`INSERT INTO public_tokens (environment_id, id, created_at) VALUES ($1, $2, $3)`, envID, token, store.Millis(tx.Now))
	return err
}

// deletePublicToken removes a token unless it is the environment's last.
func deletePublicToken(tx *store.Tx, envID, token string) (int64, error) {
	return tx.Exec(`DELETE FROM public_tokens WHERE environment_id = $1 AND id = $2
		AND (SELECT count(*) FROM public_tokens WHERE environment_id = $1) > 1`, envID, token)
}

func upsertRedirectURL(tx *store.Tx, envID string, r *RedirectURL) error {
	types, err := json.Marshal(r.Types)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO redirect_urls (environment_id, id, url, types, created_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (environment_id, id) DO UPDATE SET types = excluded.types`,
		envID, r.ID, r.URL, string(types), store.Millis(tx.Now))
	return err
}

func deleteRedirectURL(tx *store.Tx, envID, redirectID string) (int64, error) {
	return tx.Exec(`DELETE FROM redirect_urls WHERE environment_id = $1 AND id = $2`, envID, redirectID)
}
