package passhash

// What a hash may cost that somebody imports, and what may be in it. A hash is
// run again by whoever knows the address it belongs to, so the caps are bounds
// on what a stranger can make the server do with one request: about four
// seconds of one slow core and 256 MiB. Every default of the frameworks and
// databases in docs/password-hashes.md is below a tenth of its cap.
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
)
