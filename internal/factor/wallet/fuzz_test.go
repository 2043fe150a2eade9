package wallet

import (
	"testing"
	"time"

	"gatehouse/internal/apierr"
)

// Security case 54: whatever a client sends is answered with a verdict of the
// contract. Run one with: go test -fuzz FuzzSecurity54Signatures ./internal/factor/wallet

func verdict(t *testing.T, err error) {
	t.Helper()
	if e := apierr.From(err); err != nil && (e == nil || e.Status < 400 || e.Status > 499) {
		t.Fatalf("neither accepted nor refused: %v", err)
	}
}

func FuzzSecurity54Signatures(f *testing.F) {
	f.Add("ethereum", checksummedAddresses[0], "0x"+string(make([]byte, 130)), "message")
	f.Add("ethereum", checksummedAddresses[1], "0x00", "")
	f.Add("solana", "H1zLvsAp3uaAaeSHdxy24LkbKuH3E3CuRT51vRcT2FuQ", "VLoVANgGiwG5EKt4HSLGnc4bZgQ4BD82awjLAGY5qVFQzgUUAvn9zoNrJtXxQhToMkomFiWgvxPnC34ZE1S8UFc", "x")
	f.Add("", "", "", "")
	f.Fuzz(func(t *testing.T, chain, address, signature, message string) {
		w, err := parseWallet(chain, address)
		verdict(t, err)
		if err != nil {
			w = wallet{ethereumChain, checksummedAddresses[0]}
		} else if again, err := parseWallet(w.chain, w.address); err != nil || again != w {
			t.Fatalf("%v is not canonical: %v, %v", w, again, err)
		}
		s, err := parseSignature(w.chain, signature)
		verdict(t, err)
		if w.signed(message, s) && err != nil {
			t.Fatal("a signature that is none is taken")
		}
	})
}

func FuzzSecurity54RawSignatures(f *testing.F) {
	s := newAccount(1).personalSign("x")
	f.Add(s, []byte("x"))
	f.Add(s[:64], []byte{})
	f.Fuzz(func(_ *testing.T, signature, message []byte) {
		newAccount(1).signed(string(message), signature)
		wallet{solanaChain, "H1zLvsAp3uaAaeSHdxy24LkbKuH3E3CuRT51vRcT2FuQ"}.signed(string(message), signature)
	})
}

func FuzzSecurity54Base58(f *testing.F) {
	f.Add("H1zLvsAp3uaAaeSHdxy24LkbKuH3E3CuRT51vRcT2FuQ")
	f.Add("11111111111111111111111111111111")
	f.Fuzz(func(t *testing.T, s string) {
		for _, size := range []int{32, 64} {
			if raw, ok := base58(s, size); ok && (len(raw) != size || encode58(raw) != s) {
				t.Fatalf("%q is read as %x, whose text is %q", s, raw, encode58(raw))
			}
		}
	})
}

// A message that is taken is read back as it was meant: no field reaches into
// another one.
func FuzzSecurity54Messages(f *testing.F) {
	f.Add("example.com", "https://example.com", "https://example.com/tos", "1", "I accept", "2026-01-31T12:00:00Z", "", "id")
	f.Add("a\nb", "x:\nVersion: 2", "- ", "01", "\n\nURI: x", "x", "2026-01-31T12:00:00+02:00", "a b")
	f.Fuzz(func(t *testing.T, domain, uri, resource, chainID, statement, issued, notBefore, requestID string) {
		p := siweParams{domain, uri, []string{resource}, chainID, statement, issued, notBefore, requestID}
		m, err := p.understood(asServer())
		verdict(t, err)
		if err != nil {
			return
		}
		text := dated(m).text(checksummedAddresses[0], "abcdefgh", time.UnixMilli(1_700_000_300_000).UTC())
		back, err := parseMessage(text)
		if err != nil || back.Domain != domain || back.URI != uri || back.Statement != statement || len(back.Resources) != 1 || back.Resources[0] != resource {
			t.Fatalf("%v reads %+v", err, back)
		}
		if chainID != "" && back.ChainID != chainID || requestID != "" && *back.RequestID != requestID {
			t.Fatalf("reads %+v", back)
		}
	})
}
