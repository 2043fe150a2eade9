CREATE TABLE biometric_challenges (
  environment_id text COLLATE "C" NOT NULL,
  registration_id text COLLATE "C" NOT NULL,
  ceremony text NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  public_key bytea NOT NULL,
  challenge bytea NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT biometric_challenges_pkey PRIMARY KEY (environment_id, registration_id)
);
CREATE INDEX biometric_challenges_expiry ON biometric_challenges USING btree (expires_at);
CREATE INDEX biometric_challenges_user ON biometric_challenges USING btree (environment_id, user_id, session_id);

CREATE TABLE biometric_registrations (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  public_key bytea NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT biometric_registrations_pkey PRIMARY KEY (environment_id, id),
  CONSTRAINT biometric_registrations_environment_id_public_key_key UNIQUE (environment_id, public_key)
);
CREATE INDEX biometric_registrations_user ON biometric_registrations USING btree (environment_id, user_id);

CREATE TABLE config_version (
  id bigint NOT NULL,
  version bigint NOT NULL,
  CONSTRAINT config_version_pkey PRIMARY KEY (id)
);

CREATE TABLE email_links (
  environment_id text COLLATE "C" NOT NULL,
  token_hash bytea NOT NULL,
  kind text NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  method_id text COLLATE "C" NOT NULL,
  destination text NOT NULL,
  code_challenge text NOT NULL,
  ip_address text NOT NULL,
  user_agent text NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  browser_hash bytea NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  used_at bigint,
  CONSTRAINT email_links_pkey PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX email_links_expiry ON email_links USING btree (expires_at);
CREATE INDEX email_links_method ON email_links USING btree (environment_id, user_id, method_id);

CREATE TABLE email_template_defaults (
  project_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  template_id text COLLATE "C" NOT NULL,
  CONSTRAINT email_template_defaults_pkey PRIMARY KEY (project_id, type),
  CONSTRAINT email_template_defaults_project_id_template_id_fkey FOREIGN KEY (project_id, template_id) REFERENCES email_templates(project_id, template_id)
);

CREATE TABLE email_templates (
  project_id text COLLATE "C" NOT NULL,
  template_id text COLLATE "C" NOT NULL,
  type text NOT NULL,
  document text NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  CONSTRAINT email_templates_pkey PRIMARY KEY (project_id, template_id),
  CONSTRAINT email_templates_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id)
);

CREATE TABLE environments (
  id text COLLATE "C" NOT NULL,
  project_id text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  name text NOT NULL,
  config text NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT environments_pkey PRIMARY KEY (id),
  CONSTRAINT environments_project_id_fkey FOREIGN KEY (project_id) REFERENCES projects(id)
);

CREATE TABLE events (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  outcome text NOT NULL,
  factor text NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  object_id text NOT NULL,
  ip text NOT NULL,
  user_agent text NOT NULL,
  request_id text NOT NULL,
  details text NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT events_pkey PRIMARY KEY (environment_id, id)
);
CREATE INDEX events_created ON events USING btree (created_at);

CREATE TABLE impersonations (
  environment_id text COLLATE "C" NOT NULL,
  token_hash bytea NOT NULL,
  id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  impersonator_id text NOT NULL,
  impersonator_email_address text NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT impersonations_pkey PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX impersonations_expiry ON impersonations USING btree (expires_at);
CREATE INDEX impersonations_user ON impersonations USING btree (environment_id, user_id);

CREATE TABLE imports (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  rows_done bigint NOT NULL,
  counts text NOT NULL,
  finished boolean NOT NULL,
  started_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  CONSTRAINT imports_pkey PRIMARY KEY (environment_id, id)
);

CREATE TABLE jwt_templates (
  environment_id text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  content text NOT NULL,
  custom_audience text NOT NULL,
  updated_at bigint NOT NULL,
  CONSTRAINT jwt_templates_pkey PRIMARY KEY (environment_id, type),
  CONSTRAINT jwt_templates_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id)
);

CREATE TABLE m2m_clients (
  environment_id text COLLATE "C" NOT NULL,
  client_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  description text NOT NULL,
  status text NOT NULL,
  scopes text NOT NULL,
  trusted_metadata text NOT NULL,
  secret_sealed bytea NOT NULL,
  secret_last_four text NOT NULL,
  next_secret_sealed bytea,
  next_secret_last_four text,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  CONSTRAINT m2m_clients_pkey PRIMARY KEY (environment_id, client_id)
);
CREATE INDEX m2m_clients_id ON m2m_clients USING btree (client_id);
CREATE INDEX m2m_clients_name ON m2m_clients USING btree (environment_id, name);

CREATE TABLE m2m_scopes (
  environment_id text COLLATE "C" NOT NULL,
  scope text COLLATE "C" NOT NULL,
  client_id text COLLATE "C" NOT NULL,
  CONSTRAINT m2m_scopes_pkey PRIMARY KEY (environment_id, scope, client_id)
);
CREATE INDEX m2m_scopes_client ON m2m_scopes USING btree (environment_id, client_id);

CREATE TABLE mailbox (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  place bigint NOT NULL,
  recipient text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL,
  content bytea NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT mailbox_pkey PRIMARY KEY (environment_id, id)
);
CREATE INDEX mailbox_created ON mailbox USING btree (created_at);
CREATE INDEX mailbox_place ON mailbox USING btree (environment_id, place, id);

CREATE TABLE notice_devices (
  environment_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  device bytea NOT NULL,
  last_seen bigint NOT NULL,
  CONSTRAINT notice_devices_pkey PRIMARY KEY (environment_id, user_id, device)
);
CREATE INDEX notice_devices_seen ON notice_devices USING btree (last_seen);

CREATE TABLE oauth_attachments (
  environment_id text COLLATE "C" NOT NULL,
  token_hash bytea NOT NULL,
  provider text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT oauth_attachments_pkey PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX oauth_attachments_expiry ON oauth_attachments USING btree (expires_at);
CREATE INDEX oauth_attachments_user ON oauth_attachments USING btree (environment_id, user_id) WHERE (user_id <> ''::text);

CREATE TABLE oauth_flows (
  environment_id text COLLATE "C" NOT NULL,
  state_hash bytea NOT NULL,
  provider text COLLATE "C" NOT NULL,
  browser_hash bytea NOT NULL,
  login_url text NOT NULL,
  signup_url text NOT NULL,
  code_challenge text NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  sealed bytea NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  used_at bigint,
  CONSTRAINT oauth_flows_pkey PRIMARY KEY (environment_id, state_hash)
);
CREATE INDEX oauth_flows_expiry ON oauth_flows USING btree (expires_at);
CREATE INDEX oauth_flows_user ON oauth_flows USING btree (environment_id, user_id) WHERE (user_id <> ''::text);

CREATE TABLE oauth_id_tokens (
  environment_id text COLLATE "C" NOT NULL,
  token_hash bytea NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT oauth_id_tokens_pkey PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX oauth_id_tokens_expiry ON oauth_id_tokens USING btree (expires_at);

CREATE TABLE oauth_provider_tokens (
  environment_id text COLLATE "C" NOT NULL,
  registration_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  sealed bytea NOT NULL,
  expires_at bigint NOT NULL,
  busy_until bigint NOT NULL,
  refused_until bigint NOT NULL,
  used boolean NOT NULL,
  version bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  CONSTRAINT oauth_provider_tokens_pkey PRIMARY KEY (environment_id, registration_id)
);
CREATE INDEX oauth_provider_tokens_provider ON oauth_provider_tokens USING btree (environment_id, provider);
CREATE INDEX oauth_provider_tokens_user ON oauth_provider_tokens USING btree (environment_id, user_id);

CREATE TABLE oauth_providers (
  environment_id text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  client_id text NOT NULL,
  enabled boolean NOT NULL,
  sealed bytea NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  CONSTRAINT oauth_providers_pkey PRIMARY KEY (environment_id, provider)
);

CREATE TABLE oauth_tokens (
  environment_id text COLLATE "C" NOT NULL,
  token_hash bytea NOT NULL,
  provider text COLLATE "C" NOT NULL,
  code_challenge text NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  sealed bytea NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT oauth_tokens_pkey PRIMARY KEY (environment_id, token_hash)
);
CREATE INDEX oauth_tokens_expiry ON oauth_tokens USING btree (expires_at);
CREATE INDEX oauth_tokens_user ON oauth_tokens USING btree (environment_id, user_id) WHERE (user_id <> ''::text);

CREATE TABLE outbox (
  id text COLLATE "C" NOT NULL,
  environment_id text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  state text NOT NULL,
  attempts bigint NOT NULL,
  claims bigint NOT NULL,
  run_at bigint NOT NULL,
  last_error text NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT outbox_pkey PRIMARY KEY (id)
);
CREATE INDEX outbox_dead ON outbox USING btree (run_at, id) WHERE (state = 'dead'::text);
CREATE INDEX outbox_due ON outbox USING btree (run_at, id) WHERE (state <> 'dead'::text);

CREATE TABLE passcode_conversions (
  environment_id text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  region text COLLATE "C" NOT NULL,
  sent bigint NOT NULL,
  authenticated bigint NOT NULL,
  ends_at bigint NOT NULL,
  CONSTRAINT passcode_conversions_pkey PRIMARY KEY (environment_id, channel, region)
);
CREATE INDEX passcode_conversions_end ON passcode_conversions USING btree (ends_at);

CREATE TABLE passcodes (
  environment_id text COLLATE "C" NOT NULL,
  method_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  channel text NOT NULL,
  code_mac bytea NOT NULL,
  attempts bigint NOT NULL,
  ip_address text NOT NULL,
  user_agent text NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  used_at bigint,
  CONSTRAINT passcodes_pkey PRIMARY KEY (environment_id, method_id)
);
CREATE INDEX passcodes_expiry ON passcodes USING btree (expires_at);
CREATE INDEX passcodes_user ON passcodes USING btree (environment_id, user_id);

CREATE TABLE passwords (
  environment_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  hash_sealed bytea NOT NULL,
  version bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  CONSTRAINT passwords_pkey PRIMARY KEY (environment_id, user_id)
);

CREATE TABLE periodic_work (
  name text COLLATE "C" NOT NULL,
  next_run bigint NOT NULL,
  claims bigint NOT NULL,
  succeeded_at bigint,
  last_error text NOT NULL,
  CONSTRAINT periodic_work_pkey PRIMARY KEY (name)
);

CREATE TABLE projects (
  id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT projects_pkey PRIMARY KEY (id)
);

CREATE TABLE public_tokens (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT public_tokens_pkey PRIMARY KEY (environment_id, id),
  CONSTRAINT public_tokens_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT public_tokens_id_key UNIQUE (id)
);

CREATE TABLE rate_limits (
  environment_id text COLLATE "C" NOT NULL,
  rule text COLLATE "C" NOT NULL,
  key bytea NOT NULL,
  taken bigint NOT NULL,
  ends_at bigint NOT NULL,
  CONSTRAINT rate_limits_pkey PRIMARY KEY (environment_id, rule, key)
);
CREATE INDEX rate_limits_end ON rate_limits USING btree (ends_at);

CREATE TABLE rbac_policies (
  environment_id text COLLATE "C" NOT NULL,
  document text NOT NULL,
  updated_at bigint NOT NULL,
  CONSTRAINT rbac_policies_pkey PRIMARY KEY (environment_id),
  CONSTRAINT rbac_policies_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id)
);

CREATE TABLE redirect_urls (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  url text COLLATE "C" NOT NULL,
  types text NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT redirect_urls_pkey PRIMARY KEY (environment_id, id),
  CONSTRAINT redirect_urls_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT redirect_urls_environment_id_url_key UNIQUE (environment_id, url)
);

CREATE TABLE secrets (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  hash bytea NOT NULL,
  last_four text NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT secrets_pkey PRIMARY KEY (environment_id, id),
  CONSTRAINT secrets_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES environments(id),
  CONSTRAINT secrets_hash_key UNIQUE (hash)
);

CREATE TABLE senders (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  position bigint NOT NULL,
  summary text NOT NULL,
  sealed bytea NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT senders_pkey PRIMARY KEY (environment_id, id)
);
CREATE INDEX senders_channel ON senders USING btree (environment_id, channel, "position");

CREATE TABLE sessions (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  token_hash bytea NOT NULL,
  token_sealed bytea NOT NULL,
  version bigint NOT NULL,
  factors text NOT NULL,
  attributes text NOT NULL,
  custom_claims text NOT NULL,
  started_at bigint NOT NULL,
  last_accessed_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT sessions_pkey PRIMARY KEY (environment_id, id),
  CONSTRAINT sessions_token_hash_key UNIQUE (token_hash)
);
CREATE INDEX sessions_expiry ON sessions USING btree (expires_at);
CREATE INDEX sessions_user ON sessions USING btree (environment_id, user_id);

CREATE TABLE settings (
  name text COLLATE "C" NOT NULL,
  value text NOT NULL,
  CONSTRAINT settings_pkey PRIMARY KEY (name)
);

CREATE TABLE signing_keys (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  algorithm text NOT NULL,
  private_sealed bytea NOT NULL,
  certificate bytea NOT NULL,
  created_at bigint NOT NULL,
  signs_at bigint NOT NULL,
  retires_at bigint,
  CONSTRAINT signing_keys_pkey PRIMARY KEY (environment_id, id)
);

CREATE TABLE totps (
  environment_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  sealed bytea NOT NULL,
  last_step bigint NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  CONSTRAINT totps_pkey PRIMARY KEY (environment_id, user_id)
);
CREATE INDEX totps_expiry ON totps USING btree (expires_at);

CREATE TABLE trusted_profiles (
  environment_id text COLLATE "C" NOT NULL,
  profile_id text COLLATE "C" NOT NULL,
  document text NOT NULL,
  created_at bigint NOT NULL,
  CONSTRAINT trusted_profiles_pkey PRIMARY KEY (environment_id, profile_id)
);

CREATE TABLE trusted_tokens (
  environment_id text COLLATE "C" NOT NULL,
  profile_id text COLLATE "C" NOT NULL,
  token_id bytea NOT NULL,
  issued_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT trusted_tokens_pkey PRIMARY KEY (environment_id, profile_id, token_id)
);
CREATE INDEX trusted_tokens_expiry ON trusted_tokens USING btree (expires_at);

CREATE TABLE unreachable_numbers (
  environment_id text COLLATE "C" NOT NULL,
  channel text COLLATE "C" NOT NULL,
  number text COLLATE "C" NOT NULL,
  reason text NOT NULL,
  since bigint NOT NULL,
  ends_at bigint,
  CONSTRAINT unreachable_numbers_pkey PRIMARY KEY (environment_id, channel, number)
);
CREATE INDEX unreachable_numbers_ends ON unreachable_numbers USING btree (ends_at) WHERE (ends_at IS NOT NULL);

CREATE TABLE user_counts (
  environment_id text COLLATE "C" NOT NULL,
  shard bigint NOT NULL,
  users bigint NOT NULL,
  CONSTRAINT user_counts_pkey PRIMARY KEY (environment_id, shard)
);

CREATE TABLE user_factors (
  environment_id text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  value text COLLATE "C",
  user_id text COLLATE "C" NOT NULL,
  verified boolean NOT NULL,
  expires_at bigint,
  CONSTRAINT user_factors_pkey PRIMARY KEY (environment_id, id)
);
CREATE INDEX user_factors_user ON user_factors USING btree (environment_id, verified, kind, user_id);
CREATE UNIQUE INDEX user_factors_value ON user_factors USING btree (environment_id, kind, value) WHERE (value IS NOT NULL);

CREATE TABLE user_terms (
  environment_id text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  term text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  CONSTRAINT user_terms_pkey PRIMARY KEY (environment_id, kind, term, user_id)
);
CREATE INDEX user_terms_user ON user_terms USING btree (environment_id, user_id, kind, term);

CREATE TABLE users (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  status text NOT NULL,
  external_id text COLLATE "C",
  version bigint NOT NULL,
  created_at bigint NOT NULL,
  updated_at bigint NOT NULL,
  failed_attempts bigint NOT NULL,
  lock_created_at bigint,
  lock_expires_at bigint,
  expiries text,
  changes_at bigint,
  document text NOT NULL,
  CONSTRAINT users_pkey PRIMARY KEY (environment_id, id)
);
CREATE INDEX users_changes_at ON users USING btree (environment_id, changes_at) WHERE (changes_at IS NOT NULL);
CREATE UNIQUE INDEX users_external_id ON users USING btree (environment_id, external_id) WHERE (external_id IS NOT NULL);
CREATE INDEX users_pending ON users USING btree (environment_id, id) WHERE (status = 'pending'::text);

CREATE TABLE wallet_challenges (
  environment_id text COLLATE "C" NOT NULL,
  wallet text COLLATE "C" NOT NULL,
  asker text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  creates boolean NOT NULL,
  wallet_id text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  message text NOT NULL,
  siwe text NOT NULL,
  valid_from bigint NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT wallet_challenges_pkey PRIMARY KEY (environment_id, wallet, asker)
);
CREATE INDEX wallet_challenges_expiry ON wallet_challenges USING btree (expires_at);
CREATE INDEX wallet_challenges_user ON wallet_challenges USING btree (environment_id, user_id);

CREATE TABLE wallet_contracts (
  environment_id text COLLATE "C" NOT NULL,
  wallet_id text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  chain_id text NOT NULL,
  CONSTRAINT wallet_contracts_pkey PRIMARY KEY (environment_id, wallet_id)
);
CREATE INDEX wallet_contracts_user ON wallet_contracts USING btree (environment_id, user_id);

CREATE TABLE webauthn_challenges (
  environment_id text COLLATE "C" NOT NULL,
  id bytea NOT NULL,
  ceremony text NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  session_id text COLLATE "C" NOT NULL,
  domain text COLLATE "C" NOT NULL,
  verify_user boolean NOT NULL,
  user_handle bytea NOT NULL,
  authenticator_type text NOT NULL,
  user_agent text NOT NULL,
  expires_at bigint NOT NULL,
  CONSTRAINT webauthn_challenges_pkey PRIMARY KEY (environment_id, id)
);
CREATE INDEX webauthn_challenges_expiry ON webauthn_challenges USING btree (expires_at);
CREATE INDEX webauthn_challenges_user ON webauthn_challenges USING btree (environment_id, user_id);

CREATE TABLE webauthn_credentials (
  environment_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  credential_id bytea NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  domain text COLLATE "C" NOT NULL,
  user_handle bytea NOT NULL,
  public_key bytea NOT NULL,
  algorithm bigint NOT NULL,
  aaguid bytea NOT NULL,
  attestation_format text NOT NULL,
  transports text NOT NULL,
  authenticator_type text NOT NULL,
  user_agent text NOT NULL,
  discoverable boolean,
  user_verified boolean NOT NULL,
  backup_eligible boolean NOT NULL,
  backup_state boolean NOT NULL,
  sign_count bigint NOT NULL,
  created_at bigint NOT NULL,
  last_used_at bigint,
  CONSTRAINT webauthn_credentials_pkey PRIMARY KEY (environment_id, id),
  CONSTRAINT webauthn_credentials_environment_id_credential_id_key UNIQUE (environment_id, credential_id)
);
CREATE INDEX webauthn_credentials_user ON webauthn_credentials USING btree (environment_id, user_id, domain);

CREATE TABLE webauthn_used_challenges (
  environment_id text COLLATE "C" NOT NULL,
  id bytea NOT NULL,
  CONSTRAINT webauthn_used_challenges_pkey PRIMARY KEY (environment_id, id)
);
