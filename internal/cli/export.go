package cli

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/bulk"
	"gatehouse/internal/project"
)

type exportCommands struct {
	Users exportUsers `cmd:"" help:"Write all users as JSON Lines, with the hashes of their passwords and the public keys of their passkeys: gatehouse import users reads it. Seeds of authenticator apps stay behind. It may run beside a server."`
}

type exportUsers struct {
	inEnvironment
	To         string `placeholder:"FILE" help:"File to write, which must not exist; compressed when it ends in .gz. Without it, the standard output."`
	WithHashes bool   `default:"true" negatable:"" help:"Export the hashes of passwords. They are secret: with them, weak passwords can be guessed."`
}

// Run exports users.
func (c *exportUsers) Run(t *Terminal) error {
	if c.JSON && c.To == "" {
		return usagef("--json goes with --to: without it the users themselves are on the standard output")
	}
	return c.on(func(_ context.Context, a *app.App, env *project.Environment) error {
		if c.WithHashes {
			fmt.Fprintln(t.Err, "Attention: the export holds the hashes of all passwords. Keep it as safe as the database and its master key, and delete it when it has served.")
		}
		meter := newMeter(t, 0)
		export := func(to io.Writer) (bulk.Exported, error) {
			defer meter.end()
			return a.Bulk().Export(interruptible(), env, to, c.WithHashes, func(e bulk.Exported) { meter.show(e.Users, 0, 0, "") })
		}
		if c.To == "" {
			_, err := export(t.Out)
			return stoppedExport(err)
		}
		done, err := c.file(export)
		if err != nil {
			return stoppedExport(err)
		}
		if done.TOTPs > 0 {
			fmt.Fprintf(t.Err, "Note: %d authenticator apps stay behind: their owners enrol them again.\n", done.TOTPs)
		}
		return c.say(t, done, "Exported %s users of %s to %s, %s with the hash of a password.", thousands(done.Users), title(env), c.To, thousands(done.Hashes))
	})
}

func stoppedExport(err error) error {
	if errors.Is(err, context.Canceled) {
		return errors.New("stopped: nothing whole was written")
	}
	return err
}

// file writes an export under another name until it is whole.
func (c *exportUsers) file(export func(io.Writer) (bulk.Exported, error)) (done bulk.Exported, err error) {
	if _, err := os.Lstat(c.To); !errors.Is(err, fs.ErrNotExist) {
		return done, fmt.Errorf("%s exists already: name a new file", c.To)
	}
	part := c.To + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return done, unwritable(filepath.Dir(c.To), err)
	}
	if err != nil {
		return done, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(part))
		}
	}()
	to := io.WriteCloser(f)
	if strings.HasSuffix(c.To, ".gz") {
		to = gzip.NewWriter(f)
	}
	if err = f.Chmod(0o600); err == nil { // a file left by an earlier run may be open to others
		done, err = export(to)
	}
	if to != io.WriteCloser(f) {
		err = errors.Join(err, to.Close())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return done, err
	}
	return done, os.Rename(part, c.To)
}
