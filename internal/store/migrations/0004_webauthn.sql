-- +goose Up
-- What each registration proved when it was made and at its last use. Its name
-- is in the user's document alone.
CREATE TABLE webauthn_credentials (
    environment_id     TEXT_C  NOT NULL,
    id                 TEXT_C  NOT NULL,
    credential_id      BYTEA   NOT NULL,
    user_id            TEXT_C  NOT NULL,
    domain             TEXT_C  NOT NULL,
    user_handle        BYTEA   NOT NULL,
    public_key         BYTEA   NOT NULL,
    algorithm          BIGINT  NOT NULL,
    aaguid             BYTEA   NOT NULL,
    attestation_format TEXT    NOT NULL,
    transports         TEXT    NOT NULL,
    authenticator_type TEXT    NOT NULL,
    user_agent         TEXT    NOT NULL,
    discoverable       BOOLEAN,
    user_verified      BOOLEAN NOT NULL,
    backup_eligible    BOOLEAN NOT NULL,
    backup_state       BOOLEAN NOT NULL,
    sign_count         BIGINT  NOT NULL,
    created_at         BIGINT  NOT NULL,
    last_used_at       BIGINT,
    PRIMARY KEY (environment_id, id),
    UNIQUE (environment_id, credential_id)
);
CREATE INDEX webauthn_credentials_user ON webauthn_credentials (environment_id, user_id, domain);

-- Ceremonies of a known user under way, by the SHA-256 of their challenge.
CREATE TABLE webauthn_challenges (
    environment_id     TEXT_C  NOT NULL,
    id                 BYTEA   NOT NULL,
    ceremony           TEXT    NOT NULL,
    user_id            TEXT_C  NOT NULL,
    session_id         TEXT_C  NOT NULL,
    domain             TEXT_C  NOT NULL,
    verify_user        BOOLEAN NOT NULL,
    user_handle        BYTEA   NOT NULL,
    authenticator_type TEXT    NOT NULL,
    user_agent         TEXT    NOT NULL,
    expires_at         BIGINT  NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE INDEX webauthn_challenges_expiry ON webauthn_challenges (expires_at);
CREATE INDEX webauthn_challenges_user ON webauthn_challenges (environment_id, user_id);

-- Anonymous challenges that were answered. The id begins with the expiry, so
-- the primary key is also the order in which rows may be dropped.
CREATE TABLE webauthn_used_challenges (
    environment_id TEXT_C NOT NULL,
    id             BYTEA  NOT NULL,
    PRIMARY KEY (environment_id, id)
);
