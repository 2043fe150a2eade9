package wallet

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"gatehouse/internal/apierr"
)

// vectors reads a file of test vectors. Those of wallets are here; the Wycheproof
// ones are large, and the test is skipped where they are not beside the clone.
func vectors(t *testing.T, into any, path ...string) {
	t.Helper()
	folder := "testdata"
	if path[0] == "wycheproof" {
		folder = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	text, err := os.ReadFile(filepath.Join(append([]string{folder}, path...)...))
	if os.IsNotExist(err) && path[0] == "wycheproof" {
		t.Skip("the Wycheproof vectors are not beside this clone")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// account is an Ethereum key of the tests and its wallet.
type account struct {
	key *secp256k1.PrivateKey
	wallet
}

func newAccount(seed byte) account {
	key := secp256k1.PrivKeyFromBytes([]byte{seed, 1, 2, 3})
	var raw [20]byte
	copy(raw[:], keccak(key.PubKey().SerializeUncompressed()[1:])[12:])
	return account{key, wallet{ethereumChain, checksummed(raw)}}
}

// personalSign signs as wallets do.
func (a account) personalSign(message string) []byte {
	compact := ecdsa.SignCompact(a.key, messageHash(message), false)
	return append(compact[1:], compact[0])
}

func TestPersonalSign(t *testing.T) {
	a, b := newAccount(1), newAccount(2)
	for _, message := range []string{"", "x", "Signing in with Project: Bücher 🦊", strings.Repeat("long ", 5000)} {
		s := a.personalSign(message)
		if !a.signed(message, s) {
			t.Fatalf("%.20q: the signature is refused", message)
		}
		zero := append(s[:64:64], s[64]-27)
		if !a.signed(message, zero) {
			t.Error("v may count from 0")
		}
		if b.signed(message, s) || a.signed(message+" ", s) {
			t.Error("another wallet's or another message's signature is taken")
		}
		for v := range 256 {
			wrong := append(s[:64:64], byte(v))
			if ok := a.signed(message, wrong); ok != (byte(v) == s[64] || byte(v) == s[64]-27) {
				t.Errorf("v = %d: %v", v, ok)
			}
		}
	}
}

// Every bit counts, and so does the length; and nobody makes a second signature
// of a first one.
func TestSecurity53TruncatedAndMalleableSignatures(t *testing.T) {
	a, message := newAccount(1), "Signing in"
	s := a.personalSign(message)
	for i := range len(s) * 8 {
		wrong := append([]byte{}, s...)
		wrong[i/8] ^= 1 << (i % 8)
		if a.signed(message, wrong) {
			t.Errorf("bit %d does not count", i)
		}
	}
	order := secp256k1.Params().N
	high := new(big.Int).Sub(order, new(big.Int).SetBytes(s[32:64])).FillBytes(make([]byte, 32))
	mirrored := append(append(append([]byte{}, s[:32]...), high...), 27+28-s[64])
	if compact := append([]byte{mirrored[64]}, mirrored[:64]...); a.signed(message, mirrored) {
		t.Error("the mirrored signature is taken")
	} else if address, _ := recoverAddress(messageHash(message), compact); address != a.address {
		t.Error("the mirrored signature is not one, so this test proves nothing")
	}
	zeros, full := make([]byte, 32), order.FillBytes(make([]byte, 32))
	for name, wrong := range map[string][]byte{
		"r is zero": append(append([]byte{}, zeros...), s[32:]...), "s is zero": append(append(append([]byte{}, s[:32]...), zeros...), s[64]),
		"r is the order": append(append([]byte{}, full...), s[32:]...), "s is the order": append(append(append([]byte{}, s[:32]...), full...), s[64]),
		"EIP-2098": s[:64], "cut off": s[:63], "extended": append(append([]byte{}, s...), 0), "nothing": nil,
	} {
		if a.signed(message, wrong) {
			t.Errorf("%s: taken", name)
		}
	}

	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	w := wallet{solanaChain, encode58(private.Public().(ed25519.PublicKey))}
	s = ed25519.Sign(private, []byte(message))
	if !w.signed(message, s) {
		t.Fatal("a signature of Solana is refused")
	}
	for i := range len(s) * 8 {
		wrong := append([]byte{}, s...)
		wrong[i/8] ^= 1 << (i % 8)
		if w.signed(message, wrong) {
			t.Errorf("bit %d of Solana's does not count", i)
		}
	}
	for n := range 70 {
		if n != 64 && w.signed(message, append(append([]byte{}, s...), make([]byte, 10)...)[:n]) {
			t.Errorf("%d bytes are taken", n)
		}
	}
}

func TestTextsOfSignatures(t *testing.T) {
	s := newAccount(1).personalSign("x")
	digits := hex.EncodeToString(s)
	for _, good := range []string{"0x" + digits, "0x" + strings.ToUpper(digits), "0x" + digits[:10], "0x" + strings.Repeat("00", maxSignature)} {
		if _, err := parseSignature(ethereumChain, good); err != nil {
			t.Errorf("%.20s: %v", good, err)
		}
	}
	for chain, list := range map[string][]string{
		ethereumChain: {"", "0x", digits, "0X" + digits, "0x" + digits[1:], "0x" + digits + "g", " 0x" + digits, "0x" + digits + " ", "0x" + strings.Repeat("00", maxSignature+1), encode58(s)},
		solanaChain:   {"", "0x" + digits, encode58(s), encode58(s[:63]), encode58(s[:64]) + "1", "1" + encode58(s[:64]), encode58(s[:64]) + " "},
	} {
		for _, bad := range list {
			if _, err := parseSignature(chain, bad); apierr.From(err) != errSignature {
				t.Errorf("%s %.20q: %v", chain, bad, err)
			}
		}
	}
}

func TestVectorsOfSIWESignatures(t *testing.T) {
	var file struct {
		Vectors []struct {
			Fields    struct{ Address string }
			Message   string
			Hash      string `json:"eip191_hash"`
			Signature string
			Verify    any
		}
	}
	vectors(t, &file, "siwe-generated.json")
	for i, v := range file.Vectors {
		w, err := parseWallet("ethereum", v.Fields.Address)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseSignature("ethereum", v.Signature)
		if err != nil || !w.signed(v.Message, s) {
			t.Errorf("%d: refused, %v", i, err)
		}
		if got := "0x" + hex.EncodeToString(messageHash(v.Message)); v.Hash != "" && got != v.Hash {
			t.Errorf("%d: the hash is %s", i, got)
		}
	}
	if len(file.Vectors) != 13 {
		t.Errorf("%d vectors", len(file.Vectors))
	}
}

func TestVectorsOfSolana(t *testing.T) {
	var file struct {
		Vectors []struct {
			Input     struct{ Address string }
			Message   string
			Signature string `json:"signature_base58"`
			Verify    bool
			Reason    string
		}
	}
	vectors(t, &file, "siws.json")
	for i, v := range file.Vectors {
		w, err := parseWallet("solana", v.Input.Address)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parseSignature("solana", v.Signature)
		if err != nil || w.signed(v.Message, s) != v.Verify {
			t.Errorf("%d (%s): want %v, %v", i, v.Reason, v.Verify, err)
		}
	}
	if len(file.Vectors) != 15 {
		t.Errorf("%d vectors", len(file.Vectors))
	}
}

// TestWycheproofSecp256k1 recovers keys from the signatures of the vectors, which
// have the same rule about the upper half of the order.
func TestWycheproofSecp256k1(t *testing.T) {
	var file struct {
		Groups []struct {
			Key   struct{ Uncompressed string } `json:"publicKey"`
			Tests []struct {
				ID                   int `json:"tcId"`
				Comment, Msg, Result string
				Sig                  string
			}
		} `json:"testGroups"`
	}
	vectors(t, &file, "wycheproof", "ecdsa_secp256k1_sha256_bitcoin_test.json")
	valid, refused := 0, 0
	for _, g := range file.Groups {
		var raw [20]byte
		copy(raw[:], keccak(unhex(t, g.Key.Uncompressed)[1:])[12:])
		for _, v := range g.Tests {
			var der struct{ R, S *big.Int }
			_, err := asn1.Unmarshal(unhex(t, v.Sig), &der)
			if err != nil || der.R.Sign() < 0 || der.S.Sign() < 0 || der.R.BitLen() > 256 || der.S.BitLen() > 256 {
				continue // of another form than r and s of 32 bytes, which is all there is here
			}
			if strict, err := asn1.Marshal(der); err != nil || hex.EncodeToString(strict) != v.Sig {
				continue
			}
			hash := sha256.Sum256(unhex(t, v.Msg))
			found := false
			for sign := range byte(2) {
				s := append(der.R.FillBytes(make([]byte, 32)), der.S.FillBytes(make([]byte, 32))...)
				if compact, ok := compactSignature(append(s, 27+sign)); ok {
					address, ok := recoverAddress(hash[:], compact)
					found = found || ok && address == checksummed(raw)
				}
			}
			// Where x of the curve's point lies above the order v would be 29, which is
			// not made in practice and not taken by Ethereum either.
			rare := strings.Contains(v.Comment, "large x-coordinate")
			if found != (v.Result == "valid") && !rare {
				t.Errorf("%d (%s): %v", v.ID, v.Comment, found)
			}
			if found {
				valid++
			} else {
				refused++
			}
		}
	}
	if valid < 100 || refused < 10 {
		t.Errorf("%d are taken and %d refused", valid, refused)
	}
}

func TestWycheproofEd25519(t *testing.T) {
	var file struct {
		Groups []struct {
			Key   struct{ PK string } `json:"publicKey"`
			Tests []struct {
				ID                        int `json:"tcId"`
				Comment, Msg, Sig, Result string
			}
		} `json:"testGroups"`
	}
	vectors(t, &file, "wycheproof", "ed25519_test.json")
	for _, g := range file.Groups {
		w := wallet{solanaChain, encode58(unhex(t, g.Key.PK))}
		for _, v := range g.Tests {
			s, err := parseSignature(solanaChain, encode58(unhex(t, v.Sig)))
			if ok := err == nil && w.signed(string(unhex(t, v.Msg)), s); ok != (v.Result == "valid") {
				t.Errorf("%d (%s): %v", v.ID, v.Comment, ok)
			}
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
