-- +goose Up
-- How far the import of a file has come, written with the rows it counts. id
-- names the file, by its size and its beginning, and how it is read.
CREATE TABLE imports (
    environment_id TEXT_C  NOT NULL,
    id             TEXT_C  NOT NULL,
    rows_done      BIGINT  NOT NULL,
    counts         TEXT    NOT NULL,
    finished       BOOLEAN NOT NULL,
    started_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL,
    PRIMARY KEY (environment_id, id)
);
