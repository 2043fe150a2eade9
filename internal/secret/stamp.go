package secret

import (
	"crypto/sha256"
	"encoding/base64"
)

// Stamp writes a payload for a client to bring back, such as a cursor: the bytes
// and a MAC of them, in base64url. The client can read it and cannot change it.
// It holds for one purpose in one environment, and only beside the context it
// was made for, which is not in it. It stays valid however long it is kept.
func (k *Keyring) Stamp(purpose, env string, payload, context []byte) (string, error) {
	mac, err := k.MAC(purpose, env, payload, context)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(payload[:len(payload):len(payload)], mac...)), nil
}

// Stamped returns the payload of what Stamp wrote, and false for anything else.
func (k *Keyring) Stamped(purpose, env, text string, context []byte) (payload []byte, ok bool, err error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	// The decoder passes over line breaks, which would be another spelling.
	if err != nil || len(b) < sha256.Size || len(text) != base64.RawURLEncoding.EncodedLen(len(b)) {
		return nil, false, nil
	}
	payload, mac := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if ok, err = k.VerifyMAC(purpose, env, mac, payload, context); !ok || err != nil {
		return nil, false, err
	}
	return payload, true, nil
}
