CREATE TABLE biometric_challenges (
  environment_id TEXT NOT NULL,
  registration_id TEXT NOT NULL,
  ceremony TEXT NOT NULL,
  user_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  public_key BYTEA NOT NULL,
  challenge BYTEA NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, registration_id)
);
CREATE INDEX biometric_challenges_expiry ON biometric_challenges (expires_at);
CREATE INDEX biometric_challenges_user ON biometric_challenges (environment_id, user_id, session_id);

CREATE TABLE biometric_registrations (
  environment_id TEXT NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  public_key BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, public_key)
);
CREATE INDEX biometric_registrations_user ON biometric_registrations (environment_id, user_id);

CREATE TABLE config_version (
  id BIGINT NOT NULL PRIMARY KEY,
  version BIGINT NOT NULL
);

CREATE TABLE email_links (
  environment_id TEXT NOT NULL,
  token_hash BYTEA NOT NULL,
  kind TEXT NOT NULL,
  user_id TEXT NOT NULL,
  method_id TEXT NOT NULL,
  destination TEXT NOT NULL,
  code_challenge TEXT NOT NULL,
  ip_address TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  session_id TEXT NOT NULL,
  browser_hash BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX email_links_expiry ON email_links (expires_at);
CREATE INDEX email_links_method ON email_links (environment_id, user_id, method_id);

CREATE TABLE email_template_defaults (
  project_id TEXT NOT NULL,
  type TEXT NOT NULL,
  template_id TEXT NOT NULL,
  PRIMARY KEY (project_id, type),
  FOREIGN KEY (project_id, template_id) REFERENCES email_templates (project_id, template_id)
);

CREATE TABLE email_templates (
  project_id TEXT NOT NULL REFERENCES projects (id),
  template_id TEXT NOT NULL,
  type TEXT NOT NULL,
  document TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (project_id, template_id)
);

CREATE TABLE environments (
  id TEXT NOT NULL PRIMARY KEY,
  project_id TEXT NOT NULL REFERENCES projects (id),
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  config TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE events (
  environment_id TEXT NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  outcome TEXT NOT NULL,
  factor TEXT NOT NULL,
  user_id TEXT NOT NULL,
  object_id TEXT NOT NULL,
  ip TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  request_id TEXT NOT NULL,
  details TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX events_created ON events (created_at);

CREATE TABLE impersonations (
  environment_id TEXT NOT NULL,
  token_hash BYTEA NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  impersonator_id TEXT NOT NULL,
  impersonator_email_address TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX impersonations_expiry ON impersonations (expires_at);
CREATE INDEX impersonations_user ON impersonations (environment_id, user_id);

CREATE TABLE imports (
  environment_id TEXT NOT NULL,
  id TEXT NOT NULL,
  rows_done BIGINT NOT NULL,
  counts TEXT NOT NULL,
  finished BOOLEAN NOT NULL,
  started_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id)
);

CREATE TABLE jwt_templates (
  environment_id TEXT NOT NULL REFERENCES environments (id),
  type TEXT NOT NULL,
  content TEXT NOT NULL,
  custom_audience TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, type)
);

CREATE TABLE m2m_clients (
  environment_id TEXT NOT NULL,
  client_id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  status TEXT NOT NULL,
  scopes TEXT NOT NULL,
  trusted_metadata TEXT NOT NULL,
  secret_sealed BYTEA NOT NULL,
  secret_last_four TEXT NOT NULL,
  next_secret_sealed BYTEA,
  next_secret_last_four TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, client_id)
);
CREATE INDEX m2m_clients_id ON m2m_clients (client_id);
CREATE INDEX m2m_clients_name ON m2m_clients (environment_id, name);

CREATE TABLE m2m_scopes (
  environment_id TEXT NOT NULL,
  scope TEXT NOT NULL,
  client_id TEXT NOT NULL,
  PRIMARY KEY (environment_id, scope, client_id)
);
CREATE INDEX m2m_scopes_client ON m2m_scopes (environment_id, client_id);

CREATE TABLE mailbox (
  environment_id TEXT NOT NULL,
  id TEXT NOT NULL,
  place BIGINT NOT NULL,
  recipient TEXT NOT NULL,
  channel TEXT NOT NULL,
  type TEXT NOT NULL,
  content BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX mailbox_created ON mailbox (created_at);
CREATE INDEX mailbox_place ON mailbox (environment_id, place, id);

CREATE TABLE notice_devices (
  environment_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  device BYTEA NOT NULL,
  last_seen BIGINT NOT NULL,
  PRIMARY KEY (environment_id, user_id, device)
);
CREATE INDEX notice_devices_seen ON notice_devices (last_seen);

CREATE TABLE oauth_attachments (
  environment_id TEXT NOT NULL,
  token_hash BYTEA NOT NULL,
  provider TEXT NOT NULL,
  user_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX oauth_attachments_expiry ON oauth_attachments (expires_at);
CREATE INDEX oauth_attachments_user ON oauth_attachments (environment_id, user_id) WHERE user_id <> '';

CREATE TABLE oauth_flows (
  environment_id TEXT NOT NULL,
  state_hash BYTEA NOT NULL,
  provider TEXT NOT NULL,
  browser_hash BYTEA NOT NULL,
  login_url TEXT NOT NULL,
  signup_url TEXT NOT NULL,
  code_challenge TEXT NOT NULL,
  user_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  PRIMARY KEY (environment_id, state_hash)
);
CREATE INDEX oauth_flows_expiry ON oauth_flows (expires_at);
CREATE INDEX oauth_flows_user ON oauth_flows (environment_id, user_id) WHERE user_id <> '';

CREATE TABLE oauth_id_tokens (
  environment_id TEXT NOT NULL,
  token_hash BYTEA NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX oauth_id_tokens_expiry ON oauth_id_tokens (expires_at);

CREATE TABLE oauth_provider_tokens (
  environment_id TEXT NOT NULL,
  registration_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  sealed BYTEA NOT NULL,
  expires_at BIGINT NOT NULL,
  busy_until BIGINT NOT NULL,
  refused_until BIGINT NOT NULL,
  used BOOLEAN NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, registration_id)
);
CREATE INDEX oauth_provider_tokens_provider ON oauth_provider_tokens (environment_id, provider);
CREATE INDEX oauth_provider_tokens_user ON oauth_provider_tokens (environment_id, user_id);

CREATE TABLE oauth_providers (
  environment_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  client_id TEXT NOT NULL,
  enabled BOOLEAN NOT NULL,
  sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, provider)
);

CREATE TABLE oauth_tokens (
  environment_id TEXT NOT NULL,
  token_hash BYTEA NOT NULL,
  provider TEXT NOT NULL,
  code_challenge TEXT NOT NULL,
  user_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX oauth_tokens_expiry ON oauth_tokens (expires_at);
CREATE INDEX oauth_tokens_user ON oauth_tokens (environment_id, user_id) WHERE user_id <> '';

CREATE TABLE outbox (
  id TEXT NOT NULL PRIMARY KEY,
  environment_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  payload TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  claims BIGINT NOT NULL,
  run_at BIGINT NOT NULL,
  last_error TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX outbox_dead ON outbox (run_at, id) WHERE state = 'dead';
CREATE INDEX outbox_due ON outbox (run_at, id) WHERE state <> 'dead';

CREATE TABLE passcode_conversions (
  environment_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  region TEXT NOT NULL,
  sent BIGINT NOT NULL,
  authenticated BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, channel, region)
);
CREATE INDEX passcode_conversions_end ON passcode_conversions (ends_at);

CREATE TABLE passcodes (
  environment_id TEXT NOT NULL,
  method_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  code_mac BYTEA NOT NULL,
  attempts BIGINT NOT NULL,
  ip_address TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  session_id TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT,
  PRIMARY KEY (environment_id, method_id)
);
CREATE INDEX passcodes_expiry ON passcodes (expires_at);
CREATE INDEX passcodes_user ON passcodes (environment_id, user_id);

CREATE TABLE passwords (
  environment_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  hash_sealed BYTEA NOT NULL,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, user_id)
);

CREATE TABLE periodic_work (
  name TEXT NOT NULL PRIMARY KEY,
  next_run BIGINT NOT NULL,
  claims BIGINT NOT NULL,
  succeeded_at BIGINT,
  last_error TEXT NOT NULL
);

CREATE TABLE projects (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE public_tokens (
  environment_id TEXT NOT NULL REFERENCES environments (id),
  id TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id)
);

CREATE TABLE rate_limits (
  environment_id TEXT NOT NULL,
  rule TEXT NOT NULL,
  key BYTEA NOT NULL,
  taken BIGINT NOT NULL,
  ends_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, rule, key)
);
CREATE INDEX rate_limits_end ON rate_limits (ends_at);

CREATE TABLE rbac_policies (
  environment_id TEXT NOT NULL PRIMARY KEY REFERENCES environments (id),
  document TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE redirect_urls (
  environment_id TEXT NOT NULL REFERENCES environments (id),
  id TEXT NOT NULL,
  url TEXT NOT NULL,
  types TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, url)
);

CREATE TABLE secrets (
  environment_id TEXT NOT NULL REFERENCES environments (id),
  id TEXT NOT NULL,
  hash BYTEA NOT NULL UNIQUE,
  last_four TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id)
);

CREATE TABLE senders (
  environment_id TEXT NOT NULL,
  id TEXT NOT NULL,
  channel TEXT NOT NULL,
  kind TEXT NOT NULL,
  position BIGINT NOT NULL,
  summary TEXT NOT NULL,
  sealed BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX senders_channel ON senders (environment_id, channel, position);

CREATE TABLE sessions (
  environment_id TEXT NOT NULL,
  id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  token_hash BYTEA NOT NULL UNIQUE,
  token_sealed BYTEA NOT NULL,
  version BIGINT NOT NULL,
  factors TEXT NOT NULL,
  attributes TEXT NOT NULL,
  custom_claims TEXT NOT NULL,
  started_at BIGINT NOT NULL,
  last_accessed_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX sessions_expiry ON sessions (expires_at);
CREATE INDEX sessions_user ON sessions (environment_id, user_id);

CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE signing_keys (
  environment_id TEXT NOT NULL,
  id TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  private_sealed BYTEA NOT NULL,
  certificate BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  signs_at BIGINT NOT NULL,
  retires_at BIGINT,
  PRIMARY KEY (environment_id, id)
);

CREATE TABLE totps (
  environment_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  id TEXT NOT NULL,
  sealed BYTEA NOT NULL,
  last_step BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  PRIMARY KEY (environment_id, user_id)
);
CREATE INDEX totps_expiry ON totps (expires_at);

CREATE TABLE trusted_profiles (
  environment_id TEXT NOT NULL,
  profile_id TEXT NOT NULL,
  document TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, profile_id)
);

CREATE TABLE trusted_tokens (
  environment_id TEXT NOT NULL,
  profile_id TEXT NOT NULL,
  token_id BYTEA NOT NULL,
  issued_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, profile_id, token_id)
);
CREATE INDEX trusted_tokens_expiry ON trusted_tokens (expires_at);

CREATE TABLE unreachable_numbers (
  environment_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  number TEXT NOT NULL,
  reason TEXT NOT NULL,
  since BIGINT NOT NULL,
  ends_at BIGINT,
  PRIMARY KEY (environment_id, channel, number)
);
CREATE INDEX unreachable_numbers_ends ON unreachable_numbers (ends_at) WHERE ends_at IS NOT NULL;

CREATE TABLE user_counts (
  environment_id TEXT NOT NULL,
  shard BIGINT NOT NULL,
  users BIGINT NOT NULL,
  PRIMARY KEY (environment_id, shard)
);

CREATE TABLE user_factors (
  environment_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  value TEXT,
  user_id TEXT NOT NULL,
  verified BOOLEAN NOT NULL,
  expires_at BIGINT,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX user_factors_user ON user_factors (environment_id, verified, kind, user_id);
CREATE UNIQUE INDEX user_factors_value ON user_factors (environment_id, kind, value) WHERE value IS NOT NULL;

CREATE TABLE user_terms (
  environment_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  term TEXT NOT NULL,
  user_id TEXT NOT NULL,
  PRIMARY KEY (environment_id, kind, term, user_id)
);
CREATE INDEX user_terms_user ON user_terms (environment_id, user_id, kind, term);

CREATE TABLE users (
  environment_id TEXT NOT NULL,
  id TEXT NOT NULL,
  status TEXT NOT NULL,
  external_id TEXT,
  version BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  failed_attempts BIGINT NOT NULL,
  lock_created_at BIGINT,
  lock_expires_at BIGINT,
  expiries TEXT,
  changes_at BIGINT,
  document TEXT NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX users_changes_at ON users (environment_id, changes_at) WHERE changes_at IS NOT NULL;
CREATE UNIQUE INDEX users_external_id ON users (environment_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX users_pending ON users (environment_id, id) WHERE status = 'pending';

CREATE TABLE wallet_challenges (
  environment_id TEXT NOT NULL,
  wallet TEXT NOT NULL,
  asker TEXT NOT NULL,
  user_id TEXT NOT NULL,
  creates BOOLEAN NOT NULL,
  wallet_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  message TEXT NOT NULL,
  siwe TEXT NOT NULL,
  valid_from BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, wallet, asker)
);
CREATE INDEX wallet_challenges_expiry ON wallet_challenges (expires_at);
CREATE INDEX wallet_challenges_user ON wallet_challenges (environment_id, user_id);

CREATE TABLE wallet_contracts (
  environment_id TEXT NOT NULL,
  wallet_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  chain_id TEXT NOT NULL,
  PRIMARY KEY (environment_id, wallet_id)
);
CREATE INDEX wallet_contracts_user ON wallet_contracts (environment_id, user_id);

CREATE TABLE webauthn_challenges (
  environment_id TEXT NOT NULL,
  id BYTEA NOT NULL,
  ceremony TEXT NOT NULL,
  user_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  domain TEXT NOT NULL,
  verify_user BOOLEAN NOT NULL,
  user_handle BYTEA NOT NULL,
  authenticator_type TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (environment_id, id)
);
CREATE INDEX webauthn_challenges_expiry ON webauthn_challenges (expires_at);
CREATE INDEX webauthn_challenges_user ON webauthn_challenges (environment_id, user_id);

CREATE TABLE webauthn_credentials (
  environment_id TEXT NOT NULL,
  id TEXT NOT NULL,
  credential_id BYTEA NOT NULL,
  user_id TEXT NOT NULL,
  domain TEXT NOT NULL,
  user_handle BYTEA NOT NULL,
  public_key BYTEA NOT NULL,
  algorithm BIGINT NOT NULL,
  aaguid BYTEA NOT NULL,
  attestation_format TEXT NOT NULL,
  transports TEXT NOT NULL,
  authenticator_type TEXT NOT NULL,
  user_agent TEXT NOT NULL,
  discoverable BOOLEAN,
  user_verified BOOLEAN NOT NULL,
  backup_eligible BOOLEAN NOT NULL,
  backup_state BOOLEAN NOT NULL,
  sign_count BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  last_used_at BIGINT,
  PRIMARY KEY (environment_id, id),
  UNIQUE (environment_id, credential_id)
);
CREATE INDEX webauthn_credentials_user ON webauthn_credentials (environment_id, user_id, domain);

CREATE TABLE webauthn_used_challenges (
  environment_id TEXT NOT NULL,
  id BYTEA NOT NULL,
  PRIMARY KEY (environment_id, id)
);
