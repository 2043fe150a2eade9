-- +goose Up
-- What an environment is known by at identity providers. The credentials are
-- sealed as a whole; the client id is what may be shown of them.
CREATE TABLE oauth_providers (
    environment_id TEXT_C  NOT NULL,
    provider       TEXT_C  NOT NULL,
    client_id      TEXT    NOT NULL,
    enabled        BOOLEAN NOT NULL,
    sealed         BYTEA   NOT NULL,
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL,
    PRIMARY KEY (environment_id, provider)
);

-- A browser that is on its way to a provider and back, by the SHA-256 of its
-- state. browser_hash is that of the cookie of the browser that began. user_id
-- and session_id are set where the account is to be added to a user. One that is
-- used or over stays for a while, so that whoever comes back twice is told so.
CREATE TABLE oauth_flows (
    environment_id TEXT_C NOT NULL,
    state_hash     BYTEA  NOT NULL,
    provider       TEXT_C NOT NULL,
    browser_hash   BYTEA  NOT NULL,
    login_url      TEXT   NOT NULL,
    signup_url     TEXT   NOT NULL,
    code_challenge TEXT   NOT NULL,
    user_id        TEXT_C NOT NULL,
    session_id     TEXT_C NOT NULL,
    sealed         BYTEA  NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    used_at        BIGINT,
    PRIMARY KEY (environment_id, state_hash)
);
CREATE INDEX oauth_flows_user ON oauth_flows (environment_id, user_id) WHERE user_id <> '';
CREATE INDEX oauth_flows_expiry ON oauth_flows (expires_at);

-- What a browser brings back to the app, by the SHA-256 of the token. The
-- account and what its provider issued are sealed.
CREATE TABLE oauth_tokens (
    environment_id TEXT_C NOT NULL,
    token_hash     BYTEA  NOT NULL,
    provider       TEXT_C NOT NULL,
    code_challenge TEXT   NOT NULL,
    user_id        TEXT_C NOT NULL,
    session_id     TEXT_C NOT NULL,
    sealed         BYTEA  NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX oauth_tokens_user ON oauth_tokens (environment_id, user_id) WHERE user_id <> '';
CREATE INDEX oauth_tokens_expiry ON oauth_tokens (expires_at);

-- Whose user an account is to be added to, by the SHA-256 of the token that a
-- start at that provider brings.
CREATE TABLE oauth_attachments (
    environment_id TEXT_C NOT NULL,
    token_hash     BYTEA  NOT NULL,
    provider       TEXT_C NOT NULL,
    user_id        TEXT_C NOT NULL,
    session_id     TEXT_C NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX oauth_attachments_user ON oauth_attachments (environment_id, user_id) WHERE user_id <> '';
CREATE INDEX oauth_attachments_expiry ON oauth_attachments (expires_at);
