-- +goose Up
-- What providers have issued for accounts, where an environment keeps it. The
-- tokens are sealed as a whole, with whose they are. expires_at is when the
-- access token ends, 0 where the provider does not say. busy_until is until when
-- a node may be asking for a new one, and refused_until until when nobody asks
-- again, 0 for neither. The version moves with every change.
CREATE TABLE oauth_provider_tokens (
    environment_id  TEXT_C  NOT NULL,
    registration_id TEXT_C  NOT NULL,
    user_id         TEXT_C  NOT NULL,
    provider        TEXT_C  NOT NULL,
    sealed          BYTEA   NOT NULL,
    expires_at      BIGINT  NOT NULL,
    busy_until      BIGINT  NOT NULL,
    refused_until   BIGINT  NOT NULL,
    used            BOOLEAN NOT NULL,
    version         BIGINT  NOT NULL,
    created_at      BIGINT  NOT NULL,
    updated_at      BIGINT  NOT NULL,
    PRIMARY KEY (environment_id, registration_id)
);
CREATE INDEX oauth_provider_tokens_user ON oauth_provider_tokens (environment_id, user_id);
