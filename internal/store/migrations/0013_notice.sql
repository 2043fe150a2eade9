-- +goose Up
-- The devices that a user has signed in from: a MAC of the user agent without
-- versions and of the network.
CREATE TABLE notice_devices (
    environment_id TEXT_C NOT NULL,
    user_id        TEXT_C NOT NULL,
    device         BYTEA  NOT NULL,
    last_seen      BIGINT NOT NULL,
    PRIMARY KEY (environment_id, user_id, device)
);
CREATE INDEX notice_devices_seen ON notice_devices (last_seen);
