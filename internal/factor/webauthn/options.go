package webauthn

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
)

// binaryEncoding is how options spell their binary members: standard base64
// by default, base64url for pages that hand them to parse...OptionsFromJSON().
type binaryEncoding struct{ *base64.Encoding }

var (
	standardBase64 = binaryEncoding{base64.StdEncoding}
	base64URL      = binaryEncoding{base64.RawURLEncoding}
)

func encodingFor(useURL bool) binaryEncoding {
	if useURL {
		return base64URL
	}
	return standardBase64
}

// The user verification requirements of WebAuthn L3, section 5.8.6.
const (
	verificationRequired    = "required"
	verificationPreferred   = "preferred"
	verificationDiscouraged = "discouraged"
)

// creationOptions becomes PublicKeyCredentialCreationOptionsJSON, the inner
// publicKey object.
type creationOptions struct {
	rpID, rpName          string
	userHandle            []byte
	userName, displayName string
	challenge             []byte
	exclude               []descriptor
	attachment            string // "" leaves the choice to the user
	residentKey           string
	userVerification      string
}

// requestOptions becomes PublicKeyCredentialRequestOptionsJSON.
type requestOptions struct {
	rpID             string
	challenge        []byte
	allow            []descriptor // empty: any passkey the user has for the domain
	userVerification string
}

// descriptor names a credential to the client.
type descriptor struct {
	id         []byte
	transports []string
}

// json writes the options. Written by hand: the anonymous start of a login is
// little else, and the official clients show a fixed order of members.
func (o *requestOptions) json(enc binaryEncoding) string {
	b := make([]byte, 0, 256+64*len(o.allow))
	b = append(b, `{"allowCredentials":`...)
	b = appendDescriptors(b, o.allow, enc)
	b = append(b, `,"challenge":"`...)
	b = enc.AppendEncode(b, o.challenge)
	b = append(b, `","rpId":`...)
	b = appendText(b, o.rpID)
	b = appendTimeout(b)
	b = append(b, `,"userVerification":`...)
	b = appendText(b, o.userVerification)
	return string(append(b, '}'))
}

func (o *creationOptions) json(enc binaryEncoding) string {
	b := make([]byte, 0, 768+64*len(o.exclude))
	b = append(b, `{"rp":{"id":`...)
	b = appendText(b, o.rpID)
	b = append(b, `,"name":`...)
	b = appendText(b, o.rpName)
	b = append(b, `},"user":{"id":"`...)
	b = enc.AppendEncode(b, o.userHandle)
	b = append(b, `","name":`...)
	b = appendText(b, o.userName)
	b = append(b, `,"displayName":`...)
	b = appendText(b, o.displayName)
	b = append(b, `},"challenge":"`...)
	b = enc.AppendEncode(b, o.challenge)
	b = append(b, `","pubKeyCredParams":[`...)
	for i, alg := range algorithms {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"type":"public-key","alg":`...)
		b = strconv.AppendInt(b, int64(alg), 10)
		b = append(b, '}')
	}
	b = append(b, ']')
	b = appendTimeout(b)
	b = append(b, `,"excludeCredentials":`...)
	b = appendDescriptors(b, o.exclude, enc)
	b = append(b, `,"authenticatorSelection":{`...)
	if o.attachment != "" {
		b = append(b, `"authenticatorAttachment":`...)
		b = append(appendText(b, o.attachment), ',')
	}
	b = append(b, `"residentKey":`...)
	b = appendText(b, o.residentKey)
	b = append(b, `,"requireResidentKey":`...)
	b = strconv.AppendBool(b, o.residentKey == residentKeyRequired)
	b = append(b, `,"userVerification":`...)
	b = appendText(b, o.userVerification)
	// No attestation is asked for: it identifies devices and decides nothing
	// here. The credProps extension tells whether a passkey can be found
	// without its user being named.
	b = append(b, `},"attestation":"none","extensions":{"credProps":true}}`...)
	return string(b)
}

// The resident key requirements of WebAuthn L3, section 5.4.6, that are used:
// a passkey is one that is required to be discoverable.
const (
	residentKeyRequired    = "required"
	residentKeyDiscouraged = "discouraged"
)

func appendDescriptors(b []byte, list []descriptor, enc binaryEncoding) []byte {
	b = append(b, '[')
	for i, d := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":"`...)
		b = enc.AppendEncode(b, d.id)
		b = append(b, `","type":"public-key"`...)
		if len(d.transports) > 0 {
			b = append(b, `,"transports":[`...)
			for j, t := range d.transports {
				if j > 0 {
					b = append(b, ',')
				}
				b = appendText(b, t)
			}
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendTimeout(b []byte) []byte {
	return strconv.AppendInt(append(b, `,"timeout":`...), challengeLifetime.Milliseconds(), 10)
}

// appendText appends s as a JSON string.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always encodes
				panic("webauthn: " + err.Error())
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
