package webauthn

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/factor/webauthn/virtualkey"
)

var examplePage = virtualkey.Page{Origin: "https://example.com"}

func exampleRules() *originRules { return &originRules{rpID: "example.com", live: true} }

func exampleCeremony() *ceremony {
	return &ceremony{rules: exampleRules(), algorithms: algorithms}
}

func exampleCreationOptions() string {
	o := &creationOptions{
		rpID: "example.com", rpName: "Example", userHandle: []byte("user-test-1"), userName: "ada@example.com", displayName: "Ada",
		challenge: newStoredChallenge(), residentKey: residentKeyRequired, userVerification: verificationPreferred,
	}
	return o.json(base64URL)
}

func exampleRequestOptions() string {
	o := &requestOptions{rpID: "example.com", challenge: newStoredChallenge(), userVerification: verificationPreferred}
	return o.json(base64URL)
}

func created(t testing.TB, a *virtualkey.Authenticator) *virtualkey.Created {
	t.Helper()
	c, err := a.Create(examplePage, exampleCreationOptions())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func got(t testing.TB, a *virtualkey.Authenticator) *virtualkey.Got {
	t.Helper()
	g, err := a.Get(examplePage, exampleRequestOptions())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// edited returns credential JSON after a change of its members; response is
// the inner object.
func edited(t testing.TB, credential string, change func(outer, response map[string]any)) string {
	t.Helper()
	var outer map[string]any
	if err := json.Unmarshal([]byte(credential), &outer); err != nil {
		t.Fatal(err)
	}
	response, _ := outer["response"].(map[string]any)
	response = maps.Clone(response)
	outer["response"] = response
	change(outer, response)
	b, err := json.Marshal(outer)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func set(member string, value any) func(outer, response map[string]any) {
	return func(outer, response map[string]any) {
		target := outer
		if inner, ok := strings.CutPrefix(member, "response."); ok {
			target, member = response, inner
		}
		if value == nil {
			delete(target, member)
			return
		}
		target[member] = value
	}
}

func TestBothEncodingsReadTheSame(t *testing.T) {
	a := virtualkey.NewSecurityKey()
	c := created(t, a)
	g := got(t, a)
	for name, enc := range map[string]*base64.Encoding{
		"standard": base64.StdEncoding, "standard unpadded": base64.RawStdEncoding,
		"url": base64.RawURLEncoding, "url padded": base64.URLEncoding,
	} {
		t.Run(name, func(t *testing.T) {
			r, err := parseRegistration(c.JSON(enc))
			if err != nil {
				t.Fatal(err)
			}
			if string(r.ID) != string(c.Key.ID) || string(r.ClientDataJSON) != string(c.ClientDataJSON) || string(r.AttestationObject) != string(c.AttestationObject()) {
				t.Error("the registration was read differently")
			}
			if r.Attachment != "cross-platform" || strings.Join(r.Transports, " ") != "usb nfc" || r.Discoverable == nil || !*r.Discoverable {
				t.Errorf("attachment %q, transports %q, discoverable %v", r.Attachment, r.Transports, r.Discoverable)
			}
			s, err := parseAssertion(g.JSON(enc))
			if err != nil {
				t.Fatal(err)
			}
			if string(s.AuthenticatorData) != string(g.AuthData) || string(s.Signature) != string(g.Signature) || string(s.UserHandle) != "user-test-1" {
				t.Error("the assertion was read differently")
			}
		})
	}
}

func TestMalformedCredentialsAreNamed(t *testing.T) {
	a := virtualkey.New()
	registration, assertion := created(t, a).JSON(base64.RawURLEncoding), got(t, a).JSON(base64.RawURLEncoding)
	b64 := base64.RawURLEncoding.EncodeToString
	for _, c := range []struct {
		name     string
		register bool
		change   func(outer, response map[string]any)
		want     *apierr.Error
	}{
		{"id missing", true, set("id", nil), errMissingID},
		{"id empty", false, set("id", ""), errMissingID},
		{"id a number", false, set("id", 7), errInvalidID},
		{"id not base64", true, set("id", "%%"), errInvalidID},
		{"id of two alphabets", true, set("id", "ab-_+/xx"), errInvalidID},
		{"id too long", true, set("id", b64(make([]byte, 1024))), errInvalidID},
		{"rawId of another credential", true, set("rawId", "AAAA"), errInvalidID},
		{"rawId not base64", false, set("rawId", "%"), errInvalidID},
		{"type missing", true, set("type", nil), errCredential},
		{"type of another kind", false, set("type", "password"), errCredential},
		{"response missing", true, set("response", nil), errMissingResponse},
		{"response a string", false, set("response", "x"), errMissingResponse},
		{"response an array", false, set("response", []int{1}), errMissingResponse},
		{"clientDataJSON missing", true, set("response.clientDataJSON", nil), errMissingClientData},
		{"clientDataJSON empty", false, set("response.clientDataJSON", ""), errMissingClientData},
		{"clientDataJSON a number", false, set("response.clientDataJSON", 1), errClientData},
		{"clientDataJSON not JSON", true, set("response.clientDataJSON", b64([]byte("{"))), errClientData},
		{"clientDataJSON not UTF-8", true, set("response.clientDataJSON", b64([]byte("{\"type\":\"\xff\"}"))), errClientData},
		{"attestationObject missing", true, set("response.attestationObject", nil), errMissingAttestation},
		{"attestationObject a list", true, set("response.attestationObject", []int{}), errAttestationObject},
		{"attestationObject not base64", true, set("response.attestationObject", "!"), errAttestationObject},
		{"authenticatorData missing", false, set("response.authenticatorData", nil), errMissingAuthData},
		{"authenticatorData not base64", false, set("response.authenticatorData", "!"), errAuthData},
		{"signature missing", false, set("response.signature", nil), errMissingSignature},
		{"signature not base64", false, set("response.signature", "a b"), errSignature},
		{"userHandle a number", false, set("response.userHandle", 4), errCredential},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			if c.register {
				_, err = parseRegistration(edited(t, registration, c.change))
			} else {
				_, err = parseAssertion(edited(t, assertion, c.change))
			}
			if e := apierr.From(err); e == nil || e.Type != c.want.Type || e.Status != 400 {
				t.Errorf("%v, want %s", err, c.want.Type)
			}
		})
	}
	for _, s := range []string{"", "null", "[]", `"text"`, "{", "{} {}", strings.Repeat("[", 1000), `{"id":"` + strings.Repeat("A", 70000) + `"}`} {
		if _, err := parseAssertion(s); apierr.From(err) == nil {
			t.Errorf("%.20q: %v", s, err)
		}
		if _, err := parseRegistration(s); apierr.From(err) == nil {
			t.Errorf("%.20q: %v", s, err)
		}
	}
}

func TestMalformedBinaries(t *testing.T) {
	a := virtualkey.New()
	c := created(t, a)
	for name, change := range map[string]func(*virtualkey.Created){
		"truncated authenticator data": func(c *virtualkey.Created) { c.AuthData = c.AuthData[:36] },
		"truncated credential":         func(c *virtualkey.Created) { c.AuthData = c.AuthData[:60] },
		"leftover bytes":               func(c *virtualkey.Created) { c.AuthData = append(c.AuthData, 0) },
		"no credential":                func(c *virtualkey.Created) { c.AuthData = c.AuthData[:37]; c.AuthData[32] &^= 0x40 },
	} {
		bad := *c
		bad.AuthData = append([]byte(nil), c.AuthData...)
		change(&bad)
		r, err := parseRegistration(bad.JSON(base64.RawURLEncoding))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := exampleCeremony().verifyRegistration(r); !errors.Is(err, errAuthData) {
			t.Errorf("%s: %v", name, err)
		}
	}
	g := got(t, a)
	s, err := parseAssertion(g.JSON(base64.RawURLEncoding))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exampleCeremony().verifyAssertion(s, c.Key.COSE()); err != nil {
		t.Fatal(err)
	}
	s.Signature = []byte{1, 2, 3}
	if _, err := exampleCeremony().verifyAssertion(s, c.Key.COSE()); !errors.Is(err, errSignature) {
		t.Errorf("a signature that is not DER: %v", err)
	}
	s.AuthenticatorData = s.AuthenticatorData[:10]
	if _, err := exampleCeremony().verifyAssertion(s, c.Key.COSE()); !errors.Is(err, errAuthData) {
		t.Errorf("truncated authenticator data: %v", err)
	}
}
