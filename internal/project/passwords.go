package project

import "gatehouse/internal/secret/passhash"

// PasswordsConfig says which passwords are good enough, and how they are kept
// (factors.md, section 8.3).
type PasswordsConfig struct {
	ValidationPolicy            string         `json:"validation_policy"`              // "zxcvbn" (default) or "luds": lower case, upper case, digits, symbols
	LUDSMinLength               int            `json:"luds_min_password_length"`       // characters that LUDS asks for, 8..32; default 8
	LUDSMinComplexity           int            `json:"luds_min_password_complexity"`   // how many of its four kinds of characters LUDS asks for, 1..4; default 3
	CheckBreachOnCreation       *bool          `json:"check_breach_on_creation"`       // a password that is set must not be in a known breach; default true
	CheckBreachOnAuthentication *bool          `json:"check_breach_on_authentication"` // a password found in a breach since has to be set anew at the next login; default true
	ValidateOnAuthentication    bool           `json:"validate_on_authentication"`     // a password that the policy would not take any more has to be set anew at the next login
	RefuseWhenBreachUnanswered  bool           `json:"refuse_when_breach_unanswered"`  // no password can be set while nobody can say whether it is in a breach
	Argon2                      Argon2idConfig `json:"argon2id"`
}

// Argon2idConfig is what a hash costs (RFC 9106). A password whose hash was made
// with other costs is hashed anew at the next login.
type Argon2idConfig struct {
	MemoryKiB   int `json:"memory_kib"`  // 8192..262144; default 19456 (19 MiB)
	Iterations  int `json:"iterations"`  // 1..16, and times memory_kib at most 1048576; default 2
	Parallelism int `json:"parallelism"` // 1..8; default 1
}

// The policies a password can be judged by.
const (
	Zxcvbn = "zxcvbn"
	LUDS   = "luds"
)

// PasswordPolicy is the policy that passwords are judged by.
func (c *Config) PasswordPolicy() string { return orDefault(c.Passwords.ValidationPolicy, Zxcvbn) }

// LUDSMinLength is how many characters LUDS asks for.
func (c *Config) LUDSMinLength() int { return orDefault(c.Passwords.LUDSMinLength, 8) }

// LUDSMinComplexity is how many kinds of characters LUDS asks for.
func (c *Config) LUDSMinComplexity() int { return orDefault(c.Passwords.LUDSMinComplexity, 3) }

// ChecksBreachOnCreation reports whether a new password is looked up in breaches.
func (c *Config) ChecksBreachOnCreation() bool { return isOn(c.Passwords.CheckBreachOnCreation) }

// ChecksBreachOnAuthentication reports whether a password is looked up at login.
func (c *Config) ChecksBreachOnAuthentication() bool {
	return isOn(c.Passwords.CheckBreachOnAuthentication)
}

// Argon2id is what a hash costs.
func (c *Config) Argon2id() passhash.Params {
	a, usual := c.Passwords.Argon2, passhash.Default
	return passhash.Params{
		MemoryKiB:   orDefault(uint32(a.MemoryKiB), usual.MemoryKiB),
		Iterations:  orDefault(uint32(a.Iterations), usual.Iterations),
		Parallelism: orDefault(uint8(a.Parallelism), usual.Parallelism),
	}
}

// inForce is the configuration with its defaults filled in.
func (p PasswordsConfig) inForce(c *Config) PasswordsConfig {
	p.ValidationPolicy, p.LUDSMinLength, p.LUDSMinComplexity = c.PasswordPolicy(), c.LUDSMinLength(), c.LUDSMinComplexity()
	creation, authentication := c.ChecksBreachOnCreation(), c.ChecksBreachOnAuthentication()
	p.CheckBreachOnCreation, p.CheckBreachOnAuthentication = &creation, &authentication
	a := c.Argon2id()
	p.Argon2 = Argon2idConfig{int(a.MemoryKiB), int(a.Iterations), int(a.Parallelism)}
	return p
}

// check refuses costs that are each within bounds and too much together.
func (p *PasswordsConfig) check(c *Config) error {
	if err := c.Argon2id().Check(); err != nil {
		return errSetting.WithMessage("passwords.argon2id: %s.", err.Error())
	}
	return nil
}

// bounds are the numbers a project can choose.
func (p *PasswordsConfig) bounds() []bound {
	return []bound{
		{"passwords.luds_min_password_length", p.LUDSMinLength, 8, 32},
		{"passwords.luds_min_password_complexity", p.LUDSMinComplexity, 1, 4},
		{"passwords.argon2id.memory_kib", p.Argon2.MemoryKiB, 8192, 1 << 18},
		{"passwords.argon2id.iterations", p.Argon2.Iterations, 1, 16},
		{"passwords.argon2id.parallelism", p.Argon2.Parallelism, 1, 8},
	}
}

// SDKPasswords switches passwords on for browsers.
type SDKPasswords struct {
	Enabled        bool `json:"enabled"`                           // people may sign up and sign in with passwords in browsers
	PKCERequired   bool `json:"pkce_required_for_password_resets"` // a reset link works only in the browser or app that asked for it
	SearchDisabled bool `json:"search_disabled"`                   // pages cannot ask who is a user, which the official pre-built UI does
}
