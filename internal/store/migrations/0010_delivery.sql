-- +goose Up
-- Who sends the messages of an environment: those of a channel are tried in
-- ascending position. Settings and password are sealed together; the summary
-- is what may be shown of them.
CREATE TABLE senders (
    environment_id TEXT_C NOT NULL,
    id             TEXT_C NOT NULL,
    channel        TEXT_C NOT NULL,
    kind           TEXT   NOT NULL,
    position       BIGINT NOT NULL,
    summary        TEXT   NOT NULL,
    sealed         BYTEA  NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE INDEX senders_channel ON senders (environment_id, channel, position);
