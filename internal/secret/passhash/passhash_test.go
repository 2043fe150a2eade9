package passhash

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
)

// light is a cost that tests can pay often.
var light = Params{MemoryKiB: 64, Iterations: 1, Parallelism: 1}

func TestHashVerifies(t *testing.T) {
	h, ctx := New(Limits{}), t.Context()
	a, err := h.Hash(ctx, "correct horse", Default)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("Hash = %s", a)
	}
	if b, err := h.Hash(ctx, "correct horse", Default); err != nil || a == b {
		t.Errorf("a second hash of one password is %s, %v", b, err)
	}
	verify(t, h, a, "correct horse", Default, true, false)
	verify(t, h, a, "correct horse ", Default, false, false)
	verify(t, h, a, "", Default, false, false)
	verify(t, h, a, "correct horse\x00", Default, false, false)
	if err := h.Dummy(ctx, "correct horse", Default); err != nil {
		t.Errorf("Dummy = %v", err)
	}
}

func verify(t *testing.T, h *Hasher, encoded, password string, p Params, wantOK, wantOutdated bool) {
	t.Helper()
	ok, outdated, err := h.Verify(t.Context(), encoded, password, p)
	if err != nil || ok != wantOK || outdated != wantOutdated {
		t.Errorf("Verify(%s, %q) = %t, %t, %v; want %t, %t", encoded, password, ok, outdated, err, wantOK, wantOutdated)
	}
}

func TestOutdatedIsAnotherSchemeOrCost(t *testing.T) {
	h := New(Limits{})
	now, err := h.Hash(t.Context(), "password", light)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, h, now, "password", light, true, false)
	for _, p := range []Params{{65, 1, 1}, {64, 2, 1}, {64, 1, 2}} {
		verify(t, h, now, "password", p, true, true)
		verify(t, h, now, "wrong", p, false, true)
	}
	salt := []byte("sixteen bytes it")
	for name, a := range map[string]*argon2Hash{
		"argon2i":    {argon2i, light, salt, argon2.Key([]byte("password"), salt, 1, 64, 1, 32)},
		"short salt": {argon2id, light, salt[:15], argon2.IDKey([]byte("password"), salt[:15], 1, 64, 1, 32)},
		"short hash": {argon2id, light, salt, argon2.IDKey([]byte("password"), salt, 1, 64, 1, 31)},
	} {
		t.Run(name, func(t *testing.T) { verify(t, h, a.encode(), "password", light, true, true) })
	}
}

func TestParamsCheckBoundaries(t *testing.T) {
	for _, test := range []struct {
		p  Params
		ok bool
	}{
		{Default, true},
		{Params{}, false},
		{Params{64, 0, 1}, false}, {Params{64, 1, 0}, false},
		{Params{8, 1, 1}, true}, {Params{7, 1, 1}, false},
		{Params{32, 1, 4}, true}, {Params{31, 1, 4}, false},
		{Params{maxArgon2KiB, 4, 1}, true}, {Params{maxArgon2KiB, 5, 1}, false}, {Params{maxArgon2KiB + 1, 1, 1}, false},
		{Params{1024, 1024, 1}, true}, {Params{1024, 1025, 1}, false}, {Params{8, 1 << 31, 1}, false},
		{Params{4096, 1, maxArgon2Threads}, true}, {Params{4096, 1, maxArgon2Threads + 1}, false},
	} {
		if err := test.p.Check(); (err == nil) != test.ok {
			t.Errorf("Check(%+v) = %v", test.p, err)
		}
	}
	h := New(Limits{})
	if _, err := h.Hash(t.Context(), "x", Params{}); err == nil {
		t.Error("Hash took a cost of nothing")
	}
	if _, _, err := h.Verify(t.Context(), dummy(light).encode(), "x", Params{}); err == nil {
		t.Error("Verify took a cost of nothing")
	}
	if err := h.Dummy(t.Context(), "x", Params{}); err == nil {
		t.Error("Dummy took a cost of nothing")
	}
}

func TestLongPasswordsMatchNothing(t *testing.T) {
	h, most := New(Limits{}), strings.Repeat("p", MaxPassword)
	encoded, err := h.Hash(t.Context(), most, light)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, h, encoded, most, light, true, false)
	verify(t, h, encoded, most+"p", light, false, false)
	if _, err := h.Hash(t.Context(), most+"p", light); err == nil {
		t.Error("Hash took a password that is too long")
	}
	// The cheapest way to a match for a long password would be one of nothing.
	empty, err := h.Hash(t.Context(), "", light)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, h, empty, most+"p", light, false, false)
}

func TestStoredStringsOfUnknownForm(t *testing.T) {
	h := New(Limits{})
	for _, bad := range []string{"", "$", "plain", "$argon2id$", "$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", strings.Repeat("$", maxEncoded+1)} {
		if _, _, err := h.Verify(t.Context(), bad, "password", light); !errors.Is(err, errStored) {
			t.Errorf("Verify(%q) = %v", bad, err)
		}
		if _, _, _, err := Split(bad); !errors.Is(err, errStored) {
			t.Errorf("Split(%q) = %v", bad, err)
		}
	}
}

func TestCancelledContextHashesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(Limits{}).Hash(ctx, "password", light); !errors.Is(err, context.Canceled) {
		t.Errorf("Hash = %v", err)
	}
}

// filled returns how many KiB Argon2 fills in f, which is its cost.
func filled(t *testing.T, f func() error) uint64 {
	t.Helper()
	lent := func() uint64 {
		spare.mu.Lock()
		defer spare.mu.Unlock()
		return spare.lent
	}
	before := lent()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return lent() - before
}

func TestTimingEnumeration(t *testing.T) {
	h, ctx := New(Limits{}), t.Context()
	current, err := h.Hash(ctx, "password", Default)
	if err != nil {
		t.Fatal(err)
	}
	cheap, err := Import("md_5", "5f4dcc3b5aa765d61d8327deb882cf99", Configs{}) // of "password"
	if err != nil {
		t.Fatal(err)
	}
	tryVerify := func(encoded, password string, wantOK bool) func() error {
		return func() error {
			ok, _, err := h.Verify(ctx, encoded, password, Default)
			if ok != wantOK {
				t.Errorf("Verify(%s, %q) = %t", encoded, password, ok)
			}
			return err
		}
	}
	for name, f := range map[string]func() error{
		"wrong password":          tryVerify(current, "wrong", false),
		"unknown user":            func() error { return h.Dummy(ctx, "wrong", Default) },
		"right password":          tryVerify(current, "password", true),
		"wrong for an old hash":   tryVerify(cheap, "wrong", false),
		"longer than any":         tryVerify(current, strings.Repeat("p", MaxPassword+1), false),
		"longer, for an old hash": tryVerify(cheap, strings.Repeat("p", MaxPassword+1), false),
		"old hash, then a new one": func() error {
			if err := tryVerify(cheap, "password", true)(); err != nil {
				return err
			}
			_, err := h.Hash(ctx, "password", Default)
			return err
		},
	} {
		if got := filled(t, f); got != uint64(Default.MemoryKiB) {
			t.Errorf("%s: %d KiB, and not the %d of one hash", name, got, Default.MemoryKiB)
		}
	}
}

func TestMemoryOfManyLoginsIsBounded(t *testing.T) {
	const concurrent, logins = 2, 64
	h := New(Limits{Concurrent: concurrent, Waiting: logins, Patience: time.Hour})
	calmDown()
	var all sync.WaitGroup
	for range logins {
		all.Go(func() {
			if err := h.Dummy(t.Context(), "password", Default); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	spare.mu.Lock()
	defer spare.mu.Unlock()
	kept := 0
	for _, m := range spare.list {
		kept += len(m.blocks)
	}
	if most := concurrent * int(Default.MemoryKiB); kept == 0 || kept > most {
		t.Errorf("%d logins, %d at a time, took %d KiB, and not %d at most", logins, concurrent, kept, most)
	}
}
