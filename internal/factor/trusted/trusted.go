// Package trusted is the factor that a token of another issuer proves: an
// issuer whom the operator trusts to say who somebody is, and by what address
// they are reached. It owns the profiles of such issuers (table
// trusted_profiles), the memory of tokens that were used (trusted_tokens), and
// what a claim means here. It never verifies a signature itself, never changes
// who an existing user is, and never mints a session.
package trusted

import (
	"gatehouse/internal/apierr"
	"gatehouse/internal/jwks"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errInvalid     = apierr.New(400, "invalid_trusted_auth_token", "The token could not be verified. Get a new one from its issuer and try again.")
	errIssuer      = apierr.New(400, "jwt_invalid_issuer", "The token is from another issuer than the profile names. Send it with the profile of its issuer, or correct the profile's issuer.")
	errAudience    = apierr.New(400, "jwt_invalid_audience", "The token is for another audience than the profile names. Have its issuer make one for that audience, or correct the profile's audience.")
	errClaims      = apierr.New(400, "jwt_invalid_claims", "The token does not say what the profile asks of it. Have its issuer add the claims that the profile's mapping names.")
	errUnavailable = apierr.New(503, "trusted_auth_token_keys_unavailable", "The issuer's keys cannot be read right now. Wait a moment and try again.")
	errExternalID  = apierr.New(400, "trusted_token_profile_incorrect_external_id_mapping", "The external id in the token does not fit the user, who has another one. Correct it at the issuer, or change the user's external_id.")
	errExternalIDs = apierr.New(400, "trusted_token_profile_cannot_have_multiple_external_ids", "The token names several external ids, and a user has one. Map external_user_id to a claim that holds one.")
)

// Service manages profiles and signs people in with tokens.
type Service struct {
	db    *store.DB
	users *user.Service
	core  *session.Core
	keys  *jwks.Client
}

// New returns the service. keys reads the key sets of issuers.
func New(db *store.DB, users *user.Service, core *session.Core, keys *jwks.Client) *Service {
	return &Service{db, users, core, keys}
}

// Purge removes up to budget tokens that are over anyway.
func Purge(tx *store.Tx, budget int) (int64, error) { return purgeTokens(tx, budget) }
