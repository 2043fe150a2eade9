// The parts of the API's objects that this page shows.

export interface Registration {
  webauthn_registration_id: string;
  domain: string;
  name: string;
  authenticator_type: string;
  user_agent: string;
  verified: boolean;
}

export interface User {
  user_id: string;
  status: string;
  created_at?: string;
  emails: { email_id: string; email: string; verified: boolean }[];
  webauthn_registrations: Registration[];
  providers: { provider_type: string; oauth_user_registration_id: string }[];
}

export interface Factor {
  type: string;
  delivery_method: string;
  last_authenticated_at?: string;
  webauthn_factor?: { webauthn_registration_id: string };
}

export interface Session {
  session_id: string;
  started_at: string;
  expires_at: string;
  authentication_factors: Factor[];
}

/** What every call answers that starts or continues a session. */
export interface Login {
  user: User;
  session: Session;
  session_token: string;
  session_jwt: string;
}

/** What GET /demo/api/config answers. */
export interface Config {
  project_id: string;
  public_token: string;
  base_url: string;
  /** The host name that passkeys made here belong to. */
  domain: string;
}
