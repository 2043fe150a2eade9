-- +goose Up
-- The user is stored whole. The document is what the wire shows; what depends
-- on the clock stands beside it, and changes_at says from when on the reader
-- has to apply it.
CREATE TABLE users (
    environment_id  TEXT_C NOT NULL,
    id              TEXT_C NOT NULL,
    status          TEXT   NOT NULL,
    external_id     TEXT_C,
    version         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    failed_attempts BIGINT NOT NULL,
    lock_created_at BIGINT,
    lock_expires_at BIGINT,
    expiries        TEXT,
    changes_at      BIGINT,
    document        TEXT   NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE UNIQUE INDEX users_external_id ON users (environment_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX users_pending ON users (environment_id, id) WHERE status = 'pending';
CREATE INDEX users_changes_at ON users (environment_id, changes_at) WHERE changes_at IS NOT NULL;

-- What makes a factor unique and findable, for all kinds of factor. An id says
-- its kind. No index begins like another one, so that even a planner without
-- statistics (PostgreSQL, before its first ANALYZE) has nothing to confuse.
CREATE TABLE user_factors (
    environment_id TEXT_C  NOT NULL,
    kind           TEXT_C  NOT NULL,
    id             TEXT_C  NOT NULL,
    value          TEXT_C,
    user_id        TEXT_C  NOT NULL,
    verified       BOOLEAN NOT NULL,
    expires_at     BIGINT,
    PRIMARY KEY (environment_id, id)
);
CREATE UNIQUE INDEX user_factors_value ON user_factors (environment_id, kind, value) WHERE value IS NOT NULL;
CREATE INDEX user_factors_user ON user_factors (environment_id, verified, kind, user_id);

-- Words a user is found by, read as prefix ranges. The second index answers
-- whether one given user has such a word.
CREATE TABLE user_terms (
    environment_id TEXT_C NOT NULL,
    kind           TEXT_C NOT NULL,
    term           TEXT_C NOT NULL,
    user_id        TEXT_C NOT NULL,
    PRIMARY KEY (environment_id, kind, term, user_id)
);
CREATE INDEX user_terms_user ON user_terms (environment_id, user_id, kind, term);

-- How many users there are, in parts so that those who create users at the
-- same time do not wait for one row.
CREATE TABLE user_counts (
    environment_id TEXT_C NOT NULL,
    shard          BIGINT NOT NULL,
    users          BIGINT NOT NULL,
    PRIMARY KEY (environment_id, shard)
);
