-- +goose Up
-- Numbers whose owner or carrier refuses texts, so that nobody pays to be
-- refused again. ends_at: until when; NULL is until a text arrives or an operator
-- says so.
CREATE TABLE unreachable_numbers (
    environment_id TEXT_C NOT NULL,
    channel        TEXT_C NOT NULL,
    number         TEXT_C NOT NULL,
    reason         TEXT   NOT NULL,
    since          BIGINT NOT NULL,
    ends_at        BIGINT,
    PRIMARY KEY (environment_id, channel, number)
);
CREATE INDEX unreachable_numbers_ends ON unreachable_numbers (ends_at) WHERE ends_at IS NOT NULL;
