package cli

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/secret/passhash"
)

type serveCommand struct{ production }

// Run serves until it is asked to stop.
func (c *serveCommand) Run(t *Terminal) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := checkMasterKey(c.MasterKey); err != nil {
		return err
	}
	logger := newLogger(t.Err, c.LogFormat, c.LogLevel)
	tuneRuntime()
	for _, name := range unknownVariables() {
		logger.Warn("not a setting of Gatehouse", "variable", name)
	}
	if path := c.SQLitePath(); path != "" {
		release, err := lockDatabase(path, "--database-url")
		if err != nil {
			return err
		}
		defer release()
	}
	listener, err := listen(c.Listen)
	if err != nil {
		return err
	}
	ctx := interruptible()
	a, err := app.Open(ctx, app.Options{Database: c.Database, Server: c.Server, Logger: logger, Now: time.Now})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	logger.Info("listening", "address", listener.Addr().String(), "public_url", a.PublicURL(),
		"database", string(a.DB.Engine()), "version", thisBuild().Version, "process", os.Getpid())
	err = errors.Join(a.Run(ctx, listener), a.Close())
	logger.Info("stopped")
	return err
}

// newLogger writes to w. The words are those that the flags allow.
func newLogger(w io.Writer, format, level string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: least}
	if format == "text" {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

// tuneRuntime lets the heap grow to three times what is alive instead of
// twice, unless the operator has an opinion: little is alive, so collecting
// less often costs a few megabytes and gives requests the time. While passwords are
// hashed, which takes far more of both, it grows by half. Once they are not, the
// cores that may be used are those of the machine or the container again, whose
// limit may be another by then.
func tuneRuntime() {
	const usual, sparing = 200, 50
	collect := func(percent int) {
		if os.Getenv("GOGC") == "" {
			debug.SetGCPercent(percent)
		}
	}
	collect(usual)
	passhash.WhileHashing(func(on bool) {
		if on {
			collect(sparing)
			return
		}
		collect(usual)
		if os.Getenv("GOMAXPROCS") == "" {
			runtime.SetDefaultGOMAXPROCS()
		}
	})
}
