package webauthn

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
)

var (
	errDomain             = apierr.New(400, "invalid_domain", "The domain is invalid. Send a host name without scheme, port or path, for example example.com.")
	errRegistrationDomain = apierr.New(400, "invalid_webauthn_registration_domain", "The domain cannot be used for passkeys here. Use the page's own domain, and add it to the environment's authorised domains.")
)

// checkDomain returns the RP ID for a domain that a caller names. It is a DNS
// name in its ASCII form that someone can own: not an address, not a public
// suffix (WebAuthn L3, section 5.1.2; browsers refuse the same). At the
// browser's door it must also be an authorised domain of the environment and
// one that the calling page can claim.
func checkDomain(caller *project.Caller, domain string) (string, error) {
	rpID := strings.ToLower(domain)
	if domain == "" {
		return "", errDomain.WithMessage("The domain is missing. Send the page's host name, for example example.com.")
	}
	if _, err := netip.ParseAddr(strings.Trim(rpID, "[]")); err == nil {
		return "", errDomain.WithMessage("An IP address cannot be the domain of a passkey. Use a host name; for development, localhost.")
	}
	if !project.ValidHostname(rpID) || isNumeric(rpID[strings.LastIndexByte(rpID, '.')+1:]) {
		return "", errDomain
	}
	loopback := project.IsLoopback(rpID)
	// A single label that no list knows (localhost, a name of one's own network)
	// counts as a suffix too, by the list's default rule; that one is fine.
	if suffix, icann := publicsuffix.PublicSuffix(rpID); suffix == rpID && (icann || strings.Contains(suffix, ".")) {
		return "", errDomain.WithMessage("%s is a public suffix, where anyone can register names. Use a domain of your own.", rpID)
	}
	if loopback && caller.Env.Live() {
		return "", errRegistrationDomain.WithMessage("localhost is for test environments only. Use a domain that serves https.")
	}
	if caller.Browser {
		return rpID, checkBrowserDomain(caller, rpID)
	}
	return rpID, nil
}

func checkBrowserDomain(caller *project.Caller, rpID string) error {
	if !caller.Env.AllowsHost(rpID) {
		return errRegistrationDomain.WithMessage("%s is not an authorised domain of this environment. Add it with `gatehouse domain add`.", rpID)
	}
	if caller.Origin == "" { // an app: the operating system ties it to its domains
		return nil
	}
	if !rulesFor(caller, rpID).allows(caller.Origin) {
		return errRegistrationDomain.WithMessage("Pages of %s cannot use passkeys of %s.", caller.Origin, rpID)
	}
	return nil
}

func isNumeric(label string) bool {
	return label != "" && strings.Trim(label, "0123456789") == ""
}

// originRules says which places may speak for an RP ID in one environment.
type originRules struct {
	rpID    string
	live    bool
	related []string // origins allowed by name, in addition
	apps    []string // "android:apk-key-hash:..." origins of Android apps
	frames  bool     // frames inside pages of any origin may use passkeys
	// authorised reports whether an origin is one of the authorised domains. A
	// page at the browser's door must be; nil authorises none.
	authorised     func(origin string) bool
	authorisedOnly bool
}

func rulesFor(caller *project.Caller, rpID string) *originRules {
	w := &caller.Env.Config.WebAuthn
	return &originRules{
		rpID: rpID, live: caller.Env.Live(), related: w.RelatedOrigins, apps: w.AndroidKeyHashes, frames: w.AllowCrossOrigin,
		// An app sends no Origin; its client names the RP ID itself as its own.
		authorised: caller.Env.AllowsOrigin, authorisedOnly: caller.Browser && caller.Origin != "",
	}
}

// allows reports whether an origin may speak for the RP ID: https on the RP ID
// or a subdomain of it, an origin of the related-origins list, or a configured
// Android app. A test environment is for developers, so there any port will
// do, and plain http on the machine itself; in a live one another port than
// 443 must be on the list or among the authorised domains.
func (r *originRules) allows(origin string) bool {
	if strings.HasPrefix(origin, "android:") {
		return slices.Contains(r.apps, origin)
	}
	if slices.Contains(r.related, origin) {
		return true
	}
	scheme, host, port, ok := project.ParseOrigin(origin)
	if !ok || scheme == "http" && (r.live || !project.IsLoopback(host)) {
		return false
	}
	if r.authorisedOnly || r.live && port != "" {
		if r.authorised == nil || !r.authorised(origin) {
			return false
		}
	}
	return host == r.rpID || strings.HasSuffix(host, "."+r.rpID)
}
