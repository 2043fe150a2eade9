package webauthn

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"gatehouse/internal/factor/webauthn/virtualkey"
)

// The server suites of the FIDO conformance tools, by the ids of
// fido2-server-test-list.json: every case that a server can decide without a
// metadata service.
const (
	creationRequest  = "Server-ServerPublicKeyCredentialCreationOptions-Req-1"
	creationResponse = "Server-ServerAuthenticatorAttestationResponse-Resp-"
	requestRequest   = "Server-ServerPublicKeyCredentialGetOptionsResponse-Req-1"
	requestResponse  = "Server-ServerAuthenticatorAssertionResponse-Resp-"
)

// notDecidable are the cases left out, each with what it would take.
var notDecidable = map[string]string{
	creationResponse + "3 F-16": "needs the metadata statement's algorithms",
	creationResponse + "4 P-1":  "secp256k1 is optional and not offered",
	creationResponse + "4 P-2":  "PS256 is optional and not offered",
	creationResponse + "4 P-3":  "PS384 is optional and not offered",
	creationResponse + "4 P-4":  "PS512 is optional and not offered",
	creationResponse + "4 P-6":  "RS384 is optional and not offered",
	creationResponse + "4 P-7":  "RS512 is optional and not offered",
	creationResponse + "4 P-10": "ES384 is optional and not offered",
	creationResponse + "4 P-11": "ES512 is optional and not offered",
	creationResponse + "5 P-2":  "needs the metadata's root certificates",
	creationResponse + "5 P-3":  "needs the metadata's root certificates",
	creationResponse + "5 P-4":  "needs the metadata's root certificates",
	creationResponse + "5 P-5":  "needs metadata",
	creationResponse + "5 F-8":  "needs the metadata statement's algorithms",
	creationResponse + "5 F-9":  "needs the metadata's root certificates",
	creationResponse + "5 F-10": "needs the metadata's root certificates",
	creationResponse + "6 F-2":  "needs the metadata statement's attestation types",
	creationResponse + "8 F-1":  "the specification's own fido-u2f vector has an AAGUID, and its procedure does not look at it",
	creationResponse + "9 P-4":  "an experimental option of the tool, for which no real device's answer is known",
	requestResponse + "3 F-4":   "decided by the credential's row: see TestSignCounter",
	"Server-MDS3 P-1":           "needs a metadata service",
	"Server-MDS3 F-1":           "needs a metadata service",
	"Server-MDS3 F-2":           "needs a metadata service",
	"Server-MDS3 F-3":           "needs a metadata service",
	"Server-MDS3 F-4":           "needs a metadata service",
	"Server-MDS3 F-5":           "needs a metadata service",
}

// fidoCase runs one case and returns the server's verdict.
type fidoCase func(t *testing.T) error

func TestFIDOConformance(t *testing.T) {
	cases := map[string]fidoCase{}
	for _, suite := range []map[string]fidoCase{
		optionCases(), registrationJSONCases(), registrationClientDataCases(), attestationObjectCases(), algorithmCases(),
		packedCases(), selfAndNoneCases(), u2fCases(), deviceCases(), assertionJSONCases(), assertionClientDataCases(), assertionDataCases(),
	} {
		for id, run := range suite {
			cases[id] = run
		}
	}
	for id, run := range cases {
		t.Run(id, func(t *testing.T) {
			err := run(t)
			if accept := id[bytes.LastIndexByte([]byte(id), ' ')+1] == 'P'; accept != (err == nil) {
				t.Errorf("accepted %t, want %t: %v", err == nil, accept, err)
			}
		})
	}
	t.Run("every case of the list is decided or explained", func(t *testing.T) {
		var list struct {
			Suites []struct {
				ID    string `json:"id"`
				Tests []struct {
					ID     string `json:"id"`
					Expect string `json:"expect"`
				} `json:"tests"`
			} `json:"suites"`
		}
		readVectors(t, "fido2-server-test-list.json", &list)
		known := 0
		for _, suite := range list.Suites {
			for _, c := range suite.Tests {
				id := suite.ID + " " + c.ID
				if (cases[id] == nil) == (notDecidable[id] == "") {
					t.Errorf("%s is neither decided nor explained, or both", id)
				}
				if (c.ID[0] == 'P') != (c.Expect == "accept") {
					t.Errorf("%s expects %s", id, c.Expect)
				}
				known++
			}
		}
		if known != len(cases)+len(notDecidable) {
			t.Errorf("%d cases in the list, %d here", known, len(cases)+len(notDecidable))
		}
	})
}

// sent is one answer of an authenticator, from the challenge on.
type sent struct {
	device     *virtualkey.Authenticator            // NewSecurityKey when nil
	created    func(*virtualkey.Created)            // changes the registration before it is encoded
	got        func(*virtualkey.Got)                // changes the assertion before it is encoded
	clientData func(map[string]any)                 // changes the client data before it is signed
	edit       func(outer, response map[string]any) // changes the JSON
	verifyUser bool                                 // userVerification was required
	ceremony   func(*ceremony)                      // changes what the server expects
}

func (s sent) authenticator() *virtualkey.Authenticator {
	if s.device == nil {
		return virtualkey.NewSecurityKey()
	}
	return s.device
}

func (s sent) expectation() *ceremony {
	c := exampleCeremony()
	c.verifyUser = s.verifyUser
	if s.ceremony != nil {
		s.ceremony(c)
	}
	return c
}

// register is the verdict on a registration, signed again after every change
// but the last, so that one thing alone is wrong.
func (s sent) register(t *testing.T) error {
	t.Helper()
	options := exampleCreationOptions()
	c, err := s.authenticator().Create(examplePage, options)
	if err != nil {
		t.Fatal(err)
	}
	if s.clientData != nil {
		c.ClientDataJSON = editedJSON(t, c.ClientDataJSON, s.clientData)
	}
	if c.Format == "packed" {
		if err := c.SelfAttest(); err != nil {
			t.Fatal(err)
		}
	}
	if s.created != nil {
		s.created(c)
	}
	credential := c.JSON(base64.RawURLEncoding)
	if s.edit != nil {
		credential = edited(t, credential, s.edit)
	}
	r, err := parseRegistration(credential)
	if err != nil {
		return err
	}
	if err := sameChallenge(t, options, r.ClientData); err != nil {
		return err
	}
	_, err = s.expectation().verifyRegistration(r)
	return err
}

// authenticate is the verdict on an assertion; register runs first.
func (s sent) authenticate(t *testing.T) error {
	t.Helper()
	a := s.authenticator()
	c := created(t, a)
	options := exampleRequestOptions()
	g, err := a.Get(examplePage, options)
	if err != nil {
		t.Fatal(err)
	}
	if s.clientData != nil {
		g.ClientDataJSON = editedJSON(t, g.ClientDataJSON, s.clientData)
		if err := g.Sign(); err != nil {
			t.Fatal(err)
		}
	}
	if s.got != nil {
		s.got(g)
	}
	credential := g.JSON(base64.RawURLEncoding)
	if s.edit != nil {
		credential = edited(t, credential, s.edit)
	}
	parsed, err := parseAssertion(credential)
	if err != nil {
		return err
	}
	if err := sameChallenge(t, options, parsed.ClientData); err != nil {
		return err
	}
	_, err = s.expectation().verifyAssertion(parsed, c.Key.COSE())
	return err
}

// sameChallenge stands for the look-up of the ceremony by its challenge.
func sameChallenge(t *testing.T, options string, data *clientData) error {
	t.Helper()
	var o struct{ Challenge string }
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		t.Fatal(err)
	}
	if base64.RawURLEncoding.EncodeToString(data.Challenge) != o.Challenge {
		return errors.New("no ceremony has this challenge")
	}
	return nil
}

func editedJSON(t *testing.T, raw []byte, change func(map[string]any)) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func member(name string, value any) func(map[string]any) {
	return func(m map[string]any) {
		if value == nil {
			delete(m, name)
			return
		}
		m[name] = value
	}
}

func optionCases() map[string]fidoCase {
	read := func(t *testing.T, s string) map[string]any {
		var m map[string]any
		if err := json.Unmarshal([]byte(s), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	differ := func(t *testing.T, options func() string) error {
		if read(t, options())["challenge"] == read(t, options())["challenge"] {
			return errors.New("the same challenge twice")
		}
		return nil
	}
	has := func(m map[string]any, names ...string) error {
		for _, name := range names {
			if m[name] == nil {
				return errors.New("no " + name)
			}
		}
		return nil
	}
	return map[string]fidoCase{
		creationRequest + " P-1": func(t *testing.T) error {
			return has(read(t, exampleCreationOptions()), "user", "rp", "challenge", "pubKeyCredParams", "timeout", "extensions", "excludeCredentials")
		},
		creationRequest + " P-2": func(t *testing.T) error {
			if got := read(t, exampleCreationOptions())["attestation"]; got != "none" {
				return errors.New("attestation is not none")
			}
			return nil
		},
		creationRequest + " P-3": func(t *testing.T) error { return differ(t, exampleCreationOptions) },
		creationRequest + " P-4": func(t *testing.T) error {
			o := &creationOptions{challenge: newStoredChallenge(), residentKey: residentKeyRequired, userVerification: verificationRequired}
			if read(t, o.json(base64URL))["authenticatorSelection"].(map[string]any)["userVerification"] != "required" {
				return errors.New("not required")
			}
			return nil
		},
		requestRequest + " P-1": func(t *testing.T) error {
			return has(read(t, exampleRequestOptions()), "challenge", "timeout", "rpId", "allowCredentials", "userVerification")
		},
		requestRequest + " P-2": func(t *testing.T) error { return differ(t, exampleRequestOptions) },
	}
}

func registrationJSONCases() map[string]fidoCase {
	suite := creationResponse + "1 "
	cases := map[string]fidoCase{
		suite + "P-1": sent{}.register,
		suite + "F-15": sent{verifyUser: true, created: func(c *virtualkey.Created) {
			c.AuthData[32] &^= virtualkey.UserVerified
			must(c.SelfAttest())
		}}.register,
	}
	for id, edit := range map[string]func(outer, response map[string]any){
		"F-1": set("id", nil), "F-2": set("id", 42), "F-3": set("id", "*not base64url*"),
		"F-4": set("type", nil), "F-5": set("type", 42), "F-6": set("type", "private-key"),
		"F-7": set("response", nil), "F-8": set("response", "an object"),
		"F-9": set("response.clientDataJSON", nil), "F-10": set("response.clientDataJSON", map[string]any{}), "F-11": set("response.clientDataJSON", ""),
		"F-12": set("response.attestationObject", nil), "F-13": set("response.attestationObject", 42), "F-14": set("response.attestationObject", ""),
	} {
		cases[suite+id] = sent{edit: edit}.register
	}
	return cases
}

// clientDataCases are the same for both ceremonies, but for the type.
func clientDataCases(suite, otherType string, run func(sent) fidoCase) map[string]fidoCase {
	cases := map[string]fidoCase{}
	for id, change := range map[string]func(map[string]any){
		"F-1": member("type", nil), "F-2": member("type", 42), "F-3": member("type", ""),
		"F-4": member("type", "webauthn.other"), "F-5": member("type", otherType),
		"F-6": member("challenge", nil), "F-7": member("challenge", 42), "F-8": member("challenge", ""),
		"F-9": member("challenge", "+/+/+/+/"), "F-10": member("challenge", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		"F-11": member("origin", nil), "F-12": member("origin", 42), "F-13": member("origin", ""),
		"F-14": member("origin", "https://evil.example"), "F-15": member("tokenBinding", "an object"),
		"F-16": member("tokenBinding", map[string]any{"id": "x"}), "F-17": member("tokenBinding", map[string]any{"status": "perhaps"}),
	} {
		cases[suite+id] = run(sent{clientData: change})
	}
	return cases
}

func registrationClientDataCases() map[string]fidoCase {
	return clientDataCases(creationResponse+"2 ", "webauthn.get", func(s sent) fidoCase { return s.register })
}

func assertionClientDataCases() map[string]fidoCase {
	return clientDataCases(requestResponse+"2 ", "webauthn.create", func(s sent) fidoCase { return s.authenticate })
}

func attestationObjectCases() map[string]fidoCase {
	suite := creationResponse + "3 "
	withExtensions := virtualkey.NewSecurityKey()
	withExtensions.Extensions = virtualkey.Encode(map[string]any{"example.extension": "a text of the authenticator's own"})
	cases := map[string]fidoCase{suite + "P-1": sent{device: withExtensions}.register}
	for id, object := range map[string]func(m map[string]any) any{
		"F-1": func(map[string]any) any { return []any{"fmt", "attStmt", "authData"} },
		"F-2": dropped("fmt"), "F-3": replaced("fmt", 42),
		"F-4": dropped("attStmt"), "F-5": replaced("attStmt", []any{}),
		"F-6": dropped("authData"), "F-7": replaced("authData", "text"), "F-8": replaced("authData", []byte{}),
	} {
		cases[suite+id] = func(t *testing.T) error {
			c := created(t, virtualkey.NewSecurityKey())
			m := map[string]any{"fmt": c.Format, "attStmt": c.Statement, "authData": c.AuthData}
			raw := base64.RawURLEncoding.EncodeToString(virtualkey.Encode(object(m)))
			r, err := parseRegistration(edited(t, c.JSON(base64.RawURLEncoding), set("response.attestationObject", raw)))
			if err != nil {
				return err
			}
			_, err = exampleCeremony().verifyRegistration(r)
			return err
		}
	}
	for id, change := range map[string]func(*virtualkey.Created){
		"F-9": func(c *virtualkey.Created) { c.AuthData[32] &^= virtualkey.AttestedData; must(c.SelfAttest()) },
		"F-10": func(c *virtualkey.Created) {
			c.AuthData[32] &^= virtualkey.AttestedData
			c.AuthData = c.AuthData[:37]
			must(c.SelfAttest())
		},
		"F-11": func(c *virtualkey.Created) { c.AuthData = c.AuthData[:37]; must(c.SelfAttest()) },
		"F-12": func(c *virtualkey.Created) { c.AuthData = append(c.AuthData, 0); must(c.SelfAttest()) },
		"F-13": func(c *virtualkey.Created) { c.Statement = map[string]any{} },
		"F-14": func(c *virtualkey.Created) { delete(c.Statement, "alg") },
		"F-15": func(c *virtualkey.Created) { c.Statement["alg"] = "ES256" },
		"F-17": func(c *virtualkey.Created) { delete(c.Statement, "sig") },
		"F-18": func(c *virtualkey.Created) { c.Statement["sig"] = "text" },
		"F-19": func(c *virtualkey.Created) { c.Statement["sig"] = []byte{} },
	} {
		cases[suite+id] = sent{created: change}.register
	}
	return cases
}

func dropped(name string) func(map[string]any) any {
	return func(m map[string]any) any { delete(m, name); return m }
}

func replaced(name string, value any) func(map[string]any) any {
	return func(m map[string]any) any { m[name] = value; return m }
}

func algorithmCases() map[string]fidoCase {
	cases := map[string]fidoCase{}
	for id, algorithm := range map[string]int{"P-5": virtualkey.RS256, "P-8": virtualkey.ES256, "P-9": virtualkey.ES256, "P-12": virtualkey.EdDSA} {
		device := virtualkey.NewSecurityKey()
		device.Algorithm = algorithm
		cases[creationResponse+"4 "+id] = sent{device: device}.register
	}
	return cases
}

func assertionJSONCases() map[string]fidoCase {
	suite := requestResponse + "1 "
	cases := map[string]fidoCase{
		suite + "P-1":  sent{}.authenticate,
		suite + "F-20": sent{got: func(g *virtualkey.Got) { g.AuthData = append([]byte(nil), g.AuthData...); g.AuthData[36] ^= 1 }}.authenticate,
	}
	for id, edit := range map[string]func(outer, response map[string]any){
		"F-1": set("id", nil), "F-2": set("id", 42), "F-3": set("id", "*not base64url*"),
		"F-4": set("type", nil), "F-5": set("type", 42), "F-6": set("type", "private-key"),
		"F-7": set("response", nil), "F-8": set("response", "an object"),
		"F-9": set("response.clientDataJSON", nil), "F-10": set("response.clientDataJSON", 42), "F-11": set("response.clientDataJSON", ""),
		"F-12": set("response.authenticatorData", nil), "F-13": set("response.authenticatorData", 42),
		"F-14": set("response.authenticatorData", "*not base64url*"), "F-15": set("response.authenticatorData", ""),
		"F-16": set("response.signature", nil), "F-17": set("response.signature", 42),
		"F-18": set("response.signature", "*not base64url*"), "F-19": set("response.signature", ""),
		"F-21": set("response.userHandle", 42),
	} {
		cases[suite+id] = sent{edit: edit}.authenticate
	}
	return cases
}

func assertionDataCases() map[string]fidoCase {
	suite := requestResponse + "3 "
	unverified := func() *virtualkey.Authenticator {
		a := virtualkey.NewSecurityKey()
		a.Flags = virtualkey.UserPresent
		return a
	}
	extended := virtualkey.NewSecurityKey()
	extended.Extensions = virtualkey.Encode(map[string]any{"example.extension": "a text of the authenticator's own"})
	resigned := func(change func(*virtualkey.Got)) func(*virtualkey.Got) {
		return func(g *virtualkey.Got) { change(g); must(g.Sign()) }
	}
	return map[string]fidoCase{
		suite + "P-1": sent{device: virtualkey.New()}.authenticate, // its counter is always 0
		suite + "P-2": sent{verifyUser: true}.authenticate,
		suite + "P-3": sent{device: unverified()}.authenticate, // the server asks the same of preferred and discouraged
		suite + "P-4": sent{}.authenticate,
		suite + "P-5": sent{device: unverified()}.authenticate,
		suite + "P-6": sent{}.authenticate,
		suite + "P-7": sent{device: extended}.authenticate,
		suite + "F-1": sent{got: resigned(func(g *virtualkey.Got) { g.AuthData = append(g.AuthData, 0) })}.authenticate,
		suite + "F-2": sent{got: resigned(func(g *virtualkey.Got) { g.AuthData[0] ^= 1 })}.authenticate,
		suite + "F-3": sent{got: func(g *virtualkey.Got) { g.ClientDataJSON = append(g.ClientDataJSON, ' ') }}.authenticate,
		suite + "F-5": sent{device: unverified(), verifyUser: true}.authenticate,
	}
}

// deviceCases use the answers of real TPMs and Android phones: nobody else can
// sign like one.
func deviceCases() map[string]fidoCase {
	tpm, android := creationResponse+"9 ", creationResponse+"A "
	return map[string]fidoCase{
		tpm + "P-1": func(t *testing.T) error { return tampered(t, "tpm", crypto256, nil, nil) },
		tpm + "P-2": func(t *testing.T) error { return tampered(t, "tpm", crypto1, nil, nil) },
		tpm + "F-1": func(t *testing.T) error { return tampered(t, "tpm", "", swapCertificates, nil) },
		// certInfo: magic (4), type (2), qualifiedSigner (2+34), extraData (2+n).
		tpm + "F-2": func(t *testing.T) error { return tampered(t, "tpm", "", flipByte("certInfo", 46), nil) },
		tpm + "F-3": func(t *testing.T) error { return tampered(t, "tpm", "", flipByte("certInfo", 0), nil) },
		tpm + "F-4": func(t *testing.T) error { return tampered(t, "tpm", "", flipByte("pubArea", -1), nil) },

		android + "P-1": func(t *testing.T) error { return tampered(t, "android-key", "", nil, nil) },
		android + "F-1": func(t *testing.T) error {
			return tampered(t, "android-key", "", nil, func(r *registration) { r.ClientDataJSON = append(r.ClientDataJSON, ' ') })
		},
		android + "F-2": func(t *testing.T) error {
			return tampered(t, "android-key", "", func(t *testing.T, statement map[string]any) {
				statement["x5c"].([]any)[0] = newAttester(t).chain[0]
			}, nil)
		},
		android + "F-3": func(t *testing.T) error { return tampered(t, "android-key", "", swapCertificates, nil) },
	}
}

// What tells a TPM's hash algorithm: the algorithm of its signature.
const (
	crypto256 = "-257" // RS256
	crypto1   = "-65535"
)

func swapCertificates(t *testing.T, statement map[string]any) {
	x5c := statement["x5c"].([]any)
	if len(x5c) < 2 {
		t.Fatal("one certificate has no order")
	}
	x5c[0], x5c[1] = x5c[1], x5c[0]
}

func flipByte(name string, at int) func(*testing.T, map[string]any) {
	return func(_ *testing.T, statement map[string]any) {
		b := bytes.Clone(statement[name].([]byte))
		if at < 0 {
			at += len(b)
		}
		b[at] ^= 1
		statement[name] = b
	}
}

// tampered is the verdict on the first accepted real registration of a format,
// and algorithm if one is named, after a change of its statement or of the
// whole.
func tampered(t *testing.T, format, algorithm string, change func(*testing.T, map[string]any), whole func(*registration)) error {
	t.Helper()
	for _, r := range readRealRegistrations(t) {
		if r.Format != format || r.Verdict != "accept" {
			continue
		}
		parsed, err := parseRegistration(r.credential(t, base64.RawURLEncoding))
		if err != nil {
			t.Fatal(err)
		}
		var object struct {
			Format    string         `cbor:"fmt"`
			AuthData  []byte         `cbor:"authData"`
			Statement map[string]any `cbor:"attStmt"`
		}
		if err := cbor.Unmarshal(parsed.AttestationObject, &object); err != nil {
			t.Fatal(err)
		}
		if alg, ok := object.Statement["alg"].(int64); ok && algorithm != "" && algorithm != jsonNumber(alg) {
			continue
		}
		if change != nil {
			if x5c, _ := object.Statement["x5c"].([]any); format == "tpm" && len(x5c) < 2 {
				continue
			}
			change(t, object.Statement)
			parsed.AttestationObject = virtualkey.Encode(map[string]any{"fmt": object.Format, "authData": object.AuthData, "attStmt": object.Statement})
		}
		if whole != nil {
			whole(parsed)
		}
		_, err = r.ceremony().verifyRegistration(parsed)
		return err
	}
	t.Fatalf("no accepted %s registration with algorithm %q", format, algorithm)
	return nil
}

func jsonNumber(n int64) string {
	b, err := json.Marshal(n)
	must(err)
	return string(b)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func TestAAGUIDs(t *testing.T) {
	for aaguid, name := range providers() {
		raw, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(aaguid), []byte("-"), nil)))
		if err != nil || formatAAGUID(raw) != aaguid || name == "" {
			t.Errorf("%q: %q", aaguid, name)
		}
	}
	taken := map[string]bool{}
	for _, want := range []string{"iCloud Keychain", "iCloud Keychain 2", "iCloud Keychain 3"} {
		a := virtualkey.New()
		got := registrationName(&attested{AAGUID: a.AAGUID[:]}, attachmentPlatform, func(name string) bool { return taken[name] })
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
		taken[got] = true
	}
	none := func(string) bool { return false }
	for _, c := range []struct {
		flags      byte
		attachment string
		want       string
	}{
		{0, attachmentCrossPlatform, "Security key"}, {virtualkey.BackupEligible, attachmentCrossPlatform, "Passkey"},
		{0, attachmentPlatform, "Passkey"}, {0, "", "Passkey"},
	} {
		a := &attested{AAGUID: make([]byte, 16), Flags: flagsOf(c.flags)}
		if got := registrationName(a, c.attachment, none); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
