-- +goose Up
-- What the server remembers about the database as a whole.
CREATE TABLE settings (
    name  TEXT_C NOT NULL PRIMARY KEY,
    value TEXT   NOT NULL
);
