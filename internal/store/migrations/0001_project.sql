-- +goose Up
CREATE TABLE projects (
    id         TEXT_C NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE environments (
    id         TEXT_C NOT NULL PRIMARY KEY,
    project_id TEXT_C NOT NULL REFERENCES projects (id),
    kind       TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    config     TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE secrets (
    environment_id TEXT_C NOT NULL REFERENCES environments (id),
    id             TEXT_C NOT NULL,
    hash           BYTEA  NOT NULL UNIQUE,
    last_four      TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, id)
);

CREATE TABLE public_tokens (
    environment_id TEXT_C NOT NULL REFERENCES environments (id),
    id             TEXT_C NOT NULL UNIQUE,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, id)
);

CREATE TABLE redirect_urls (
    environment_id TEXT_C NOT NULL REFERENCES environments (id),
    id             TEXT_C NOT NULL,
    url            TEXT_C NOT NULL,
    types          TEXT   NOT NULL,
    created_at     BIGINT NOT NULL,
    PRIMARY KEY (environment_id, id),
    UNIQUE (environment_id, url)
);

-- One row: every change of configuration moves it, and every node polls it.
CREATE TABLE config_version (
    id      BIGINT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);
INSERT INTO config_version (id, version) VALUES (1, 1);
