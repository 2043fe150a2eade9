-- +goose Up
-- One-time tokens for acting as a user. One that is used is deleted; why it was
-- made, the audit log says.
CREATE TABLE impersonations (
    environment_id             TEXT_C NOT NULL,
    token_hash                 BYTEA  NOT NULL,
    id                         TEXT_C NOT NULL,
    user_id                    TEXT_C NOT NULL,
    impersonator_id            TEXT   NOT NULL,
    impersonator_email_address TEXT   NOT NULL,
    expires_at                 BIGINT NOT NULL,
    PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX impersonations_user ON impersonations (environment_id, user_id);
CREATE INDEX impersonations_expiry ON impersonations (expires_at);
