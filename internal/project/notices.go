package project

// NoticesConfig says what the owner of an account is told by e-mail. Nobody is
// told at an address that is not verified.
type NoticesConfig struct {
	FactorAdded   *bool `json:"factor_added"`     // users are told when a way to sign in was added; default true
	FactorRemoved *bool `json:"factor_removed"`   // users are told when a way to sign in was removed; default true
	RecoveryCode  *bool `json:"recovery_code"`    // users are told when one of their recovery codes was used; default true
	PasswordSet   *bool `json:"password_changed"` // users are told when their password was set anew; default true
	Locked        *bool `json:"locked"`           // users are told when failures lock them, unless they are sent a link that ends the lock; default true
	NewDevice     bool  `json:"new_device"`       // users are told when a session starts on a device not seen before
}

// TellsOfAdded reports whether users are told that a factor was added.
func (c *Config) TellsOfAdded() bool { return isOn(c.Notices.FactorAdded) }

// TellsOfRemoved reports whether users are told that a factor was removed.
func (c *Config) TellsOfRemoved() bool { return isOn(c.Notices.FactorRemoved) }

// TellsOfRecovery reports whether users are told that a recovery code was used.
func (c *Config) TellsOfRecovery() bool { return isOn(c.Notices.RecoveryCode) }

// TellsOfPassword reports whether users are told that their password was set
// anew.
func (c *Config) TellsOfPassword() bool { return isOn(c.Notices.PasswordSet) }

// TellsOfLock reports whether users are told that they were locked.
func (c *Config) TellsOfLock() bool { return isOn(c.Notices.Locked) }

// isOn reads a switch that is on unless it was turned off.
func isOn(setting *bool) bool { return setting == nil || *setting }

// inForce is the configuration with its defaults filled in.
func (n NoticesConfig) inForce(c *Config) NoticesConfig {
	added, removed, recovery, locked := c.TellsOfAdded(), c.TellsOfRemoved(), c.TellsOfRecovery(), c.TellsOfLock()
	n.FactorAdded, n.FactorRemoved, n.RecoveryCode, n.Locked = &added, &removed, &recovery, &locked
	password := c.TellsOfPassword()
	n.PasswordSet = &password
	return n
}
