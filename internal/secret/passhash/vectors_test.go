package passhash

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// vectors reads a file of ../shared/vectors, which a plain clone lacks.
func vectors(t *testing.T, name string, into any) {
	t.Helper()
	read(t, filepath.Join("../../../../shared/vectors", name), into)
}

func read(t testing.TB, path string, into any) {
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

// imported returns the canonical string of a hash, after checking that it
// survives an export and an import as JSON.
func imported(t *testing.T, hashType, hash string, c Configs) string {
	t.Helper()
	encoded, err := Import(hashType, hash, c)
	if err != nil {
		t.Fatalf("Import(%s, %s) = %v", hashType, hash, err)
	}
	outType, out, config, err := Split(encoded)
	if err != nil {
		t.Fatalf("Split(%s) = %v", encoded, err)
	}
	wire, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var back Configs
	if err := json.Unmarshal(wire, &back); err != nil {
		t.Fatal(err)
	}
	if again, err := Import(outType, out, back); err != nil || again != encoded {
		t.Fatalf("Import(%s, %s, %s) = %s, %v; want %s", outType, out, wire, again, err, encoded)
	}
	return encoded
}

// sharedTypes says how a vector is imported; those with none are not offered.
var sharedTypes = map[string]string{
	"bcrypt-2a": "bcrypt", "bcrypt-2b": "bcrypt", "bcrypt-2y": "bcrypt",
	"md5crypt": "crypt", "apr1": "crypt", "sha256crypt": "crypt", "sha512crypt": "crypt",
	"phpass":                      "phpass",
	"pbkdf2-sha1 (passlib MCF)":   "pbkdf_2",
	"pbkdf2-sha256 (passlib MCF)": "pbkdf_2", "pbkdf2-sha512 (passlib MCF)": "pbkdf_2",
	"django_pbkdf2_sha256": "django", "django_pbkdf2_sha1": "django",
	"scrypt (passlib MCF $scrypt$ln=,r=,p=)": "scrypt",
	"ldap_salted_sha1":                       "ldap",
	"argon2i":                                "argon_2i", "argon2id": "argon_2id",
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
			for hashType := range importers {
				if _, err := Import(hashType, v.Hash, Configs{}); err == nil {
					t.Errorf("%s was imported as %s", v.Alg, hashType)
				}
			}
			continue
		}
		verify(t, h, imported(t, hashType, v.Hash, Configs{}), v.Password, light, v.Verify, true)
	}
}

func TestSharedFirebaseVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			Password      string `json:"password_utf8"`
			SignerKey     string `json:"signer_key"`
			SaltSeparator string `json:"salt_separator"`
			Rounds        int
			MemCost       int `json:"mem_cost"`
			Salt, Hash    string
		}
	}
	vectors(t, "password-firebase-scrypt.json", &file)
	h := New(Limits{})
	for _, v := range file.Vectors {
		encoded := imported(t, "firebase_scrypt", v.Hash, Configs{FirebaseScrypt: &FirebaseScryptConfig{
			Salt: v.Salt, SignerKey: v.SignerKey, SaltSeparator: v.SaltSeparator, Rounds: v.Rounds, MemCost: v.MemCost,
		}})
		verify(t, h, encoded, v.Password, light, true, true)
		verify(t, h, encoded, v.Password+"x", light, false, true)
	}
}

// A madeHash is a row of testdata/hashes.json, which testdata/make.py made with
// the software it names.
type madeHash struct {
	MadeBy   string `json:"made_by"`
	HashType string `json:"hash_type"`
	Hash     string
	Password string
	Configs
}

func TestHashesOfOtherSoftware(t *testing.T) {
	h := New(Limits{})
	covered := map[string]bool{}
	for _, row := range madeHashes(t) {
		t.Run(row.MadeBy+" "+row.HashType, func(t *testing.T) {
			covered[row.HashType] = true
			encoded := imported(t, row.HashType, row.Hash, row.Configs)
			verify(t, h, encoded, row.Password, light, true, true)
			verify(t, h, encoded, "x"+row.Password, light, false, true)
			verify(t, h, encoded, "", light, false, true)
		})
	}
	for hashType := range importers {
		if !covered[hashType] {
			t.Errorf("no other software made a hash of type %s", hashType)
		}
	}
}

// The page shows one call for each kind of hash, all of the same password.
func TestDocumentedCalls(t *testing.T) {
	page, err := os.ReadFile("../../../docs/password-hashes.md")
	if err != nil {
		t.Fatal(err)
	}
	h, shown := New(Limits{}), map[string]bool{}
	for _, call := range regexp.MustCompile(`(?ms)^migrate '(\{.*?\})'$`).FindAllSubmatch(page, -1) {
		var body struct {
			HashType string `json:"hash_type"`
			Hash     string
			Configs
		}
		if err := json.Unmarshal(call[1], &body); err != nil {
			t.Errorf("%v: %s", err, call[1])
			continue
		}
		shown[body.HashType] = true
		verify(t, h, imported(t, body.HashType, body.Hash, body.Configs), "correct horse battery", light, true, true)
	}
	for hashType := range importers {
		if !shown[hashType] {
			t.Errorf("docs/password-hashes.md shows no call for %s", hashType)
		}
	}
}
