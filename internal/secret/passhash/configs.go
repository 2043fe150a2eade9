package passhash

// Configs are the settings beside a hash that does not carry them itself, as
// POST /v1/passwords/migrate has them. Those of other hash types are ignored.
type Configs struct {
	MD5            *SaltConfig           `json:"md_5_config,omitempty"`
	Argon2         *Argon2Config         `json:"argon_2_config,omitempty"`
	SHA1           *SaltConfig           `json:"sha_1_config,omitempty"`
	SHA256         *SaltConfig           `json:"sha_256_config,omitempty"`
	SHA512         *SaltConfig           `json:"sha_512_config,omitempty"`
	Scrypt         *ScryptConfig         `json:"scrypt_config,omitempty"`
	PBKDF2         *PBKDF2Config         `json:"pbkdf_2_config,omitempty"`
	FirebaseScrypt *FirebaseScryptConfig `json:"firebase_scrypt_config,omitempty"`
}

// SaltConfig is what was put before and after the password and hashed with it,
// as text.
type SaltConfig struct {
	PrependSalt string `json:"prepend_salt"`
	AppendSalt  string `json:"append_salt"`
}

// Argon2Config describes an Argon2 hash in hex; the encoded form needs none.
type Argon2Config struct {
	Salt            string `json:"salt"` // as text
	IterationAmount int    `json:"iteration_amount"`
	Memory          int    `json:"memory"` // KiB
	Threads         int    `json:"threads"`
	KeyLength       int    `json:"key_length"` // bytes
}

// ScryptConfig describes a scrypt hash in base64; the encoded form needs none.
type ScryptConfig struct {
	Salt       string `json:"salt"`        // base64
	NParameter int    `json:"n_parameter"` // a power of two
	RParameter int    `json:"r_parameter"`
	PParameter int    `json:"p_parameter"`
	KeyLength  int    `json:"key_length"` // bytes
}

// PBKDF2Config describes a PBKDF2 hash in base64; the encoded form needs none.
type PBKDF2Config struct {
	Salt            string `json:"salt"` // base64
	IterationAmount int    `json:"iteration_amount"`
	KeyLength       int    `json:"key_length"` // bytes
	Algorithm       string `json:"algorithm"`  // sha256 or sha512; empty means sha256
}

// FirebaseScryptConfig is the salt of one user beside what `firebase
// auth:export` and the console give for the whole project: base64 of all bytes.
type FirebaseScryptConfig struct {
	Salt          string `json:"salt"`
	SignerKey     string `json:"signer_key"`
	SaltSeparator string `json:"salt_separator"`
	Rounds        int    `json:"rounds"`   // r of scrypt
	MemCost       int    `json:"mem_cost"` // the logarithm of N of scrypt
}
