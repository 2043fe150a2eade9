package oauth

import "gatehouse/internal/reseal"

// Sealed says where credentials and tokens are kept. What is sealed for a
// browser on its way is over in minutes.
func Sealed() []reseal.Column {
	return []reseal.Column{
		{Table: "oauth_providers", Key: "provider", Name: "sealed", Purpose: credentialsPurpose},
		{Table: "oauth_provider_tokens", Key: "registration_id", Name: "sealed", Purpose: keptPurpose},
	}
}
