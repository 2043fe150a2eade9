-- +goose Up
-- Clients that are machines. A secret is kept as a hash, sealed under the master
-- key together with whose it is; the second one is there while it takes the
-- first one's place.
CREATE TABLE m2m_clients (
    environment_id        TEXT_C NOT NULL,
    client_id             TEXT_C NOT NULL,
    name                  TEXT_C NOT NULL,
    description           TEXT   NOT NULL,
    status                TEXT   NOT NULL,
    scopes                TEXT   NOT NULL,
    trusted_metadata      TEXT   NOT NULL,
    secret_sealed         BYTEA  NOT NULL,
    secret_last_four      TEXT   NOT NULL,
    next_secret_sealed    BYTEA,
    next_secret_last_four TEXT,
    created_at            BIGINT NOT NULL,
    updated_at            BIGINT NOT NULL,
    PRIMARY KEY (environment_id, client_id)
);
CREATE INDEX m2m_clients_id ON m2m_clients (client_id);
CREATE INDEX m2m_clients_name ON m2m_clients (environment_id, name);

-- The scopes of clients again, to find clients by them.
CREATE TABLE m2m_scopes (
    environment_id TEXT_C NOT NULL,
    scope          TEXT_C NOT NULL,
    client_id      TEXT_C NOT NULL,
    PRIMARY KEY (environment_id, scope, client_id)
);
CREATE INDEX m2m_scopes_client ON m2m_scopes (environment_id, client_id);
