-- +goose Up
-- How much was taken of a limit in the window that ends at ends_at. The key is
-- a hash of what is limited, never the text itself.
CREATE TABLE rate_limits (
    environment_id TEXT_C NOT NULL,
    rule           TEXT_C NOT NULL,
    key            BYTEA  NOT NULL,
    taken          BIGINT NOT NULL,
    ends_at        BIGINT NOT NULL,
    PRIMARY KEY (environment_id, rule, key)
);
CREATE INDEX rate_limits_end ON rate_limits (ends_at);
