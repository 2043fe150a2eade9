-- +goose Up
-- The one authenticator app that a user has, or is about to have: then
-- expires_at says until when. sealed holds the secret and the recovery codes.
-- last_step is the 30-second step, since 1970, of the last code that was taken.
CREATE TABLE totps (
    environment_id TEXT_C NOT NULL,
    user_id        TEXT_C NOT NULL,
    id             TEXT_C NOT NULL,
    sealed         BYTEA  NOT NULL,
    last_step      BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT,
    PRIMARY KEY (environment_id, user_id)
);
CREATE INDEX totps_expiry ON totps (expires_at);
