package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// signInCodes is how many people sign in with a code in one measurement.
const signInCodes = 3000

// sentCode is a code, and what it was sent to.
type sentCode struct{ methodID, text string }

// codes measures signing in with a code, each of which works once: they are all
// in the mail before anybody signs in.
func (b *bench) codes(t *target, to *sink, name string) error {
	if !b.wanted(name) {
		return nil
	}
	if err := t.configure(b.ctx, map[string]string{"session.algorithm": "RS256"}); err != nil {
		return err
	}
	// The first code that a person ever types also proves the address, which
	// ends the sessions from before. That is not what most sign-ins are, and it
	// warms up the rest.
	var m, of measured
	for range 2 {
		sent, err := b.askForCodes(t, to, min(signInCodes, t.filled))
		if err != nil {
			return err
		}
		m, of, err = b.beside(b.primitive(signRS256), func(round int) (measured, error) {
			some := part(sent, round)
			return times(b.ctx, t.address, signInCallers, len(some), t.typeCodes(some))
		})
		if err != nil {
			return err
		}
	}
	b.table.atLeast(name, rate(m), m.Rate/of.Rate, 0.6, "of signatures")
	return nil
}

// askForCodes has codes sent to n users and reads them from the mails.
func (b *bench) askForCodes(t *target, to *sink, n int) ([]sentCode, error) {
	sent := make([]sentCode, n)
	to.reset()
	_, err := times(b.ctx, t.address, 16, n, func(c *connection, _, i int) error {
		var answer struct {
			EmailID string `json:"email_id"`
		}
		err := t.call(c, "/v1/otps/email/login_or_create", map[string]any{"email": filledAddress(i), "expiration_minutes": 10}, &answer)
		sent[i].methodID = answer.EmailID
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := b.outboxEmpty(t); err != nil {
		return nil, err
	}
	for i := range sent {
		if sent[i].text = to.code(filledAddress(i)); sent[i].text == "" {
			return nil, fmt.Errorf("no code came to %s", filledAddress(i))
		}
	}
	return sent, nil
}

// typeCodes signs in with each code once.
func (t *target) typeCodes(sent []sentCode) work {
	requests := make([][]byte, len(sent))
	for i, s := range sent {
		requests[i] = request("POST", "/v1/otps/authenticate", t.basic,
			fmt.Sprintf(`{"method_id":%q,"code":%q,"session_duration_minutes":60}`, s.methodID, s.text))
	}
	return func(c *connection, _, i int) error {
		status, body, err := c.do(requests[i])
		if err == nil && status != 200 {
			err = fmt.Errorf("answered %d: %.300s", status, body)
		}
		if err != nil || i > 0 {
			return err
		}
		return signedRS256(body)
	}
}

// signedRS256 looks whether an answer has what is compared with RSA signatures.
func signedRS256(answer []byte) error {
	var got struct {
		JWT string `json:"session_jwt"`
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		return err
	}
	header, _, _ := strings.Cut(got.JWT, ".")
	text, err := base64.RawURLEncoding.DecodeString(header)
	if err == nil && !strings.Contains(string(text), `"RS256"`) {
		err = errors.New("the session's JWT is not signed with RS256")
	}
	return err
}
