package cli

import (
	"runtime"
	"runtime/debug"

	"gatehouse/internal/app"
)

type versionCommand struct{ output }

// build is what the program knows about itself.
type build struct {
	Version  string `json:"version"` // "v1.2.3", or "dev" for a build without one
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: app.Version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; b.Version == "dev" && v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

// Run prints the version.
func (c *versionCommand) Run(t *Terminal) error {
	b := thisBuild()
	return c.say(t, b, "gatehouse %s (%s, %s)", b.Version, b.Go, b.Platform)
}
