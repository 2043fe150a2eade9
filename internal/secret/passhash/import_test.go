package passhash

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func std64(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }

func raw64(n int) string { return b64.EncodeToString(make([]byte, n)) }

// A refusal is what Import must say of a hash; want is nil where it takes it.
type refusal struct {
	name, hashType, hash string
	c                    Configs
	want                 error
}

func checkRefusals(t *testing.T, table []refusal) {
	t.Helper()
	for _, test := range table {
		encoded, err := Import(test.hashType, test.hash, test.c)
		if !errors.Is(err, test.want) || test.want == nil && err != nil {
			t.Errorf("%s: Import = %s, %v; want %v", test.name, encoded, err, test.want)
		}
		if err != nil && encoded != "" {
			t.Errorf("%s: %s beside an error", test.name, encoded)
		}
		if err == nil {
			imported(t, test.hashType, test.hash, test.c)
		}
	}
}

const bcryptTail = "jtUGR97ya9Jgu28i1/VNruhuyOlQDIj/h9a0HArzR99FaHVEaaY4S"

func TestBcryptBoundaries(t *testing.T) {
	table := []refusal{
		{"cost 3", "bcrypt", "$2b$03$" + bcryptTail, Configs{}, errBcryptCost},
		{"cost 4", "bcrypt", "$2b$04$" + bcryptTail, Configs{}, nil},
		{"cost 16", "bcrypt", "$2b$16$" + bcryptTail, Configs{}, nil},
		{"cost 17", "bcrypt", "$2b$17$" + bcryptTail, Configs{}, errBcryptCost},
		{"cost 31", "bcrypt", "$2b$31$" + bcryptTail, Configs{}, errBcryptCost},
		{"cost 00", "bcrypt", "$2b$00$" + bcryptTail, Configs{}, errBcryptCost},
		{"signed cost", "bcrypt", "$2b$+5$" + bcryptTail, Configs{}, errBcrypt},
		{"59 characters", "bcrypt", "$2b$05$" + bcryptTail[1:], Configs{}, errBcrypt},
		{"61 characters", "bcrypt", "$2b$05$" + bcryptTail + "a", Configs{}, errBcrypt},
		{"newline", "bcrypt", "$2b$05$" + bcryptTail[:52] + "\n", Configs{}, errBcrypt},
		{"foreign character", "bcrypt", "$2b$05$" + bcryptTail[:52] + "+", Configs{}, errBcrypt},
		{"empty", "bcrypt", "", Configs{}, errBcrypt},
		{"$2$", "bcrypt", "$2$05$" + bcryptTail + "a", Configs{}, errBcrypt},
		{"$3b$", "bcrypt", "$3b$05$" + bcryptTail, Configs{}, errBcrypt},
		{"crypt", "crypt", "$2b$17$" + bcryptTail, Configs{}, errBcryptCost},
		{"ldap", "ldap", "{CRYPT}$2b$17$" + bcryptTail, Configs{}, errBcryptCost},
		{"django", "django", "bcrypt_sha256$$2b$17$" + bcryptTail, Configs{}, errBcryptCost},
	}
	for _, minor := range "abxy" {
		table = append(table, refusal{"2" + string(minor), "bcrypt", "$2" + string(minor) + "$05$" + bcryptTail, Configs{}, nil})
	}
	for _, minor := range "cz$B" {
		table = append(table, refusal{"2" + string(minor), "bcrypt", "$2" + string(minor) + "$05$" + bcryptTail, Configs{}, errBcrypt})
	}
	checkRefusals(t, table)
}

func TestBcryptSpareBitsAreCleared(t *testing.T) {
	const hash = "$2b$05$jtUGR97ya9Jgu28i1/VNruhuyOlQDIj/h9a0HArzR99FaHVEaaY4S"
	spare := hash[:28] + "v" + hash[29:59] + "T"
	if hash[28] != 'u' || hash[59] != 'S' {
		t.Fatal("the test changes other characters than it means to")
	}
	encoded := imported(t, "bcrypt", spare, Configs{})
	if encoded != hash {
		t.Errorf("%s became %s", spare, encoded)
	}
	verify(t, New(Limits{}), encoded, "correct horse battery", light, true, true)
}

func TestBcryptTakes72BytesAndNoNUL(t *testing.T) {
	h := New(Limits{})
	seen := 0
	for _, row := range madeHashes(t) {
		if row.HashType != "bcrypt" {
			continue
		}
		encoded := imported(t, row.HashType, row.Hash, Configs{})
		verify(t, h, encoded, row.Password+"\x00", light, false, true)
		verify(t, h, encoded, row.Password+"\x00tail", light, false, true)
		if len(row.Password) > 72 {
			seen++
			verify(t, h, encoded, row.Password[:72], light, true, true)
			verify(t, h, encoded, row.Password[:72]+"another tail", light, true, true)
			verify(t, h, encoded, row.Password[:71], light, false, true)
		}
	}
	if seen == 0 {
		t.Error("no password in testdata is longer than 72 bytes")
	}
	// An empty password is one like any other, and no stand-in for a refused one.
	empty := imported(t, "bcrypt", "$2x$04$......................w74bL5gU7LSJClZClCa.Pkz14aTv/XO", Configs{})
	verify(t, h, empty, "", light, true, true)
	verify(t, h, empty, "\x00", light, false, true)
	verify(t, h, empty, "ü", light, false, true)
}

func TestArgon2Boundaries(t *testing.T) {
	phc := func(m, p, k string, salt, hash int) string {
		return fmt.Sprintf("$argon2id$v=19$m=%s,t=%s,p=%s$%s$%s", m, p, k, raw64(salt), raw64(hash))
	}
	raw := func(hash int, c Argon2Config) (string, Configs) {
		return hex.EncodeToString(make([]byte, hash)), Configs{Argon2: &c}
	}
	salt := strings.Repeat("s", 8)
	table := []refusal{
		{"least", "argon_2id", phc("8", "1", "1", 8, 12), Configs{}, nil},
		{"memory 7", "argon_2id", phc("7", "1", "1", 8, 12), Configs{}, errArgon2Memory},
		{"memory 15 for 2", "argon_2id", phc("15", "1", "2", 8, 12), Configs{}, errArgon2Memory},
		{"memory 16 for 2", "argon_2id", phc("16", "1", "2", 8, 12), Configs{}, nil},
		{"most memory", "argon_2id", phc("262144", "4", "1", 8, 12), Configs{}, nil},
		{"more memory", "argon_2id", phc("262145", "1", "1", 8, 12), Configs{}, errArgon2Memory},
		{"more work", "argon_2id", phc("262144", "5", "1", 8, 12), Configs{}, errArgon2Iterations},
		{"no iteration", "argon_2id", phc("64", "0", "1", 8, 12), Configs{}, errArgon2Iterations},
		{"many iterations", "argon_2id", phc("64", "16384", "1", 8, 12), Configs{}, nil},
		{"too many iterations", "argon_2id", phc("64", "16385", "1", 8, 12), Configs{}, errArgon2Iterations},
		{"no thread", "argon_2id", phc("64", "1", "0", 8, 12), Configs{}, errArgon2Threads},
		{"64 threads", "argon_2id", phc("512", "1", "64", 8, 12), Configs{}, nil},
		{"65 threads", "argon_2id", phc("1024", "1", "65", 8, 12), Configs{}, errArgon2Threads},
		{"257 threads", "argon_2id", phc("65536", "1", "257", 8, 12), Configs{}, errArgon2Threads},
		{"salt of 7", "argon_2id", phc("8", "1", "1", 7, 12), Configs{}, errArgon2Salt},
		{"salt of 512", "argon_2id", phc("8", "1", "1", 512, 12), Configs{}, nil},
		{"salt of 513", "argon_2id", phc("8", "1", "1", 513, 12), Configs{}, errArgon2Salt},
		{"hash of 11", "argon_2id", phc("8", "1", "1", 8, 11), Configs{}, errArgon2KeyLength},
		{"hash of 0", "argon_2id", phc("8", "1", "1", 8, 0), Configs{}, errArgon2KeyLength},
		{"hash of 1024", "argon_2id", phc("8", "1", "1", 8, 1024), Configs{}, nil},
		{"hash of 1025", "argon_2id", phc("8", "1", "1", 8, 1025), Configs{}, errArgon2KeyLength},
		{"2^31", "argon_2id", phc("2147483648", "1", "1", 8, 12), Configs{}, errHash},
		{"2^64", "argon_2id", phc("18446744073709551616", "1", "1", 8, 12), Configs{}, errHash},
		{"negative", "argon_2id", phc("-8", "1", "1", 8, 12), Configs{}, errHash},
		{"leading zero", "argon_2id", phc("08", "1", "1", 8, 12), Configs{}, errHash},
		{"other variant", "argon_2i", phc("8", "1", "1", 8, 12), Configs{}, errHash},
		{"argon2d", "argon_2id", strings.Replace(phc("8", "1", "1", 8, 12), "2id", "2d", 1), Configs{}, errHash},
		{"version 16", "argon_2id", strings.Replace(phc("8", "1", "1", 8, 12), "19", "16", 1), Configs{}, errHash},
		{"no version", "argon_2id", strings.Replace(phc("8", "1", "1", 8, 12), "$v=19", "", 1), Configs{}, errHash},
		{"newline", "argon_2id", phc("8", "1", "1", 8, 12) + "\n", Configs{}, errHash},
		{"too long", "argon_2id", strings.Repeat("$", maxImport+1), Configs{}, errHash},
		{"not hex", "argon_2id", "xyz", Configs{}, errHash},
		{"raw without config", "argon_2id", strings.Repeat("00", 32), Configs{}, errArgon2Mismatch},
	}
	for _, test := range []struct {
		name string
		c    Argon2Config
		want error
	}{
		{"raw", Argon2Config{salt, 1, 64, 1, 32}, nil},
		{"raw key of 31", Argon2Config{salt, 1, 64, 1, 31}, errArgon2Mismatch},
		{"raw key of 33", Argon2Config{salt, 1, 64, 1, 33}, errArgon2Mismatch},
		{"raw salt of 7", Argon2Config{salt[1:], 1, 64, 1, 32}, errArgon2Salt},
		{"raw iterations 0", Argon2Config{salt, 0, 64, 1, 32}, errArgon2Iterations},
		{"raw iterations -1", Argon2Config{salt, -1, 64, 1, 32}, errArgon2Iterations},
		{"raw memory -1", Argon2Config{salt, 1, -1, 1, 32}, errArgon2Memory},
		{"raw threads -1", Argon2Config{salt, 1, 64, -1, 32}, errArgon2Threads},
		{"raw bomb", Argon2Config{salt, 1 << 40, 64, 1, 32}, errArgon2Iterations},
	} {
		hash, c := raw(32, test.c)
		table = append(table, refusal{test.name, "argon_2id", hash, c, test.want})
	}
	checkRefusals(t, table)
}

func TestScryptBoundaries(t *testing.T) {
	raw := func(n, r, p, key, salt int) Configs {
		return Configs{Scrypt: &ScryptConfig{Salt: std64(salt), NParameter: n, RParameter: r, PParameter: p, KeyLength: key}}
	}
	checkRefusals(t, []refusal{
		{"N 1", "scrypt", std64(32), raw(1, 8, 1, 32, 8), errScryptN},
		{"N 2", "scrypt", std64(32), raw(2, 8, 1, 32, 8), nil},
		{"N 3", "scrypt", std64(32), raw(3, 8, 1, 32, 8), errScryptN},
		{"N 262143", "scrypt", std64(32), raw(262143, 8, 1, 32, 8), errScryptN},
		{"N 262144", "scrypt", std64(32), raw(262144, 8, 1, 32, 8), nil},
		{"N 262145", "scrypt", std64(32), raw(262145, 8, 1, 32, 8), errScryptN},
		{"N 524288", "scrypt", std64(32), raw(524288, 1, 1, 32, 8), errScryptN},
		{"N -2", "scrypt", std64(32), raw(-2, 8, 1, 32, 8), errScryptN},
		{"N 0", "scrypt", std64(32), raw(0, 8, 1, 32, 8), errScryptN},
		{"r 0", "scrypt", std64(32), raw(2, 0, 1, 32, 8), errScryptParameters},
		{"p 0", "scrypt", std64(32), raw(2, 8, 0, 32, 8), errScryptParameters},
		{"r -1", "scrypt", std64(32), raw(2, -1, 1, 32, 8), errScryptParameters},
		{"most memory", "scrypt", std64(32), raw(131072, 16, 2, 32, 8), nil},
		{"more memory", "scrypt", std64(32), raw(131072, 17, 1, 32, 8), errScryptParameters},
		{"more work", "scrypt", std64(32), raw(131072, 16, 3, 32, 8), errScryptParameters},
		{"overflow", "scrypt", std64(32), raw(262144, 1<<60, 1<<60, 32, 8), errScryptParameters},
		{"key 31", "scrypt", std64(32), raw(16, 8, 1, 31, 8), errScryptMismatch},
		{"key 33", "scrypt", std64(32), raw(16, 8, 1, 33, 8), errScryptMismatch},
		{"hash of 11", "scrypt", std64(11), raw(16, 8, 1, 11, 8), errScryptHash},
		{"hash of 12", "scrypt", std64(12), raw(16, 8, 1, 12, 8), nil},
		{"hash of 1024", "scrypt", std64(1024), raw(16, 8, 1, 1024, 8), nil},
		{"hash of 1025", "scrypt", std64(1025), raw(16, 8, 1, 1025, 8), errScryptHash},
		{"no salt", "scrypt", std64(32), raw(16, 8, 1, 32, 0), errScryptSaltLength},
		{"salt of 512", "scrypt", std64(32), raw(16, 8, 1, 32, 512), nil},
		{"salt of 513", "scrypt", std64(32), raw(16, 8, 1, 32, 513), errScryptSaltLength},
		{"salt not base64", "scrypt", std64(32), Configs{Scrypt: &ScryptConfig{"!", 16, 8, 1, 32}}, errScryptSalt},
		{"hash not base64", "scrypt", "!!", raw(16, 8, 1, 32, 8), errScryptHash},
		{"without config", "scrypt", std64(32), Configs{}, errScryptMismatch},
		{"encoded", "scrypt", "$scrypt$ln=18,r=8,p=1$" + raw64(8) + "$" + raw64(32), Configs{}, nil},
		{"encoded bomb", "scrypt", "$scrypt$ln=19,r=8,p=1$" + raw64(8) + "$" + raw64(32), Configs{}, errScryptN},
		{"encoded N 1", "scrypt", "$scrypt$ln=0,r=8,p=1$" + raw64(8) + "$" + raw64(32), Configs{}, errScryptN},
		{"ln 31", "scrypt", "$scrypt$ln=31,r=8,p=1$" + raw64(8) + "$" + raw64(32), Configs{}, errScryptParameters},
		{"ln 70", "scrypt", "$scrypt$ln=70,r=8,p=1$" + raw64(8) + "$" + raw64(32), Configs{}, errScryptParameters},
		{"cut", "scrypt", "$scrypt$ln=14,r=8,p=1$" + raw64(8), Configs{}, errHash},
		{"django bomb", "django", "scrypt$524288$salt$8$1$" + std64(64), Configs{}, errScryptN},
	})
}

func TestFirebaseBoundaries(t *testing.T) {
	with := func(rounds, mem, salt, signer int) Configs {
		return Configs{FirebaseScrypt: &FirebaseScryptConfig{Salt: std64(salt), SignerKey: std64(signer), SaltSeparator: "Bw==", Rounds: rounds, MemCost: mem}}
	}
	checkRefusals(t, []refusal{
		{"usual", "firebase_scrypt", std64(64), with(8, 14, 10, 64), nil},
		{"URL alphabet", "firebase_scrypt", strings.Repeat("-_", 43), with(8, 14, 10, 64), nil},
		{"without config", "firebase_scrypt", std64(64), Configs{}, errFirebase},
		{"memory 0", "firebase_scrypt", std64(64), with(8, 0, 10, 64), errFirebase},
		{"memory 18", "firebase_scrypt", std64(64), with(8, 18, 10, 64), nil},
		{"memory 19", "firebase_scrypt", std64(64), with(8, 19, 10, 64), errFirebase},
		{"memory 64", "firebase_scrypt", std64(64), with(8, 64, 10, 64), errFirebase},
		{"rounds 0", "firebase_scrypt", std64(64), with(0, 14, 10, 64), errFirebase},
		{"rounds 128", "firebase_scrypt", std64(64), with(128, 14, 10, 64), nil},
		{"rounds 129", "firebase_scrypt", std64(64), with(129, 14, 10, 64), errFirebase},
		{"no salt", "firebase_scrypt", std64(64), with(8, 14, 0, 64), errFirebase},
		{"no signer key", "firebase_scrypt", "", with(8, 14, 10, 0), errFirebase},
		{"other length", "firebase_scrypt", std64(63), with(8, 14, 10, 64), errHash},
		{"not base64", "firebase_scrypt", "!", with(8, 14, 10, 64), errHash},
	})
}

func TestPBKDF2Boundaries(t *testing.T) {
	raw := func(iterations, key int, algorithm string) Configs {
		return Configs{PBKDF2: &PBKDF2Config{Salt: std64(16), IterationAmount: iterations, KeyLength: key, Algorithm: algorithm}}
	}
	checkRefusals(t, []refusal{
		{"default algorithm", "pbkdf_2", std64(32), raw(1, 32, ""), nil},
		{"sha1", "pbkdf_2", std64(32), raw(1, 32, "sha1"), errPBKDF2Algorithm},
		{"SHA256", "pbkdf_2", std64(32), raw(1, 32, "SHA256"), errPBKDF2Algorithm},
		{"iterations 0", "pbkdf_2", std64(32), raw(0, 32, "sha256"), errPBKDF2Iterations},
		{"iterations -1", "pbkdf_2", std64(32), raw(-1, 32, "sha256"), errPBKDF2Iterations},
		{"most", "pbkdf_2", std64(32), raw(5_000_000, 32, "sha256"), nil},
		{"more", "pbkdf_2", std64(32), raw(5_000_001, 32, "sha256"), errPBKDF2Iterations},
		{"most of two blocks", "pbkdf_2", std64(33), raw(2_500_000, 33, "sha256"), nil},
		{"more of two blocks", "pbkdf_2", std64(33), raw(2_500_001, 33, "sha256"), errPBKDF2Iterations},
		{"key 31", "pbkdf_2", std64(32), raw(1, 31, "sha256"), errPBKDF2Mismatch},
		{"key 33", "pbkdf_2", std64(32), raw(1, 33, "sha256"), errPBKDF2Mismatch},
		{"hash of 11", "pbkdf_2", std64(11), raw(1, 11, "sha256"), errPBKDF2},
		{"hash of 12", "pbkdf_2", std64(12), raw(1, 12, "sha256"), nil},
		{"hash of 1024", "pbkdf_2", std64(1024), raw(1, 1024, "sha512"), nil},
		{"hash of 1025", "pbkdf_2", std64(1025), raw(1, 1025, "sha512"), errPBKDF2},
		{"no hash", "pbkdf_2", "", raw(1, 0, "sha512"), errPBKDF2},
		{"not base64", "pbkdf_2", "!!", raw(1, 32, "sha256"), errPBKDF2},
		{"salt not base64", "pbkdf_2", std64(32), Configs{PBKDF2: &PBKDF2Config{"!", 1, 32, ""}}, errPBKDF2Salt},
		{"no salt", "pbkdf_2", std64(32), Configs{PBKDF2: &PBKDF2Config{"", 1, 32, ""}}, errPBKDF2Salt},
		{"salt of 513", "pbkdf_2", std64(32), Configs{PBKDF2: &PBKDF2Config{std64(513), 1, 32, ""}}, errPBKDF2Salt},
		{"without config", "pbkdf_2", std64(32), Configs{}, errPBKDF2Mismatch},
		{"encoded bomb", "pbkdf_2", "$pbkdf2-sha256$i=5000001$" + raw64(8) + "$" + raw64(32), Configs{}, errPBKDF2Iterations},
		{"encoded overflow", "pbkdf_2", "$pbkdf2-sha256$99999999999999999999$" + raw64(8) + "$" + raw64(32), Configs{}, errPBKDF2Iterations},
		{"encoded sha384", "pbkdf_2", "$pbkdf2-sha384$1000$" + raw64(8) + "$" + raw64(32), Configs{}, errPBKDF2},
		{"encoded without a dash", "pbkdf_2", "$sha256$1000$" + raw64(8) + "$" + raw64(32), Configs{}, errPBKDF2},
		{"django bomb", "django", "pbkdf2_sha256$5000001$salt$" + std64(32), Configs{}, errPBKDF2Iterations},
	})
}

func TestSaltedBoundaries(t *testing.T) {
	with := func(before, after string) Configs {
		c := &SaltConfig{PrependSalt: before, AppendSalt: after}
		return Configs{MD5: c, SHA1: c, SHA256: c, SHA512: c}
	}
	var table []refusal
	for hashType, test := range map[string]struct {
		size int
		want error
	}{"md_5": {16, errMD5}, "sha_1": {20, errSHA1}, "sha_256": {32, errSHA256}, "sha_512": {64, errSHA512}} {
		sum := hex.EncodeToString(bytes.Repeat([]byte{0xab}, test.size))
		long := strings.Repeat("s", 512)
		table = append(table, []refusal{
			{hashType, hashType, sum, Configs{}, nil},
			{hashType + " upper case", hashType, strings.ToUpper(sum), with("é", "ü"), nil},
			{hashType + " short", hashType, sum[2:], Configs{}, test.want},
			{hashType + " long", hashType, sum + "00", Configs{}, test.want},
			{hashType + " odd", hashType, sum + "0", Configs{}, test.want},
			{hashType + " base64", hashType, std64(test.size), Configs{}, test.want},
			{hashType + " empty", hashType, "", Configs{}, test.want},
			{hashType + " salts", hashType, sum, with(long, long), nil},
			{hashType + " long prepend_salt", hashType, sum, with(long+"s", ""), errPrependSalt},
			{hashType + " long append_salt", hashType, sum, with("", long+"s"), errAppendSalt},
			{hashType + " prepend_salt is no text", hashType, sum, with("\xff", ""), errPrependSalt},
			{hashType + " append_salt is no text", hashType, sum, with("", "\xff"), errAppendSalt},
		}...)
	}
	checkRefusals(t, table)
}

func TestCryptBoundaries(t *testing.T) {
	const md5, sha256 = "OT3vCGmdtI.FzKaHnxQl11", ".hJjKj39VSHPmUkcMnwroiw8J2TRZqbwLxlGhmFjE77"
	checkRefusals(t, []refusal{
		{"md5crypt", "crypt", "$1$XasHG764$" + md5, Configs{}, nil},
		{"no salt", "crypt", "$1$$" + md5, Configs{}, nil},
		{"salt of 9", "crypt", "$1$XasHG7645$" + md5, Configs{}, errHash},
		{"spare bits", "crypt", "$1$XasHG764$" + md5[:21] + "2", Configs{}, errHash},
		{"short", "crypt", "$1$XasHG764$" + md5[1:], Configs{}, errHash},
		{"rounds 999", "crypt", "$5$rounds=999$salt$" + sha256, Configs{}, errHash},
		{"rounds 1000", "crypt", "$5$rounds=1000$salt$" + sha256, Configs{}, nil},
		{"rounds 1000000", "crypt", "$5$rounds=1000000$salt$" + sha256, Configs{}, nil},
		{"rounds 1000001", "crypt", "$5$rounds=1000001$salt$" + sha256, Configs{}, errHash},
		{"rounds overflow", "crypt", "$5$rounds=99999999999999999999$salt$" + sha256, Configs{}, errHash},
		{"salt of 16", "crypt", "$5$6/j8dYvsvJwSequ7$" + sha256, Configs{}, nil},
		{"salt of 17", "crypt", "$5$6/j8dYvsvJwSequ78$" + sha256, Configs{}, errHash},
		{"other length", "crypt", "$6$salt$" + sha256, Configs{}, errHash},
		{"DES", "crypt", "abJnggxhB/yWI", Configs{}, errHash},
		{"yescrypt", "crypt", "$y$j9T$abc$def", Configs{}, errHash},
		{"ldap", "ldap", "{crypt}$5$rounds=1000001$salt$" + sha256, Configs{}, errHash},
		{"phpass least", "phpass", "$P$57LH6eLlpPXhZRpzskZGf7XL/TKedX0", Configs{}, nil},
		{"phpass below", "phpass", "$P$47LH6eLlpPXhZRpzskZGf7XL/TKedX0", Configs{}, errPhpassFormat},
		{"phpass most", "phpass", "$H$I7LH6eLlpPXhZRpzskZGf7XL/TKedX0", Configs{}, nil},
		{"phpass above", "phpass", "$H$J7LH6eLlpPXhZRpzskZGf7XL/TKedX0", Configs{}, errPhpassFormat},
		{"phpass salt", "phpass", "$H$I7LH6eL\x00pPXhZRpzskZGf7XL/TKedX0", Configs{}, errPhpassFormat},
		{"phpass prefix", "phpass", "$S$57LH6eLlpPXhZRpzskZGf7XL/TKedX0", Configs{}, errPhpassPrefix},
		{"phpass empty", "phpass", "", Configs{}, errPhpassPrefix},
		{"unknown type", "sha_3", "x", Configs{}, errHashType},
		{"no type", "", "x", Configs{}, errHashType},
		{"ldap unknown", "ldap", "{CLEARTEXT}secret", Configs{}, errHash},
		{"ldap bare", "ldap", "secret", Configs{}, errHash},
		{"ldap without salt", "ldap", "{SSHA}" + std64(20), Configs{}, errHash},
		{"ldap with salt", "ldap", "{SSHA}" + std64(21), Configs{}, nil},
		{"ldap short", "ldap", "{SHA}" + std64(19), Configs{}, errHash},
		{"ldap long", "ldap", "{SHA}" + std64(21), Configs{}, errHash},
		{"ldap argon2", "ldap", "{ARGON2}$argon2id$v=19$m=262145,t=1,p=1$" + raw64(8) + "$" + raw64(32), Configs{}, errArgon2Memory},
		{"django unknown", "django", "unsalted_md5$$x", Configs{}, errHash},
		{"django unusable", "django", "!abcdef", Configs{}, errHash},
	})
}

func TestCryptTakesNoNULAndNoLongPassword(t *testing.T) {
	h := New(Limits{})
	for _, hash := range []string{
		"$1$XasHG764$OT3vCGmdtI.FzKaHnxQl11",
		"$5$6/j8dYvsvJwSequ7$.hJjKj39VSHPmUkcMnwroiw8J2TRZqbwLxlGhmFjE77",
	} {
		encoded := imported(t, "crypt", hash, Configs{})
		verify(t, h, encoded, "correct horse battery", light, true, true)
		verify(t, h, encoded, "correct horse battery\x00", light, false, true)
	}
	long := []byte(strings.Repeat("p", maxCryptPassword+1))
	for _, n := range []int{maxCryptPassword, maxCryptPassword + 1} {
		c := &cryptHash{prefix: "$1$", rounds: shaCryptRounds, salt: "salt"}
		c.sum = crypt64(md5Crypt(c.prefix, long[:n], []byte(c.salt)), md5Order[:])
		if got := c.matches(long[:n]); got != (n == maxCryptPassword) {
			t.Errorf("a password of %d bytes: %t", n, got)
		}
	}
}

func TestTwoFormsOfOneHashAreOneString(t *testing.T) {
	const sum = "hJjKj39VSHPmUkcMnwroiw8J2TRZqbwLxlGhmFjE77"
	salt := base64.StdEncoding.EncodeToString([]byte("saltsalt"))
	for _, pair := range [][2]string{
		{imported(t, "crypt", "$5$rounds=5000$salt$."+sum, Configs{}), imported(t, "crypt", "$5$salt$."+sum, Configs{})},
		{
			imported(t, "django", "pbkdf2_sha256$1000$saltsalt$"+std64(32), Configs{}),
			imported(t, "pbkdf_2", std64(32), Configs{PBKDF2: &PBKDF2Config{salt, 1000, 32, ""}}),
		},
		{
			imported(t, "ldap", "{SSHA}"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x00", 20)+"salt")), Configs{}),
			imported(t, "sha_1", strings.Repeat("0", 40), Configs{SHA1: &SaltConfig{AppendSalt: "salt"}}),
		},
		{
			imported(t, "django", "scrypt$16$saltsalt$8$1$"+std64(64), Configs{}),
			imported(t, "scrypt", std64(64), Configs{Scrypt: &ScryptConfig{salt, 16, 8, 1, 64}}),
		},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s and %s", pair[0], pair[1])
		}
	}
}
