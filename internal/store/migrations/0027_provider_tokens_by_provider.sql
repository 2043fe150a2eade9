-- +goose Up
-- Finds what is kept of a provider that an environment has removed.
CREATE INDEX oauth_provider_tokens_provider ON oauth_provider_tokens (environment_id, provider);
