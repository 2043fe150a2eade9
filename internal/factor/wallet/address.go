package wallet

import (
	"crypto/ed25519"
	"encoding/hex"
	"slices"
	"strings"

	"golang.org/x/crypto/sha3"

	"gatehouse/internal/apierr"
	"gatehouse/internal/sandbox"
)

var (
	errType     = apierr.New(400, "invalid_wallet_type", "crypto_wallet_type must be ethereum or solana.")
	errEthereum = apierr.New(400, "invalid_ethereum_address", "The wallet's address is not an Ethereum address. It is 0x and 40 hexadecimal digits; with letters of both cases their case must be right (EIP-55).")
	errSolana   = apierr.New(400, "invalid_solana_address", "The wallet's address is not a Solana address. It is the base58 text of the 32 bytes of an Ed25519 key.")
)

// The chains. All that run the EVM are ethereum.
const (
	ethereumChain = "ethereum"
	solanaChain   = "solana"
)

// wallet is a wallet in canonical form: an Ethereum address with its checksum
// (EIP-55), a Solana address as it is.
type wallet struct{ chain, address string }

// parseWallet reads a wallet in any spelling.
func parseWallet(chain, address string) (wallet, error) {
	switch chain {
	case ethereumChain:
		if isSandbox(chain, address) {
			return wallet{}, errEthereum.WithMessage("This is the sandbox's wallet. It works in test environments, with the secret key; it belongs to no user.")
		}
		raw, ok := ethereumAddress(address)
		if !ok {
			return wallet{}, errEthereum
		}
		return wallet{chain, checksummed(raw)}, nil
	case solanaChain:
		if _, ok := solanaKey(address); !ok {
			return wallet{}, errSolana
		}
		return wallet{chain, address}, nil
	}
	return wallet{}, errType
}

// CanonicalAddress is the one spelling of a wallet's address, or says what is
// wrong with it.
func CanonicalAddress(chain, address string) (string, error) {
	w, err := parseWallet(chain, address)
	return w.address, err
}

func isSandbox(chain, address string) bool {
	return chain == ethereumChain && strings.EqualFold(address, sandbox.WalletAddress)
}

// key names the wallet wherever all its spellings are one.
func (w wallet) key() string {
	if w.chain == ethereumChain {
		return w.chain + "|" + strings.ToLower(w.address)
	}
	return w.chain + "|" + w.address
}

// ethereumAddress reads an address. One with letters of both cases is written
// with a checksum, which must be right: it says that a digit was mistyped.
func ethereumAddress(s string) (raw [20]byte, ok bool) {
	digits, found := strings.CutPrefix(s, "0x")
	if !found || len(digits) != 2*len(raw) {
		return raw, false
	}
	if _, err := hex.Decode(raw[:], []byte(digits)); err != nil {
		return raw, false
	}
	plain := digits == strings.ToLower(digits) || digits == strings.ToUpper(digits)
	return raw, plain || s == checksummed(raw)
}

// checksummed writes an address with its checksum: a letter is a capital where
// the hash of the lower-case digits has a digit of 8 and above (EIP-55).
func checksummed(raw [20]byte) string {
	out := []byte(hex.EncodeToString(raw[:]))
	sum := keccak(out)
	for i, c := range out {
		nibble := sum[i/2] >> 4
		if i%2 == 1 {
			nibble = sum[i/2] & 15
		}
		if c >= 'a' && nibble >= 8 {
			out[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(out)
}

// keccak is the hash of Ethereum: SHA-3 before its padding was changed.
func keccak(parts ...[]byte) []byte {
	h := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// solanaKey reads an address, which is a public key. Points of small order are
// refused: signatures under them can be made by anybody.
func solanaKey(s string) (ed25519.PublicKey, bool) {
	raw, ok := base58(s, ed25519.PublicKeySize)
	return raw, ok && !slices.Contains(smallOrder, masked(raw))
}

// masked is the key as text, without the bit that is the sign of x.
func masked(key []byte) string {
	key = slices.Clone(key)
	key[len(key)-1] &= 0x7f
	return hex.EncodeToString(key)
}

// smallOrder are the encodings of points whose order divides 8, without the
// sign of x, among them two that are not canonical (RFC 8032, section 5.1.3).
var smallOrder = []string{
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
}

const base58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// base58 reads a text that stands for exactly size bytes. There is one such
// text for every value: a leading zero byte is a leading 1.
func base58(s string, size int) ([]byte, bool) {
	if len(s) < size || len(s) > size*7/5+1 { // log(256)/log(58) = 1.366 digits for a byte
		return nil, false
	}
	raw := make([]byte, size)
	for i := range len(s) {
		carry := strings.IndexByte(base58Digits, s[i])
		if carry < 0 {
			return nil, false
		}
		for k := size - 1; k >= 0; k-- {
			carry += int(raw[k]) * 58
			raw[k] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return nil, false
		}
	}
	ones := len(s) - len(strings.TrimLeft(s, "1"))
	zeros := slices.IndexFunc(raw, func(b byte) bool { return b != 0 })
	if zeros < 0 {
		zeros = size
	}
	return raw, ones == zeros
}
