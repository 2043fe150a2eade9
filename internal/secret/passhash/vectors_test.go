package passhash

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// vectors reads a file of ../shared/vectors, which a plain clone lacks.
func vectors(t *testing.T, name string, into any) {
	t.Helper()
	read(t, filepath.Join("../../../../shared/vectors", name), into)
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not here", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// sharedTypes says how a vector is imported; those with none are refused.
var sharedTypes = map[string]string{
	"bcrypt-2a": "bcrypt", "bcrypt-2b": "bcrypt", "bcrypt-2y": "bcrypt",
	"argon2i": "argon_2i", "argon2id": "argon_2id",
}

func TestSharedVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			Alg      string
			Password string `json:"password_utf8"`
			Hash     string
			Verify   bool
		}
	}
	vectors(t, "password-hashes.json", &file)
	h := New(Limits{})
	for _, v := range file.Vectors {
		hashType := sharedTypes[v.Alg]
		if hashType == "" {
			continue
		}
		encoded, err := Import(hashType, v.Hash, Configs{})
		if err != nil {
			t.Errorf("Import(%s, %s) = %v", hashType, v.Hash, err)
			continue
		}
		verify(t, h, encoded, v.Password, light, v.Verify, true)
	}
}
