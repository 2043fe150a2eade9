package wallet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/sandbox"
)

// The examples of EIP-55.
var checksummedAddresses = []string{
	"0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
	"0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
	"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
	"0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
}

func TestEthereumAddressesHaveChecksums(t *testing.T) {
	for _, want := range checksummedAddresses {
		for _, spelling := range []string{want, strings.ToLower(want), "0x" + strings.ToUpper(want[2:])} {
			if w, err := parseWallet("ethereum", spelling); err != nil || w.address != want {
				t.Errorf("%s is read as %v, %v", spelling, w, err)
			}
		}
	}
	mixed := checksummedAddresses[4]
	for _, bad := range []string{
		"", "0x", mixed[2:], "0X" + mixed[2:], mixed[:41], mixed + "0", " " + mixed, mixed + "\n", "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
		strings.Replace(mixed, "5", "g", 1), "0x" + strings.Repeat("é", 20), "ethereum:" + mixed, "vitalik.eth", sandbox.WalletAddress, strings.ToLower(sandbox.WalletAddress),
	} {
		refusedAs(t, "ethereum", bad, "invalid_ethereum_address")
	}
	// One digit wrong in a checksummed address is noticed in all but a few cases.
	noticed := 0
	for i := 2; i < 42; i++ {
		for _, c := range "0123456789abcdef" {
			if wrong := mixed[:i] + string(c) + mixed[i+1:]; !strings.EqualFold(wrong, mixed) {
				if _, err := parseWallet("ethereum", wrong); err != nil {
					noticed++
				}
			}
		}
	}
	if noticed < 595 {
		t.Errorf("%d of 600 mistypings are noticed", noticed)
	}
}

func refusedAs(t *testing.T, chain, address, verdict string) {
	t.Helper()
	w, err := parseWallet(chain, address)
	if e := apierr.From(err); e == nil || e.Type != verdict || e.Status != 400 || w != (wallet{}) {
		t.Errorf("%s %q: %v, %v", chain, address, w, err)
	}
}

func TestTypesOfWallets(t *testing.T) {
	for _, bad := range []string{"", "Ethereum", "bitcoin", "ethereum ", "eth"} {
		refusedAs(t, bad, checksummedAddresses[0], "invalid_wallet_type")
	}
}

// encode58 is base58 written in another way than it is read.
func encode58(raw []byte) string {
	n, out := new(big.Int).SetBytes(raw), ""
	for n.Sign() > 0 {
		digit := new(big.Int)
		n.DivMod(n, big.NewInt(58), digit)
		out = string(base58Digits[digit.Int64()]) + out
	}
	return strings.Repeat("1", len(raw)-len(bytes.TrimLeft(raw, "\x00"))) + out
}

func TestBase58(t *testing.T) {
	for _, size := range []int{32, 64} {
		for _, raw := range [][]byte{
			make([]byte, size), bytes.Repeat([]byte{0xff}, size), append(make([]byte, size-1), 1), append([]byte{0, 0, 7}, make([]byte, size-3)...),
			append([]byte{1}, make([]byte, size-1)...),
		} {
			text := encode58(raw)
			if got, ok := base58(text, size); !ok || !bytes.Equal(got, raw) {
				t.Errorf("%s is read as %x, %v", text, got, ok)
			}
			for _, bad := range []string{"1" + text, text + "1", text[:len(text)-1], text[1:], strings.Replace(text, text[:1], "0", 1), text + "l", " " + text, text + "é"} {
				if got, ok := base58(bad, size); ok && encode58(got) != bad {
					t.Errorf("%q is read as %x, as another text is", bad, got)
				}
			}
		}
	}
	if _, ok := base58(encode58(make([]byte, 33)), 32); ok {
		t.Error("33 zeros are read as 32")
	}
	if _, ok := base58(encode58(append([]byte{1}, make([]byte, 32)...)), 32); ok {
		t.Error("what overflows is read")
	}
}

func TestSolanaAddresses(t *testing.T) {
	good := encode58(ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey))
	if w, err := parseWallet("solana", good); err != nil || w.address != good {
		t.Errorf("%s is read as %v, %v", good, w, err)
	}
	swapped := strings.ToLower(good)
	for _, bad := range []string{"", good[:len(good)-2], good + "1", "1" + good, good + " ", swapped + "0", checksummedAddresses[0], strings.Repeat("1", 32), strings.Repeat("z", 44)} {
		refusedAs(t, "solana", bad, "invalid_solana_address")
	}
}

// Under a key of small order anybody makes signatures: such an address would be
// everybody's. The test makes one for each, without any secret.
func TestSolanaKeysOfSmallOrder(t *testing.T) {
	forged := 0
	for _, text := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			key, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			key[31] |= sign
			refusedAs(t, "solana", encode58(key), "invalid_solana_address")
			identity := append([]byte{1}, make([]byte, 63)...) // R is the neutral point, S is zero
			for i := range byte(64) {
				if ed25519.Verify(key, []byte{i}, identity) {
					forged++
					break
				}
			}
		}
	}
	if forged < 8 {
		t.Errorf("only %d of the keys take a signature that nobody made", forged)
	}
}
