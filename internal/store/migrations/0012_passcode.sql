-- +goose Up
-- The one passcode that was last sent to an address or number, which method_id
-- names: as a MAC, never as itself. One that is over stays for a while, so that
-- whoever types it is told so. A code that adds an address or a number works in
-- its session_id only.
CREATE TABLE passcodes (
    environment_id TEXT_C NOT NULL,
    method_id      TEXT_C NOT NULL,
    user_id        TEXT_C NOT NULL,
    channel        TEXT   NOT NULL,
    code_mac       BYTEA  NOT NULL,
    attempts       BIGINT NOT NULL,
    ip_address     TEXT   NOT NULL,
    user_agent     TEXT   NOT NULL,
    session_id     TEXT_C NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    used_at        BIGINT,
    PRIMARY KEY (environment_id, method_id)
);
CREATE INDEX passcodes_user ON passcodes (environment_id, user_id);
CREATE INDEX passcodes_expiry ON passcodes (expires_at);

-- How many texts went to a country in the window that ends at ends_at, and how
-- many codes of texts there were typed in during it.
CREATE TABLE passcode_conversions (
    environment_id TEXT_C NOT NULL,
    channel        TEXT_C NOT NULL,
    region         TEXT_C NOT NULL,
    sent           BIGINT NOT NULL,
    authenticated  BIGINT NOT NULL,
    ends_at        BIGINT NOT NULL,
    PRIMARY KEY (environment_id, channel, region)
);
CREATE INDEX passcode_conversions_end ON passcode_conversions (ends_at);
