package webauthn

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// The two ceremonies, as a client names them in its client data and as
// challenges are bound to them.
const (
	ceremonyCreate = "webauthn.create"
	ceremonyGet    = "webauthn.get"
)

// maxChallenge bounds the challenge a client may claim to answer; ours are
// shorter.
const maxChallenge = 128

// clientData is the CollectedClientData of WebAuthn L3, section 5.8.1: what
// the browser, not the page, says about the ceremony.
type clientData struct {
	Type        string
	Challenge   []byte
	Origin      string
	TopOrigin   string
	CrossOrigin bool
}

// parseClientData reads a clientDataJSON. Members this server does not know
// are ignored, as the specification demands; members it knows have the
// specification's types or the whole is malformed.
func parseClientData(raw []byte) (*clientData, error) {
	var c struct {
		Type         string          `json:"type"`
		Challenge    string          `json:"challenge"`
		Origin       string          `json:"origin"`
		TopOrigin    string          `json:"topOrigin"`
		CrossOrigin  bool            `json:"crossOrigin"`
		TokenBinding json.RawMessage `json:"tokenBinding"`
	}
	if !utf8.Valid(raw) {
		return nil, errClientData.WithMessage("The clientDataJSON of the public_key_credential is not UTF-8.")
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, errClientData.Because(err)
	}
	if c.Type == "" || c.Challenge == "" || c.Origin == "" {
		return nil, errClientData.WithMessage("The clientDataJSON of the public_key_credential lacks its type, challenge or origin.")
	}
	challenge, err := urlStrict.DecodeString(c.Challenge)
	if err != nil || len(challenge) > maxChallenge {
		return nil, errClientData.WithMessage("The challenge in clientDataJSON is not base64url.")
	}
	if err := checkTokenBinding(c.TokenBinding); err != nil {
		return nil, errClientData.Because(err)
	}
	return &clientData{Type: c.Type, Challenge: challenge, Origin: c.Origin, TopOrigin: c.TopOrigin, CrossOrigin: c.CrossOrigin}, nil
}

// checkTokenBinding validates a member that Level 3 dropped: clients of
// earlier levels may still send it, and then it has a known shape.
func checkTokenBinding(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var binding struct {
		Status string `json:"status"`
	}
	if err := json.Unmarshal(raw, &binding); err != nil {
		return err
	}
	switch binding.Status {
	case "present", "supported", "not-supported":
		return nil
	}
	return errors.New("tokenBinding has no known status")
}

// verify checks that the client took part in this ceremony, at a place that
// may speak for the RP ID (WebAuthn L3, sections 7.1 and 7.2, the steps about
// C). The challenge is the caller's business: it finds the ceremony by it.
func (c *clientData) verify(ceremony string, rules *originRules) error {
	if c.Type != ceremony {
		return fmt.Errorf("the client data is of type %q, not %q", c.Type, ceremony)
	}
	if !rules.allows(c.Origin) {
		return &originError{origin: c.Origin, rpID: rules.rpID}
	}
	switch {
	case !c.CrossOrigin && c.TopOrigin != "":
		return errors.New("a topOrigin without crossOrigin")
	case rules.frames:
		return nil
	case c.CrossOrigin && c.TopOrigin == "":
		return errors.New("made inside a frame of another origin that the client does not name")
	case c.CrossOrigin && !rules.allows(c.TopOrigin):
		return &originError{origin: c.TopOrigin, rpID: rules.rpID}
	}
	return nil
}

// originError says which place may not speak for an RP ID. Unlike the other
// reasons for a refusal it is told to the caller: it is a mistake in
// configuration far more often than an attack.
type originError struct{ origin, rpID string }

func (e *originError) Error() string {
	return fmt.Sprintf("the origin %q may not use passkeys of %s", e.origin, e.rpID)
}
