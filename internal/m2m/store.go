package m2m

import (
	"encoding/json"
	"errors"
	"slices"

	"gatehouse/internal/reseal"
	"gatehouse/internal/store"
)

const columns = `c.client_id, c.name, c.description, c.status, c.scopes, c.trusted_metadata,
	c.secret_sealed, c.secret_last_four, c.next_secret_sealed, c.next_secret_last_four`

func isNotFound(err error) bool { return errors.Is(err, errNotFound) }

func scan(row interface{ Scan(...any) error }) (*Client, error) {
	c := &Client{}
	var scopes, metadata string
	err := row.Scan(&c.ClientID, &c.ClientName, &c.ClientDescription, &c.Status, &scopes, &metadata,
		&c.sealed, &c.ClientSecretLastFour, &c.nextSealed, &c.NextClientSecretLastFour)
	if errors.Is(err, store.ErrNoRows) {
		return nil, errNotFound
	}
	if err != nil {
		return nil, err
	}
	return c, errors.Join(json.Unmarshal([]byte(scopes), &c.Scopes), json.Unmarshal([]byte(metadata), &c.TrustedMetadata))
}

func read(tx *store.Tx, envID, clientID, forUpdate string) (*Client, error) {
	return scan(tx.QueryRow("SELECT "+columns+" FROM m2m_clients c WHERE c.environment_id = $1 AND c.client_id = $2"+forUpdate, envID, clientID))
}

// texts are the columns that hold JSON.
func (c *Client) texts() (scopes, metadata string, err error) {
	s, err := json.Marshal(c.Scopes)
	if err != nil {
		return "", "", err
	}
	m, err := json.Marshal(c.TrustedMetadata)
	return string(s), string(m), err
}

func insert(tx *store.Tx, envID string, c *Client) error {
	scopes, metadata, err := c.texts()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO m2m_clients (environment_id, client_id, name, description, status, scopes, trusted_metadata,
		secret_sealed, secret_last_four, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)`,
		envID, c.ClientID, c.ClientName, c.ClientDescription, c.Status, scopes, metadata, c.sealed, c.ClientSecretLastFour, store.Millis(tx.Now))
	if store.IsUnique(err) {
		return errDuplicate.Because(err)
	}
	if err != nil {
		return err
	}
	return insertScopes(tx, envID, c)
}

func insertScopes(tx *store.Tx, envID string, c *Client) error {
	for _, scope := range c.Scopes {
		if _, err := tx.Exec("INSERT INTO m2m_scopes (environment_id, scope, client_id) VALUES ($1, $2, $3)", envID, scope, c.ClientID); err != nil {
			return err
		}
	}
	return nil
}

func deleteScopes(tx *store.Tx, envID, clientID string) error {
	_, err := tx.Exec("DELETE FROM m2m_scopes WHERE environment_id = $1 AND client_id = $2", envID, clientID)
	return err
}

// update writes a client that had other scopes before, or the same.
func update(tx *store.Tx, envID string, c *Client, had []string) error {
	scopes, metadata, err := c.texts()
	if err != nil {
		return err
	}
	_, err = tx.Exec(`UPDATE m2m_clients SET name = $3, description = $4, status = $5, scopes = $6, trusted_metadata = $7,
		secret_sealed = $8, secret_last_four = $9, next_secret_sealed = $10, next_secret_last_four = $11, updated_at = $12
		WHERE environment_id = $1 AND client_id = $2`,
		envID, c.ClientID, c.ClientName, c.ClientDescription, c.Status, scopes, metadata,
		c.sealed, c.ClientSecretLastFour, c.nextSealed, c.NextClientSecretLastFour, store.Millis(tx.Now))
	if err != nil || slices.Equal(c.Scopes, had) {
		return err
	}
	if err := deleteScopes(tx, envID, c.ClientID); err != nil {
		return err
	}
	return insertScopes(tx, envID, c)
}

func remove(tx *store.Tx, envID, clientID string) error {
	n, err := tx.Exec("DELETE FROM m2m_clients WHERE environment_id = $1 AND client_id = $2", envID, clientID)
	if err != nil {
		return err
	}
	if n == 0 {
		return errNotFound
	}
	return deleteScopes(tx, envID, clientID)
}

// credentials are what a token is given for. What is text in the table stays
// text until somebody has shown the secret.
type credentials struct {
	environmentID, clientID string
	sealed, nextSealed      []byte
	name, description       string
	status                  string
	scopes, metadata        string
}

// client decodes the row.
func (r *credentials) client() (*Client, error) {
	c := &Client{ClientID: r.clientID, ClientName: r.name, ClientDescription: r.description, Status: r.status}
	return c, errors.Join(json.Unmarshal([]byte(r.scopes), &c.Scopes), json.Unmarshal([]byte(r.metadata), &c.TrustedMetadata))
}

const credentialColumns = `SELECT environment_id, client_id, secret_sealed, next_secret_sealed, name, description, status, scopes, trusted_metadata
	FROM m2m_clients WHERE `

func scanCredentials(row interface{ Scan(...any) error }) (r credentials, err error) {
	err = row.Scan(&r.environmentID, &r.clientID, &r.sealed, &r.nextSealed, &r.name, &r.description, &r.status, &r.scopes, &r.metadata)
	return r, err
}

// credentialsOf finds a client of one environment, nil when there is none.
func credentialsOf(tx *store.Tx, envID, clientID string) (*credentials, error) {
	r, err := scanCredentials(tx.QueryRow(credentialColumns+"environment_id = $1 AND client_id = $2", envID, clientID))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return &r, err
}

// credentialsEverywhere finds the clients of that id in all environments.
func credentialsEverywhere(tx *store.Tx, clientID string, limit int) ([]credentials, error) {
	return manyCredentials(tx.Query(credentialColumns+"client_id = $1 ORDER BY environment_id LIMIT $2", clientID, limit))
}

func manyCredentials(rows *store.Rows, err error) ([]credentials, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []credentials
	for rows.Next() {
		r, err := scanCredentials(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Sealed says where secrets are kept.
func Sealed() []reseal.Column {
	return []reseal.Column{
		{Table: "m2m_clients", Key: "client_id", Name: "secret_sealed", Purpose: secretPurpose},
		{Table: "m2m_clients", Key: "client_id", Name: "next_secret_sealed", Purpose: secretPurpose},
	}
}
