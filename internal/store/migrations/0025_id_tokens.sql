-- +goose Up
-- Uses of id_tokens that came without a browser's way to the provider: each
-- signs in once. It is known by the SHA-256 of what its signature signs.
CREATE TABLE oauth_id_tokens (
    environment_id TEXT_C NOT NULL,
    token_hash     BYTEA  NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX oauth_id_tokens_expiry ON oauth_id_tokens (expires_at);
