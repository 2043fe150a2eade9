//go:build !linux

package cli

// hardships are programs that only Linux can put in trouble.
func hardships() map[string]func() { return map[string]func(){} }
