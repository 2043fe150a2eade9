package cli

type doctorCommand struct{}

// Run is.
func (c *doctorCommand) Run() error { return nil }
