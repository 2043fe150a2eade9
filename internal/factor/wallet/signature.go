package wallet

import (
	"crypto/ed25519"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"gatehouse/internal/apierr"
)

var errSignature = apierr.New(400, "invalid_signature", "The signature is malformed. Send what the wallet answers: of Ethereum 0x and the hexadecimal digits of personal_sign, of Solana the base58 text of 64 bytes.")

const (
	keySignature = 65 // bytes: r, s and v
	// maxSignature bounds what a contract is asked about, in bytes: many owners of
	// one wallet sign one after the other.
	maxSignature = 8 << 10
)

// parseSignature reads the text of a signature, without judging it.
func parseSignature(chain, text string) ([]byte, error) {
	if chain == solanaChain {
		raw, ok := base58(text, ed25519.SignatureSize)
		if !ok {
			return nil, errSignature
		}
		return raw, nil
	}
	digits, found := strings.CutPrefix(text, "0x")
	if !found || digits == "" || len(digits) > 2*maxSignature {
		return nil, errSignature
	}
	raw, err := hex.DecodeString(digits)
	if err != nil {
		return nil, errSignature
	}
	return raw, nil
}

// signed reports whether the key that is the wallet's address signed the
// message.
func (w wallet) signed(message string, signature []byte) bool {
	if w.chain == solanaChain {
		key, ok := solanaKey(w.address)
		return ok && len(signature) == ed25519.SignatureSize && ed25519.Verify(key, []byte(message), signature)
	}
	compact, ok := compactSignature(signature)
	if !ok {
		return false
	}
	address, ok := recoverAddress(messageHash(message), compact)
	return ok && address == w.address
}

// messageHash is what personal_sign signs (EIP-191, version 0x45).
func messageHash(message string) []byte {
	return keccak([]byte("\x19Ethereum Signed Message:\n"+strconv.Itoa(len(message))), []byte(message))
}

// compactSignature brings a signature of r, s and v into the form that the
// library reads. It is false for any that a key does not make: v other than 27
// and 28 (or 0 and 1, as hardware wallets count), and an s above half of the
// order, which is the second signature that anybody can make of a first.
func compactSignature(signature []byte) ([]byte, bool) {
	if len(signature) != keySignature {
		return nil, false
	}
	v := signature[64]
	if v >= 27 {
		v -= 27
	}
	var s secp256k1.ModNScalar
	if overflow := s.SetByteSlice(signature[32:64]); v > 1 || overflow || s.IsZero() || s.IsOverHalfOrder() {
		return nil, false
	}
	return append([]byte{27 + v}, signature[:64]...), true
}

// recoverAddress returns the address of the key that made a signature.
func recoverAddress(hash, compact []byte) (string, bool) {
	key, _, err := ecdsa.RecoverCompact(compact, hash)
	if err != nil {
		return "", false
	}
	var raw [20]byte
	copy(raw[:], keccak(key.SerializeUncompressed()[1:])[12:])
	return checksummed(raw), true
}
