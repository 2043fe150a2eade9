-- +goose Up
CREATE TABLE sessions (
    environment_id   TEXT_C NOT NULL,
    id               TEXT_C NOT NULL,
    user_id          TEXT_C NOT NULL,
    token_hash       BYTEA  NOT NULL UNIQUE,
    token_sealed     BYTEA  NOT NULL,
    version          BIGINT NOT NULL,
    factors          TEXT   NOT NULL,
    attributes       TEXT   NOT NULL,
    custom_claims    TEXT   NOT NULL,
    started_at       BIGINT NOT NULL,
    last_accessed_at BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE INDEX sessions_user ON sessions (environment_id, user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE signing_keys (
    environment_id TEXT_C NOT NULL,
    id             TEXT_C NOT NULL,
    algorithm      TEXT   NOT NULL,
    private_sealed BYTEA  NOT NULL,
    certificate    BYTEA  NOT NULL,
    created_at     BIGINT NOT NULL,
    signs_at       BIGINT NOT NULL,
    retires_at     BIGINT,
    PRIMARY KEY (environment_id, id)
);
