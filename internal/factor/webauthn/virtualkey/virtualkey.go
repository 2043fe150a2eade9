// Package virtualkey is an authenticator and a browser in software, for tests
// and benchmarks: it answers creation and request options the way
// navigator.credentials does, in both of the contract's encodings. What it
// sends can be taken apart and changed before it goes out, so that every way
// of lying has a test.
//
// It shares no code with the server's verification and is never part of the
// served product.
package virtualkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// The COSE algorithms (RFC 9053) the authenticator can sign with.
const (
	ES256 = -7
	EdDSA = -8
	RS256 = -257
)

// The bits of the authenticator data's flags (WebAuthn L3, section 6.1).
const (
	UserPresent    = 0x01
	UserVerified   = 0x04
	BackupEligible = 0x08
	BackupState    = 0x10
	AttestedData   = 0x40
	ExtensionData  = 0x80
)

// The contract's two encodings, as clients of one or the other send them back.
var (
	Base64    = base64.StdEncoding
	Base64URL = base64.RawURLEncoding
)

// Page is where the browser is: what ends up in the client data.
type Page struct {
	Origin      string // "https://app.example.com"
	TopOrigin   string // of the window, when the page sits in a frame of another origin
	CrossOrigin bool
}

// Authenticator holds keys. New fills in a synced passkey provider.
type Authenticator struct {
	Algorithm   int      // of new keys
	SelfAttest  bool     // answer creation with packed self attestation instead of none
	AAGUID      [16]byte // of the model
	Flags       byte     // UserPresent | UserVerified | ...; AttestedData and ExtensionData are added where they apply
	Extensions  []byte   // CBOR of extension outputs, nil for none
	CounterStep uint32   // added to a key's counter at each use; 0 has no counter, like synced passkeys
	Transports  []string
	Attachment  string // "platform" or "cross-platform"
	Keys        []*Key
}

// Key is one credential.
type Key struct {
	ID         []byte
	RPID       string
	UserHandle []byte
	Counter    uint32
	Algorithm  int
	Private    crypto.Signer
}

// New returns an authenticator like today's phones: ES256, user verified,
// synced, no counter.
func New() *Authenticator {
	return &Authenticator{
		Algorithm:  ES256,
		AAGUID:     [16]byte{0xfb, 0xfc, 0x30, 0x07, 0x15, 0x4e, 0x4e, 0xcc, 0x8c, 0x0b, 0x6e, 0x02, 0x05, 0x57, 0xd7, 0xbd}, // iCloud Keychain
		Flags:      UserPresent | UserVerified | BackupEligible | BackupState,
		Transports: []string{"hybrid", "internal"},
		Attachment: "platform",
	}
}

// NewSecurityKey returns an authenticator like a USB key: not synced, with a
// counter and packed self attestation.
func NewSecurityKey() *Authenticator {
	return &Authenticator{
		Algorithm: ES256, SelfAttest: true, Flags: UserPresent | UserVerified, CounterStep: 1,
		Transports: []string{"usb", "nfc"}, Attachment: "cross-platform",
	}
}

// Created is the answer to creation options.
type Created struct {
	Key            *Key
	ClientDataJSON []byte
	AuthData       []byte
	Format         string
	Statement      map[string]any
	Transports     []string
	Attachment     string
	Discoverable   bool
}

// Got is the answer to request options.
type Got struct {
	Key            *Key
	ClientDataJSON []byte
	AuthData       []byte
	Signature      []byte
	UserHandle     []byte
	Attachment     string
}

type creationOptions struct {
	RP struct {
		ID string `json:"id"`
	} `json:"rp"`
	User struct {
		ID string `json:"id"`
	} `json:"user"`
	Challenge string `json:"challenge"`
	Params    []struct {
		Alg int `json:"alg"`
	} `json:"pubKeyCredParams"`
	Exclude   []descriptor `json:"excludeCredentials"`
	Selection struct {
		Attachment string `json:"authenticatorAttachment"`
	} `json:"authenticatorSelection"`
}

type requestOptions struct {
	RPID      string       `json:"rpId"`
	Challenge string       `json:"challenge"`
	Allow     []descriptor `json:"allowCredentials"`
}

type descriptor struct {
	ID string `json:"id"`
}

// The errors a browser gives a page instead of a credential.
var (
	ErrExcluded    = errors.New("InvalidStateError: the authenticator already holds one of the excluded credentials")
	ErrNoKey       = errors.New("NotAllowedError: no credential of the authenticator fits")
	ErrUnsupported = errors.New("NotSupportedError: the options allow nothing this authenticator can do")
)

// Create answers creation options with a new key.
func (a *Authenticator) Create(page Page, options string) (*Created, error) {
	var o creationOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(o.Params, func(p struct {
		Alg int `json:"alg"`
	}) bool {
		return p.Alg == a.Algorithm
	}) || o.Selection.Attachment != "" && o.Selection.Attachment != a.Attachment {
		return nil, ErrUnsupported
	}
	for _, d := range o.Exclude {
		if a.find(d.ID) != nil {
			return nil, ErrExcluded
		}
	}
	handle, err := decode(o.User.ID)
	if err != nil {
		return nil, fmt.Errorf("user.id: %w", err)
	}
	key, err := newKey(a.Algorithm)
	if err != nil {
		return nil, err
	}
	key.RPID, key.UserHandle, key.Counter = o.RP.ID, handle, a.CounterStep
	clientData, err := page.clientData("webauthn.create", o.Challenge)
	if err != nil {
		return nil, err
	}
	a.Keys = append(a.Keys, key)
	c := &Created{Key: key, ClientDataJSON: clientData, Transports: a.Transports, Attachment: a.Attachment, Discoverable: true}
	c.AuthData = a.authData(key, a.Flags|AttestedData)
	c.Format, c.Statement = "none", map[string]any{}
	if a.SelfAttest {
		return c, c.SelfAttest()
	}
	return c, nil
}

// Get answers request options with the newest key that fits.
func (a *Authenticator) Get(page Page, options string) (*Got, error) {
	var o requestOptions
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		return nil, err
	}
	key, err := a.choose(&o)
	if err != nil {
		return nil, err
	}
	key.Counter += a.CounterStep
	clientData, err := page.clientData("webauthn.get", o.Challenge)
	if err != nil {
		return nil, err
	}
	g := &Got{Key: key, ClientDataJSON: clientData, UserHandle: key.UserHandle, Attachment: a.Attachment}
	g.AuthData = a.authData(key, a.Flags)
	return g, g.Sign()
}

func (a *Authenticator) choose(o *requestOptions) (*Key, error) {
	for _, key := range slices.Backward(a.Keys) {
		fits := len(o.Allow) == 0 || slices.ContainsFunc(o.Allow, func(d descriptor) bool {
			id, err := decode(d.ID)
			return err == nil && string(id) == string(key.ID)
		})
		if key.RPID == o.RPID && fits {
			return key, nil
		}
	}
	return nil, ErrNoKey
}

func (a *Authenticator) find(encoded string) *Key {
	id, err := decode(encoded)
	if err != nil {
		return nil
	}
	for _, key := range a.Keys {
		if string(key.ID) == string(id) {
			return key
		}
	}
	return nil
}

// authData lays out authenticator data (WebAuthn L3, section 6.1).
func (a *Authenticator) authData(key *Key, flags byte) []byte {
	if a.Extensions != nil {
		flags |= ExtensionData
	}
	hash := sha256.Sum256([]byte(key.RPID))
	b := append(hash[:], flags)
	b = binary.BigEndian.AppendUint32(b, key.Counter)
	if flags&AttestedData != 0 {
		b = append(b, a.AAGUID[:]...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(key.ID)))
		b = append(b, key.ID...)
		b = append(b, key.COSE()...)
	}
	return append(b, a.Extensions...)
}

// clientData writes what a browser writes, an extra member included: servers
// must not compare the text.
func (p Page) clientData(ceremony, challenge string) ([]byte, error) {
	raw, err := decode(challenge)
	if err != nil {
		return nil, fmt.Errorf("challenge: %w", err)
	}
	data := struct {
		Type        string `json:"type"`
		Challenge   string `json:"challenge"`
		Origin      string `json:"origin"`
		CrossOrigin bool   `json:"crossOrigin"`
		TopOrigin   string `json:"topOrigin,omitempty"`
		Extra       string `json:"other_keys_can_be_added_here"`
	}{ceremony, Base64URL.EncodeToString(raw), p.Origin, p.CrossOrigin, p.TopOrigin, "do not compare clientDataJSON against a template"}
	return json.Marshal(data)
}

// SelfAttest replaces the attestation by a packed one, signed with the key
// itself over the present authenticator and client data.
func (c *Created) SelfAttest() error {
	hash := sha256.Sum256(c.ClientDataJSON)
	sig, err := c.Key.Sign(slices.Concat(c.AuthData, hash[:]))
	c.Format, c.Statement = "packed", map[string]any{"alg": c.Key.Algorithm, "sig": sig}
	return err
}

// AttestationObject is the CBOR map a browser hands over.
func (c *Created) AttestationObject() []byte {
	return Encode(map[string]any{"fmt": c.Format, "attStmt": c.Statement, "authData": c.AuthData})
}

// JSON is the public_key_credential, its binary members in the given encoding
// except id, which is base64url in every browser.
func (c *Created) JSON(enc *base64.Encoding) string {
	return credentialJSON(c.Key.ID, enc, c.Attachment, map[string]any{
		"clientDataJSON":    enc.EncodeToString(c.ClientDataJSON),
		"attestationObject": enc.EncodeToString(c.AttestationObject()),
		"transports":        c.Transports,
	}, map[string]any{"credProps": map[string]any{"rk": c.Discoverable}})
}

// Sign replaces the signature by one over the present authenticator and client
// data.
func (g *Got) Sign() error {
	hash := sha256.Sum256(g.ClientDataJSON)
	sig, err := g.Key.Sign(slices.Concat(g.AuthData, hash[:]))
	g.Signature = sig
	return err
}

// JSON is the public_key_credential, its binary members in the given encoding
// except id, which is base64url in every browser.
func (g *Got) JSON(enc *base64.Encoding) string {
	response := map[string]any{
		"clientDataJSON":    enc.EncodeToString(g.ClientDataJSON),
		"authenticatorData": enc.EncodeToString(g.AuthData),
		"signature":         enc.EncodeToString(g.Signature),
		"userHandle":        nil,
	}
	if g.UserHandle != nil {
		response["userHandle"] = enc.EncodeToString(g.UserHandle)
	}
	return credentialJSON(g.Key.ID, enc, g.Attachment, response, map[string]any{})
}

func credentialJSON(id []byte, enc *base64.Encoding, attachment string, response, extensions map[string]any) string {
	b, err := json.Marshal(map[string]any{
		"id": Base64URL.EncodeToString(id), "rawId": enc.EncodeToString(id), "type": "public-key",
		"authenticatorAttachment": attachment, "response": response, "clientExtensionResults": extensions,
	})
	if err != nil {
		panic(err) // strings, maps and slices always encode
	}
	return string(b)
}

func newKey(algorithm int) (*Key, error) {
	k := &Key{ID: make([]byte, 32), Algorithm: algorithm}
	_, _ = rand.Read(k.ID) // never fails since Go 1.24
	var err error
	switch algorithm {
	case ES256:
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case EdDSA:
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	case RS256:
		k.Private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		err = ErrUnsupported
	}
	return k, err
}

// Sign signs the way the key's algorithm does in WebAuthn: ECDSA in DER.
func (k *Key) Sign(message []byte) ([]byte, error) {
	if k.Algorithm == EdDSA {
		return k.Private.Sign(rand.Reader, message, crypto.Hash(0))
	}
	digest := sha256.Sum256(message)
	return k.Private.Sign(rand.Reader, digest[:], crypto.SHA256)
}

// COSE is the public key as a COSE_Key (RFC 9052, section 7).
func (k *Key) COSE() []byte {
	switch public := k.Private.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			panic(err) // the key was generated on its curve
		}
		return Encode(map[int]any{1: 2, 3: k.Algorithm, -1: 1, -2: point[1:33], -3: point[33:]})
	case ed25519.PublicKey:
		return Encode(map[int]any{1: 1, 3: k.Algorithm, -1: 6, -2: []byte(public)})
	case *rsa.PublicKey:
		return Encode(map[int]any{1: 3, 3: k.Algorithm, -1: public.N.Bytes(), -2: []byte{1, 0, 1}})
	}
	panic("virtualkey: a key of an unknown kind")
}

var canonical = func() cbor.EncMode {
	mode, err := cbor.CTAP2EncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// Encode returns v in CTAP2 canonical CBOR.
func Encode(v any) []byte {
	b, err := canonical.Marshal(v)
	if err != nil {
		panic(err) // the values of this package always encode
	}
	return b
}

func decode(s string) ([]byte, error) {
	s = strings.TrimRight(s, "=")
	if strings.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}
