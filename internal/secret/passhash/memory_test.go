package passhash

import (
	"bytes"
	"fmt"
	"testing"

	"golang.org/x/crypto/argon2"
)

// Memory that other hashes were made in, larger or smaller ones, of another
// number of lanes, changes nothing.
func TestReusedMemoryChangesNothing(t *testing.T) {
	for i, p := range []Params{
		{19456, 2, 1}, {64, 1, 1}, {19456, 1, 4}, {8, 1, 1}, {9, 3, 1}, {100, 2, 3}, {4096, 2, 1}, {8, 1, 2}, {19457, 1, 1}, {65536 + 64, 1, 2}, {64, 4, 8},
	} {
		for _, length := range []uint32{12, 32, 64, 65, 100} {
			password, salt := fmt.Appendf(nil, "password %d", i), []byte("0123456789abcdef")
			if got, want := deriveKey(modeArgon2id, password, salt, p, length), argon2.IDKey(password, salt, p.Iterations, p.MemoryKiB, p.Parallelism, length); !bytes.Equal(got, want) {
				t.Errorf("%+v: Argon2id of %d bytes is %x, want %x", p, length, got, want)
			}
			if got, want := deriveKey(modeArgon2i, password, salt, p, length), argon2.Key(password, salt, p.Iterations, p.MemoryKiB, p.Parallelism, length); !bytes.Equal(got, want) {
				t.Errorf("%+v: Argon2i of %d bytes is %x, want %x", p, length, got, want)
			}
		}
	}
}
