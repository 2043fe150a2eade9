-- +goose Up
-- Messages that were kept instead of sent. content is the sealed envelope: its
-- links and codes still work. The rest is what messages are found by. place
-- counts arrivals, so that the later of two in one millisecond is the newer.
CREATE TABLE mailbox (
    environment_id TEXT_C NOT NULL,
    id             TEXT_C NOT NULL,
    place          BIGINT NOT NULL,
    recipient      TEXT_C NOT NULL,
    channel        TEXT_C NOT NULL,
    type           TEXT_C NOT NULL,
    content        BYTEA  NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE INDEX mailbox_place ON mailbox (environment_id, place, id);
CREATE INDEX mailbox_created ON mailbox (created_at);
