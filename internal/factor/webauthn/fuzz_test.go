package webauthn

import (
	"encoding/base64"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/factor/webauthn/virtualkey"
)

// Security case 54: whatever a client sends is answered with a verdict of the
// contract. Run one with: go test -fuzz FuzzAttestationObject ./internal/factor/webauthn

// verdict fails unless err is nil or a refusal that a client may read.
func verdict(t *testing.T, err error) {
	t.Helper()
	if e := apierr.From(err); err != nil && (e == nil || e.Status < 400 || e.Status > 499) {
		t.Fatalf("neither accepted nor refused: %v", err)
	}
}

func seedDevices() []*virtualkey.Authenticator {
	ed := virtualkey.NewSecurityKey()
	ed.Algorithm = virtualkey.EdDSA
	extended := virtualkey.New()
	extended.Extensions = virtualkey.Encode(map[string]any{"credProtect": 2})
	return []*virtualkey.Authenticator{virtualkey.New(), virtualkey.NewSecurityKey(), ed, extended}
}

func FuzzSecurity54CredentialJSON(f *testing.F) {
	for _, a := range seedDevices() {
		f.Add(created(f, a).JSON(base64.StdEncoding))
		f.Add(got(f, a).JSON(base64.RawURLEncoding))
	}
	for _, s := range []string{"", "{}", `{"id":"AA","type":"public-key","response":{}}`, `{"id":"AA","rawId":7,"type":"public-key","response":[]}`} {
		f.Add(s)
	}
	key := created(f, virtualkey.New()).Key.COSE()
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRegistration(s)
		verdict(t, err)
		if err == nil {
			_, err = exampleCeremony().verifyRegistration(r)
			verdict(t, err)
		}
		a, err := parseAssertion(s)
		verdict(t, err)
		if err == nil {
			_, err = exampleCeremony().verifyAssertion(a, key)
			verdict(t, err)
		}
	})
}

func FuzzSecurity54AttestationObject(f *testing.F) {
	for _, a := range seedDevices() {
		f.Add(created(f, a).AttestationObject())
	}
	c := created(f, virtualkey.NewSecurityKey())
	maker := newAttester(f)
	maker.packed(c, maker.certificates(0, 1))
	f.Add(c.AttestationObject())
	maker.u2f(c)
	f.Add(c.AttestationObject())
	for _, format := range []string{"tpm", "android-key", "android-safetynet", "apple", "compound"} {
		c.Format = format
		c.Statement = map[string]any{
			"ver": "2.0", "alg": -257, "sig": []byte{1}, "x5c": maker.certificates(0, 1), "certInfo": []byte{0xff, 0x54, 0x43, 0x47},
			"pubArea": []byte{0, 1}, "response": []byte("e30.e30.AA"),
		}
		f.Add(c.AttestationObject())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := &registration{credential: credential{ID: []byte{1}, ClientDataJSON: c.ClientDataJSON, ClientData: clientDataOf(t, c.ClientDataJSON)}, AttestationObject: raw}
		if att, err := parseAttestation(raw); err == nil {
			r.ID = att.AuthData.AttData.CredentialID
		}
		all := exampleCeremony()
		all.algorithms = allAlgorithms
		_, err := all.verifyRegistration(r)
		verdict(t, err)
	})
}

func FuzzSecurity54AuthenticatorData(f *testing.F) {
	var keys [][]byte
	for i, a := range seedDevices() {
		keys = append(keys, created(f, a).Key.COSE())
		g := got(f, a)
		f.Add(g.AuthData, g.Signature, byte(i))
	}
	client := got(f, seedDeviceWithKey(f)).ClientDataJSON
	f.Fuzz(func(t *testing.T, data, signature []byte, which byte) {
		a := &assertion{credential: credential{ClientDataJSON: client, ClientData: clientDataOf(t, client)}, AuthenticatorData: data, Signature: signature}
		_, err := exampleCeremony().verifyAssertion(a, keys[int(which)%len(keys)])
		verdict(t, err)
	})
}

func FuzzSecurity54ClientData(f *testing.F) {
	f.Add(string(created(f, virtualkey.New()).ClientDataJSON))
	f.Add(`{"type":"webauthn.get","challenge":"AA","origin":"https://example.com","crossOrigin":true,"topOrigin":"null","tokenBinding":{"status":"present"}}`)
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseClientData([]byte(s))
		verdict(t, err)
		if err == nil && c.verify(ceremonyGet, exampleRules()) == nil && !strings.HasPrefix(strings.ToLower(c.Origin), "https://") {
			t.Errorf("%q may speak for example.com", c.Origin)
		}
	})
}

func seedDeviceWithKey(f *testing.F) *virtualkey.Authenticator {
	a := virtualkey.New()
	created(f, a)
	return a
}

func clientDataOf(t *testing.T, raw []byte) *clientData {
	t.Helper()
	c, err := parseClientData(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
