package passhash

import (
	"encoding/json"
	"strings"
	"testing"
)

// cheap reports whether a hash can be tried in a fuzz test.
func cheap(s scheme) bool {
	switch s := s.(type) {
	case *argon2Hash:
		return s.MemoryKiB*s.Iterations <= 1024
	case bcryptHash:
		return s[4:6] == "04"
	case bcryptSHA256Hash:
		return s.bcryptHash[4:6] == "04"
	case *pbkdf2Hash:
		return s.iterations*len(s.hash) <= 100_000
	case *scryptHash:
		return s.n*s.r*s.p <= 4096
	case *firebaseHash:
		return s.n*s.r*s.p <= 4096
	case *cryptHash:
		return s.rounds <= shaCryptRounds
	case phpassHash:
		return strings.IndexByte(cryptAlphabet, s[3]) <= 10
	}
	return true
}

// FuzzImport takes whatever hash and settings: what Import accepts is within
// its limits, survives an export, and can be tried.
func FuzzImport(f *testing.F) {
	for hashType := range importers {
		f.Add(hashType, "", []byte(`{}`))
	}
	for _, row := range madeHashes(f) {
		config, err := json.Marshal(row.Configs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(row.HashType, row.Hash, config)
	}
	f.Fuzz(func(t *testing.T, hashType, hash string, config []byte) {
		var c Configs
		if json.Unmarshal(config, &c) != nil {
			return
		}
		if _, err := Import(hashType, hash, c); err == nil {
			tryStored(t, imported(t, hashType, hash, c))
		}
	})
}

// FuzzVerify takes whatever may stand in the database.
func FuzzVerify(f *testing.F) {
	for _, row := range madeHashes(f) {
		encoded, err := Import(row.HashType, row.Hash, row.Configs)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded string) {
		s, err := parse(encoded)
		if err != nil {
			return
		}
		canonical := s.encode()
		hashType, hash, c := s.split()
		if got := imported(t, hashType, hash, c); got != canonical {
			t.Errorf("%q is %q, and after an export %q", encoded, canonical, got)
		}
		tryStored(t, canonical)
	})
}

func tryStored(t *testing.T, encoded string) {
	s, err := parse(encoded)
	if err != nil {
		t.Fatalf("parse(%q) = %v", encoded, err)
	}
	if again := s.encode(); again != encoded {
		t.Fatalf("%q is read and written as %q", encoded, again)
	}
	if len(encoded) > maxEncoded {
		t.Fatalf("%d bytes are too many to be read again", len(encoded))
	}
	if cheap(s) && s.matches([]byte("no\xff such\x00 password")) {
		t.Fatalf("%q matches anything", encoded)
	}
}

func madeHashes(tb testing.TB) (rows []madeHash) {
	read(tb, "testdata/hashes.json", &rows)
	return rows
}
