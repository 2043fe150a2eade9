package session

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// jwsSigner makes compact JWSs (RFC 7515, section 7.1) with one key. The library
// that verifies them here could make them too, but takes a third of an ES256
// signature for header and copies (docs/decisions/0095).
type jwsSigner struct {
	header string // encoded, with its dot: the same for every token
	// sign makes the signature over a SHA-256, as RFC 7518 wants it.
	sign func(sum []byte) ([]byte, error)
}

func newJWSSigner(key crypto.Signer, algorithm, kid string) (*jwsSigner, error) {
	header, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}{algorithm, kid, "JWT"})
	if err != nil {
		return nil, err
	}
	s := &jwsSigner{header: base64.RawURLEncoding.EncodeToString(header) + "."}
	switch key := key.(type) {
	case *rsa.PrivateKey: // section 3.3
		s.sign = func(sum []byte) ([]byte, error) { return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum) }
	case *ecdsa.PrivateKey: // section 3.4: both numbers at their full length
		s.sign = func(sum []byte) ([]byte, error) {
			first, second, err := ecdsa.Sign(rand.Reader, key, sum)
			if err != nil {
				return nil, err
			}
			size := (key.Params().BitSize + 7) / 8
			signature := make([]byte, 2*size)
			first.FillBytes(signature[:size])
			second.FillBytes(signature[size:])
			return signature, nil
		}
	default:
		return nil, fmt.Errorf("a %T cannot sign", key)
	}
	return s, nil
}

func (s *jwsSigner) compact(payload []byte) (string, error) {
	const encoded = 4 * (rsaKeyBits/8 + 2) / 3
	token := make([]byte, 0, len(s.header)+base64.RawURLEncoding.EncodedLen(len(payload))+1+encoded)
	token = base64.RawURLEncoding.AppendEncode(append(token, s.header...), payload)
	sum := sha256.Sum256(token)
	signature, err := s.sign(sum[:])
	if err != nil {
		return "", err
	}
	return string(base64.RawURLEncoding.AppendEncode(append(token, '.'), signature)), nil
}
