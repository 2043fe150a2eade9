-- +goose Up
-- What roles may do. An environment without a row has the built-in policy.
CREATE TABLE rbac_policies (
    environment_id TEXT_C NOT NULL PRIMARY KEY REFERENCES environments (id),
    document       TEXT   NOT NULL,
    updated_at     BIGINT NOT NULL
);

-- How the claims of JWTs are made, one of a type: SESSION, M2M.
CREATE TABLE jwt_templates (
    environment_id  TEXT_C NOT NULL REFERENCES environments (id),
    type            TEXT_C NOT NULL,
    content         TEXT   NOT NULL,
    custom_audience TEXT   NOT NULL,
    updated_at      BIGINT NOT NULL,
    PRIMARY KEY (environment_id, type)
);
