-- +goose Up
-- One-time links by the SHA-256 of their token. A used or expired link stays
-- for a while, so that whoever opens it is told so. browser_hash is that of the
-- cookie of the browser that asked for the link, empty when a server did. A link
-- that adds an address works in its session_id only.
CREATE TABLE email_links (
    environment_id TEXT_C NOT NULL,
    token_hash     BYTEA  NOT NULL,
    kind           TEXT   NOT NULL,
    user_id        TEXT_C NOT NULL,
    method_id      TEXT_C NOT NULL,
    destination    TEXT   NOT NULL,
    code_challenge TEXT   NOT NULL,
    ip_address     TEXT   NOT NULL,
    user_agent     TEXT   NOT NULL,
    session_id     TEXT_C NOT NULL,
    browser_hash   BYTEA  NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    used_at        BIGINT,
    PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX email_links_method ON email_links (environment_id, user_id, method_id);
CREATE INDEX email_links_expiry ON email_links (expires_at);
