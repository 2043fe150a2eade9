-- +goose Up
-- How e-mails are worded. Templates belong to the project, not to one of its
-- environments: what was tried in test is what live sends, and an id means the
-- same in both. So these tables begin their keys with the project's id.
CREATE TABLE email_templates (
    project_id  TEXT_C NOT NULL REFERENCES projects (id),
    template_id TEXT_C NOT NULL,
    type        TEXT   NOT NULL,
    document    TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (project_id, template_id)
);

-- The template of a type that a message takes when it names none.
CREATE TABLE email_template_defaults (
    project_id  TEXT_C NOT NULL,
    type        TEXT_C NOT NULL,
    template_id TEXT_C NOT NULL,
    PRIMARY KEY (project_id, type),
    FOREIGN KEY (project_id, template_id) REFERENCES email_templates (project_id, template_id)
);
