-- +goose Up
-- The hash of the one password a user may have, sealed: hashes brought along
-- from other systems can be weak, and a copy of the database must not be enough
-- to guess at them. version moves when another password is set, not when the
-- same one is hashed anew.
CREATE TABLE passwords (
    environment_id TEXT_C NOT NULL,
    user_id        TEXT_C NOT NULL,
    hash_sealed    BYTEA  NOT NULL,
    version        BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, user_id)
);
