package provider

import "gatehouse/internal/jwks"

// Trust says when an e-mail address that a provider names is taken for the
// person's. Everything else is as if the provider had named none: an address is
// how accounts find each other, so whoever can make a provider say one gets
// into the account of whoever has it. docs/oauth-emails.md has the reasons.
type Trust string

// The policies there are.
const (
	// Never is for providers that do not say whether they have verified an
	// address, or that let others than the person choose it.
	Never Trust = "never"
	// IfClaimed takes an address that comes with the claim that it is verified.
	IfClaimed Trust = "if claimed"
	// IfListed takes the address that is both primary and confirmed in the
	// account's list of addresses.
	IfListed Trust = "if listed"
	// IfOwned is Microsoft's: an administrator of any organisation can give its
	// accounts any address. Taken are addresses of personal accounts, and those
	// whose domain the organisation has proven to own.
	IfOwned Trust = "if owned"
	// IfOwnHost takes what is claimed to be verified where the environment
	// names its own organisation at the provider, and nothing from anybody's.
	IfOwnHost Trust = "if own host"
)

// believes decides about an address by the claims it came with.
func (v *visit) believes(claims jwks.Claims) bool {
	switch v.p.Email {
	case IfClaimed:
		return claims.Bool("email_verified")
	case IfOwned:
		return claims.String("tid") == consumers || isTrue(claims["xms_edov"])
	case IfOwnHost:
		return v.c.Tenant != "" && claims.Bool("email_verified")
	}
	return false // IfListed is decided where the list is
}
