-- +goose Up
-- Issuers whose tokens sign people in. What is set about one is a document: it
-- is read as a whole, by its id.
CREATE TABLE trusted_profiles (
    environment_id TEXT_C NOT NULL,
    profile_id     TEXT_C NOT NULL,
    document       TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, profile_id)
);

-- The tokens that were used, by their id, for as long as they would be good. Of
-- the tokens that share an id only one that was issued later is good as well.
CREATE TABLE trusted_tokens (
    environment_id TEXT_C NOT NULL,
    profile_id     TEXT_C NOT NULL,
    token_id       BYTEA  NOT NULL,
    issued_at      BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, profile_id, token_id)
);
CREATE INDEX trusted_tokens_expiry ON trusted_tokens (expires_at);
