package webauthn

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"sync"
)

// providersJSON maps the AAGUID of an authenticator model to the name its
// owner knows it by. The names come from the vendors' own lists and from the
// community list at github.com/passkeydeveloper/passkey-authenticator-aaguids.
// They label a registration and decide nothing: without attestation anyone can
// claim any AAGUID.
//
//go:embed providers.json
var providersJSON []byte

// providers is read on the first registration: a process that only signs
// people in never needs it.
var providers = sync.OnceValue(func() map[string]string {
	var m map[string]string
	if err := json.Unmarshal(providersJSON, &m); err != nil {
		panic("webauthn: providers.json: " + err.Error())
	}
	return m
})

// providerName is the name of the authenticator model, or "" if it is unknown
// or the authenticator does not say.
func providerName(aaguid []byte) string { return providers()[formatAAGUID(aaguid)] }

// formatAAGUID writes an AAGUID as a UUID; anything but 16 bytes is "".
func formatAAGUID(b []byte) string {
	if len(b) != 16 {
		return ""
	}
	s := hex.EncodeToString(b)
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// registrationName names a new registration: after its provider, else after
// what it is, with a number when the user has that name already.
func registrationName(a *attested, attachment string, taken func(name string) bool) string {
	name := providerName(a.AAGUID)
	switch {
	case name != "":
	case a.backupEligible() || attachment != attachmentCrossPlatform:
		name = "Passkey"
	default:
		name = "Security key"
	}
	if !taken(name) {
		return name
	}
	for n := 2; ; n++ {
		if numbered := name + " " + strconv.Itoa(n); !taken(numbered) {
			return numbered
		}
	}
}
