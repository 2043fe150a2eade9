-- +goose Up
CREATE TABLE events (
    environment_id TEXT_C NOT NULL,
    id             TEXT_C NOT NULL,
    type           TEXT_C NOT NULL,
    outcome        TEXT   NOT NULL,
    factor         TEXT   NOT NULL,
    user_id        TEXT_C NOT NULL,
    object_id      TEXT   NOT NULL,
    ip             TEXT   NOT NULL,
    user_agent     TEXT   NOT NULL,
    request_id     TEXT   NOT NULL,
    details        TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE INDEX events_created ON events (created_at);

-- Work to be done after the fact it belongs to was committed; what is done is
-- deleted. run_at is when a job is due or, while it is running, when another
-- worker may take it over. claims counts the takings: only the latest settles.
CREATE TABLE outbox (
    id             TEXT_C NOT NULL PRIMARY KEY,
    environment_id TEXT_C NOT NULL,
    kind           TEXT_C NOT NULL,
    payload        TEXT   NOT NULL,
    state          TEXT   NOT NULL,
    attempts       BIGINT NOT NULL,
    claims         BIGINT NOT NULL,
    run_at         BIGINT NOT NULL,
    last_error     TEXT   NOT NULL,
    created_at     BIGINT NOT NULL
);
CREATE INDEX outbox_due ON outbox (run_at, id) WHERE state <> 'dead';
CREATE INDEX outbox_dead ON outbox (run_at, id) WHERE state = 'dead';

-- Work that comes back, done by one process at a time. claims as above.
CREATE TABLE periodic_work (
    name         TEXT_C NOT NULL PRIMARY KEY,
    next_run     BIGINT NOT NULL,
    claims       BIGINT NOT NULL,
    succeeded_at BIGINT,
    last_error   TEXT   NOT NULL
);
