package secret

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func ring(t *testing.T, keys ...string) *Keyring {
	t.Helper()
	k, err := ParseKeyring(strings.Join(keys, ","))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestTokenShape(t *testing.T) {
	a, b := Token(), Token()
	if len(a) != 44 || a == b || !ValidToken(a) {
		t.Fatalf("tokens %q and %q", a, b)
	}
	for _, bad := range []string{"", a[:43], a + "A", a[:43] + "=", a[:43] + "+", strings.Repeat(" ", 44)} {
		if ValidToken(bad) {
			t.Errorf("%q passed for a token", bad)
		}
	}
}

func TestSealOpens(t *testing.T) {
	k := ring(t, NewMasterKey())
	sealed, err := k.Seal("session token", "project-test-1", []byte("the token"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("the token")) {
		t.Fatal("the plaintext is readable")
	}
	plain, err := k.Open("session token", "project-test-1", sealed)
	if err != nil || string(plain) != "the token" {
		t.Fatalf("Open = %q, %v", plain, err)
	}
}

func TestSealIsBound(t *testing.T) {
	k := ring(t, NewMasterKey())
	sealed, err := k.Seal("purpose", "env", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open("other", "env", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("another purpose opened it: %v", err)
	}
	if _, err := k.Open("purpose", "other", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("another environment opened it: %v", err)
	}
	for i := range sealed {
		changed := bytes.Clone(sealed)
		changed[i] ^= 1
		if _, err := k.Open("purpose", "env", changed); !errors.Is(err, ErrSealed) {
			t.Fatalf("a flipped bit in byte %d went unnoticed: %v", i, err)
		}
	}
	for n := range sealed {
		if _, err := k.Open("purpose", "env", sealed[:n]); !errors.Is(err, ErrSealed) {
			t.Fatalf("a value cut to %d bytes opened: %v", n, err)
		}
	}
}

func TestKeyRotationKeepsOldValuesReadable(t *testing.T) {
	oldKey, newKey := NewMasterKey(), NewMasterKey()
	sealed, err := ring(t, oldKey).Seal("p", "e", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	mac, err := ring(t, oldKey).MAC("p", "e", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	both := ring(t, newKey, oldKey)
	if plain, err := both.Open("p", "e", sealed); err != nil || string(plain) != "value" {
		t.Errorf("Open after rotation = %q, %v", plain, err)
	}
	if ok, err := both.VerifyMAC("p", "e", mac, []byte("x")); !ok || err != nil {
		t.Errorf("VerifyMAC after rotation = %v, %v", ok, err)
	}
	if _, err := ring(t, newKey).Open("p", "e", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("the new key alone opened it: %v", err)
	}
}

func TestMACSeparatesParts(t *testing.T) {
	k := ring(t, NewMasterKey())
	a, err := k.MAC("p", "e", []byte("ab"), []byte("c"))
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := k.VerifyMAC("p", "e", a, []byte("a"), []byte("bc")); ok {
		t.Error("parts can be shifted")
	}
	if ok, _ := k.VerifyMAC("p", "e", a, []byte("ab"), []byte("c")); !ok {
		t.Error("a right MAC was refused")
	}
}

func TestParseKeyring(t *testing.T) {
	hexKey := hex.EncodeToString(bytes.Repeat([]byte{7}, 32))
	if _, err := ParseKeyring(hexKey + " , " + NewMasterKey()); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "short", hexKey[:62], hexKey + ","} {
		if _, err := ParseKeyring(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// Whoever changes master keys wants to know what still needs the old one.
func TestSealedWithFirst(t *testing.T) {
	old, fresh := NewMasterKey(), NewMasterKey()
	sealed, err := ring(t, old).Seal("purpose", "env", []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	if !ring(t, old).SealedWithFirst(sealed) || !ring(t, old, fresh).SealedWithFirst(sealed) {
		t.Error("the first key is not recognised")
	}
	if ring(t, fresh, old).SealedWithFirst(sealed) || ring(t, fresh).SealedWithFirst(sealed) || ring(t, old).SealedWithFirst(nil) {
		t.Error("another key passes for the first")
	}
}
