-- +goose Up
-- The public halves of the Ed25519 keys that devices keep behind a fingerprint or
-- a face. A key belongs to one registration in an environment.
CREATE TABLE biometric_registrations (
    environment_id TEXT_C NOT NULL,
    id             TEXT_C NOT NULL,
    user_id        TEXT_C NOT NULL,
    public_key     BYTEA  NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, id),
    UNIQUE (environment_id, public_key)
);
CREATE INDEX biometric_registrations_user ON biometric_registrations (environment_id, user_id);

-- The one challenge that each registration waits for an answer to. Of a ceremony
-- 'register' the registration exists nowhere else yet, and session_id says which
-- session it has to be finished in; of 'authenticate' it is empty.
CREATE TABLE biometric_challenges (
    environment_id  TEXT_C NOT NULL,
    registration_id TEXT_C NOT NULL,
    ceremony        TEXT   NOT NULL,
    user_id         TEXT_C NOT NULL,
    session_id      TEXT_C NOT NULL,
    public_key      BYTEA  NOT NULL,
    challenge       BYTEA  NOT NULL,
    expires_at      BIGINT NOT NULL,
    PRIMARY KEY (environment_id, registration_id)
);
CREATE INDEX biometric_challenges_user ON biometric_challenges (environment_id, user_id, session_id);
CREATE INDEX biometric_challenges_expiry ON biometric_challenges (expires_at);
