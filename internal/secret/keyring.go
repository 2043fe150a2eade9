package secret

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrSealed is returned when a sealed value cannot be opened: no key of the
// ring sealed it, or it was changed, or it belongs to another purpose.
var ErrSealed = errors.New("the sealed value cannot be opened with the configured master keys")

// Keyring holds the master keys. The first seals; all of them open, so that a
// new key can be put in front while old values are still readable.
type Keyring struct {
	keys []masterKey
	mu   sync.RWMutex
	// derived caches the keys made from a master key; an environment adds a
	// handful, and environments are few.
	derived map[derivedName]*derivedKey
}

type masterKey struct {
	id  [4]byte
	key []byte
}

type derivedName struct {
	master       [4]byte
	purpose, env string
}

type derivedKey struct {
	aead cipher.AEAD
	mac  []byte
}

// NewMasterKey returns a new random master key in the form ParseKeyring reads.
func NewMasterKey() string {
	b := make([]byte, chacha20poly1305.KeySize)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return base64.StdEncoding.EncodeToString(b)
}

// ParseKeyring reads one or more 32-byte keys, base64 or hex, separated by
// commas. The newest comes first.
func ParseKeyring(s string) (*Keyring, error) {
	k := &Keyring{derived: map[derivedName]*derivedKey{}}
	for i, part := range strings.Split(s, ",") {
		key, err := decodeKey(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("master key %d: %w", i+1, err)
		}
		sum := sha256.Sum256(append([]byte("gatehouse master key id"), key...))
		k.keys = append(k.keys, masterKey{id: [4]byte(sum[:4]), key: key})
	}
	return k, nil
}

func decodeKey(s string) ([]byte, error) {
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
		base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if key, err := decode(s); err == nil && len(key) == chacha20poly1305.KeySize {
			return key, nil
		}
	}
	return nil, errors.New("not 32 bytes in base64 or hex")
}

// Seal encrypts plaintext for one purpose in one environment
// (XChaCha20-Poly1305 under a key derived by HKDF-SHA-256). The result carries
// the id of the master key and a random nonce.
func (k *Keyring) Seal(purpose, env string, plaintext []byte) ([]byte, error) {
	master := k.keys[0]
	d, err := k.derive(master, purpose, env)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 4+chacha20poly1305.NonceSizeX, 4+chacha20poly1305.NonceSizeX+len(plaintext)+chacha20poly1305.Overhead)
	copy(out, master.id[:])
	_, _ = rand.Read(out[4:]) // never fails since Go 1.24
	return d.aead.Seal(out, out[4:], plaintext, out[:4]), nil
}

// Open reverses Seal. Any failure is ErrSealed: which part was wrong is of use
// only to someone who changed it.
func (k *Keyring) Open(purpose, env string, sealed []byte) ([]byte, error) {
	const head = 4 + chacha20poly1305.NonceSizeX
	if len(sealed) < head+chacha20poly1305.Overhead {
		return nil, ErrSealed
	}
	for _, master := range k.keys {
		if string(master.id[:]) != string(sealed[:4]) {
			continue
		}
		d, err := k.derive(master, purpose, env)
		if err != nil {
			return nil, err
		}
		if plain, err := d.aead.Open(nil, sealed[4:head], sealed[head:], sealed[:4]); err == nil {
			return plain, nil
		}
	}
	return nil, ErrSealed
}

// SealedWithFirst reports whether the first key of the ring sealed a value, so
// that the others are not needed for it.
func (k *Keyring) SealedWithFirst(sealed []byte) bool {
	return k.Sealer(sealed) == 0
}

// Sealer returns which key of the ring sealed a value, 0 for the first, by its
// first bytes; -1 for none.
func (k *Keyring) Sealer(sealed []byte) int {
	return slices.IndexFunc(k.keys, func(master masterKey) bool { return bytes.HasPrefix(sealed, master.id[:]) })
}

// Several reports whether the ring holds more than one key.
func (k *Keyring) Several() bool { return len(k.keys) > 1 }

// MAC returns the 32-byte HMAC-SHA-256 of the parts under a key derived for
// the purpose and environment. Each part is length-prefixed, so that moving a
// byte from one to the next changes the result.
func (k *Keyring) MAC(purpose, env string, parts ...[]byte) ([]byte, error) {
	return k.macWith(k.keys[0], purpose, env, parts)
}

// VerifyMAC reports whether mac was made by MAC with any key of the ring.
func (k *Keyring) VerifyMAC(purpose, env string, mac []byte, parts ...[]byte) (bool, error) {
	for _, master := range k.keys {
		want, err := k.macWith(master, purpose, env, parts)
		if err != nil {
			return false, err
		}
		if hmac.Equal(want, mac) {
			return true, nil
		}
	}
	return false, nil
}

func (k *Keyring) macWith(master masterKey, purpose, env string, parts [][]byte) ([]byte, error) {
	d, err := k.derive(master, purpose, env)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, d.mac)
	var length [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write(p)
	}
	return h.Sum(nil), nil
}

func (k *Keyring) derive(master masterKey, purpose, env string) (*derivedKey, error) {
	name := derivedName{master.id, purpose, env}
	k.mu.RLock()
	d := k.derived[name]
	k.mu.RUnlock()
	if d != nil {
		return d, nil
	}
	info := fmt.Sprintf("gatehouse v1|%d|%s|%d|%s", len(purpose), purpose, len(env), env)
	material, err := hkdf.Key(sha256.New, master.key, nil, info, 2*chacha20poly1305.KeySize)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(material[:chacha20poly1305.KeySize])
	if err != nil {
		return nil, err
	}
	d = &derivedKey{aead: aead, mac: material[chacha20poly1305.KeySize:]}
	k.mu.Lock()
	k.derived[name] = d
	k.mu.Unlock()
	return d, nil
}
