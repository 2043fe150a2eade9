package passhash

// What a hash may cost that somebody imports, and what may be in it. A hash is
// run again by whoever knows the address it belongs to, so the caps are bounds
// on what a stranger can make the server do with one request: about four
// seconds of one slow core and 256 MiB. Whatever the frameworks and databases in
// docs/password-hashes.md do by default is well below.
const (
	// An encoded hash is a line of text; the longest, a PBKDF2 key of 512 bytes
	// with its salt, has about 1,500 characters.
	maxImport  = 4096
	maxEncoded = 8192

	// Below 12 bytes a search through likely passwords meets a hash by chance;
	// 12 is the least that the PHC string format asks for.
	minHashBytes = 12
	// 512 is the key length of a much copied example for Node.js.
	maxHashBytes = 1024
	maxSaltBytes = 512

	// 2^4 is the least that bcrypt knows; 2^16 rounds take about four seconds.
	minBcryptCost, maxBcryptCost = 4, 16

	// The memory of one Argon2 hash; RFC 9106 recommends 64 MiB where memory
	// is scarce, and libsodium's "moderate" is 256 MiB.
	maxArgon2KiB = 256 << 10
	// Memory times iterations is what Argon2 costs: 1 GiB written.
	maxArgon2Work = 1 << 20
	// The specification asks for 8 KiB for each lane and 8 bytes of salt.
	argon2KiBPerLane = 8
	minArgon2Salt    = 8
	maxArgon2Threads = 64

	// The contract's bounds of N.
	minScryptN, maxScryptN = 2, 262144
	// N*r is memory in units of 128 bytes: 256 MiB, which OWASP's N=2^17, r=8
	// needs half of. N*r*p is the work: twice what fills that memory once.
	maxScryptMemory = 1 << 21
	maxScryptWork   = 1 << 22

	// Iterations times the blocks of the key: each is one or two compressions
	// per HMAC. OWASP recommends 600,000 with SHA-256, Django 6 has 1,200,000.
	maxPBKDF2Work = 5_000_000

	// passlib makes sha512crypt with 656,000 rounds; below 1,000 the
	// specification has none.
	minCryptRounds, maxCryptRounds = 1000, 1_000_000
	// Each of those rounds hashes the password again, up to three times.
	// libxcrypt takes none longer than 511 bytes.
	maxCryptPassword = 511

	// phpass writes the logarithm of its rounds; 7 is the least it reads,
	// WordPress and phpBB write 13 and 11 at most.
	minPhpassLog2, maxPhpassLog2 = 7, 20
)
