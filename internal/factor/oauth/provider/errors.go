package provider

import (
	"gatehouse/internal/apierr"
)

// What is told to people. Causes go to the log and hold the provider's code for
// what went wrong, never the text of its answer: that may hold what we sent.
var (
	errAuthCode     = apierr.New(400, "oauth_auth_code_error", "The provider did not let you sign in, or too much time has passed. Start again.")
	errScope        = apierr.New(400, "oauth_invalid_scope_requested", "The provider does not grant what the app asks for. Tell whoever runs the app.")
	errCallback     = apierr.New(400, "oauth_flow_callback_error", "Signing in with the provider did not work. Start again, and tell whoever runs the app if it happens again.")
	errBadCallback  = apierr.New(400, "oauth_invalid_callback_request", "What came back from the provider is incomplete. Start again.")
	errRequestURL   = apierr.New(400, "oauth_creating_redirect_url_error", "The request to the provider cannot be made: the provider does not answer, or its settings are wrong. Try again in a moment; if it stays so, the app's operator has to look at `gatehouse oauth-provider show`.")
	errClient       = apierr.New(400, "oauth_token_exchange_invalid_client", "The provider does not accept the client id or the secret of this app. Tell whoever runs the app.")
	errRequest      = apierr.New(400, "oauth_token_exchange_invalid_request", "The provider does not accept the request of this app. Tell whoever runs the app.")
	errTokenScope   = apierr.New(400, "oauth_token_exchange_invalid_scope", "The provider does not grant what the app asks for. Tell whoever runs the app.")
	errUnauthorized = apierr.New(400, "oauth_token_exchange_unauthorized_client", "The provider does not let this app sign people in. Tell whoever runs the app.")

	errMicrosoftSecret  = apierr.New(400, "oauth_token_exchange_microsoft_invalid_secret", "Microsoft does not accept the secret of this app. Tell whoever runs the app.")
	errMicrosoftExpired = apierr.New(400, "oauth_token_exchange_microsoft_expired_secret", "The secret of this app at Microsoft has expired. Tell whoever runs the app.")
	errGoogleMissing    = apierr.New(400, "oauth_token_exchange_google_missing_information", "Google did not say who you are. Start again, and let the app see your e-mail address.")

	errRefresh = apierr.New(401, "unable_to_refresh_oauth_token", "The provider does not renew the access any more. Sign in with it again.")

	errIDToken         = apierr.New(400, "id_token_invalid", "The id_token is not valid. Sign in again.")
	errIDTokenExpired  = apierr.New(400, "id_token_expired", "The id_token has expired. Sign in again.")
	errIDTokenAudience = apierr.New(400, "id_token_incorrect_audience", "The id_token is for another app. Add the app's client id to the native client ids of the provider.")
	errIDTokenNonce    = apierr.New(400, "id_token_nonce_invalid", "The nonce does not belong to the id_token. Sign in again.")
	errNotNative       = apierr.New(400, "invalid_oauth_provider", "The provider's id_tokens are not accepted. Use the OAuth flow.")
)
