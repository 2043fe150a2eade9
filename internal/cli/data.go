package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"gatehouse/internal/app"
	"gatehouse/internal/config"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

// The files of a data folder, which is what `gatehouse dev` keeps.
const (
	databaseFile  = "gatehouse.db"
	masterKeyFile = "master.key"
	devFolder     = ".gatehouse"
	devFile       = "dev.json"
)

var errNoFolder = errors.New("--data needs the name of a folder")

// data is where a command finds what it works on.
type data struct {
	Folder          string `name:"data" group:"data" placeholder:"DIR" help:"Data folder of gatehouse dev. Stands for the flags below."`
	config.Database `group:"data"`
}

// AfterApply refuses --data beside the flags that it stands for, and lets it
// win over variables of the environment.
func (d *data) AfterApply(c *kong.Context) error {
	if d.Folder == "" {
		if flagGiven(c, "data") {
			return errNoFolder
		}
		return nil
	}
	for _, name := range []string{"database-url", "master-key", "master-key-file"} {
		if flagGiven(c, name) {
			return fmt.Errorf("--data and --%s can't be used together", name)
		}
	}
	d.Database = folderDatabase(d.Folder)
	return nil
}

func flagGiven(c *kong.Context, name string) bool {
	return slices.ContainsFunc(c.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == name })
}

func folderDatabase(folder string) config.Database {
	return config.Database{
		DatabaseURL:   "sqlite:" + filepath.Join(folder, databaseFile),
		MasterKeyFile: filepath.Join(folder, masterKeyFile),
	}
}

// with opens the services on the data and runs f.
func (d *data) with(f func(ctx context.Context, a *app.App) error) error {
	return d.withServer(config.Server{}, f)
}

func (d *data) withServer(server config.Server, f func(ctx context.Context, a *app.App) error) error {
	if err := d.exists(); err != nil {
		return err
	}
	if err := d.ReadMasterKey(); err != nil {
		return err
	}
	ctx := event.WithOperator(context.Background(), operator())
	a, err := app.OpenTools(ctx, app.Options{Database: d.Database, Server: server, Now: time.Now})
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, a), a.Close())
}

// systemUser is the name that the machine has for whoever runs the command.
func systemUser() (string, error) {
	me, err := user.Current()
	if err != nil {
		return "", err
	}
	return me.Username, nil
}

// operator names whoever runs the command in the audit log: by the number where
// the machine has no name, as in a container that has no list of users, and with
// whom sudo says to be behind the account, which is a word of the environment.
func operator() string {
	name, err := systemUser()
	if err != nil {
		name = fmt.Sprintf("uid %d", os.Getuid())
	}
	const longest = 64 // more than a name of an account has on any system
	if behind := os.Getenv("SUDO_USER"); behind != "" && behind != name && len(behind) <= longest {
		name += " (sudo by " + behind + ")"
	}
	return name
}

// exists refuses a SQLite database that is not there: opening it would make an
// empty one, which is not what a mistyped path should do.
func (d *data) exists() error {
	path := d.SQLitePath()
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // what else may be wrong with it, opening it tells
	}
	if d.Folder != "" {
		return fmt.Errorf("there is no database at %s: `gatehouse dev --data %s` makes one", path, d.Folder)
	}
	hint := "make it with `gatehouse migrate`"
	if _, err := os.Stat(filepath.Join(devFolder, databaseFile)); err == nil {
		hint = "use that of `gatehouse dev` with --data " + devFolder
	}
	return fmt.Errorf("there is no database at %s: name another with --database-url (GATEHOUSE_DATABASE_URL), or %s", path, hint)
}

// suggest names a command to run next, on the same data.
func (d *data) suggest(format string, a ...any) string {
	command := "gatehouse " + fmt.Sprintf(format, a...)
	if d.Folder != "" {
		command += " --data " + d.Folder
	}
	return command
}

// target is the environment that a command is about.
type target struct {
	data
	output
	Environment string `arg:"" name:"environment" help:"project_id of the environment; where there is one project, test or live is enough."`
}

// on opens the services and finds the environment.
func (c *target) on(f func(ctx context.Context, a *app.App, env *project.Environment) error) error {
	return c.with(func(ctx context.Context, a *app.App) error {
		env, err := findEnvironment(a, c.Environment)
		if err != nil {
			return err
		}
		return f(ctx, a, env)
	})
}

// onSealed is on for commands that open what is sealed.
func (c *target) onSealed(f func(ctx context.Context, a *app.App, env *project.Environment) error) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if a.Keyring == nil {
			return app.ErrNoMasterKey
		}
		return f(ctx, a, env)
	})
}

// findEnvironment finds an environment by its project_id, or by its kind when
// only one is of that kind.
func findEnvironment(a *app.App, name string) (*project.Environment, error) {
	var found []*project.Environment
	for _, env := range a.Projects.Environments() {
		if env.ID == name {
			return env, nil
		}
		if env.Kind == id.Env(strings.ToLower(name)) {
			found = append(found, env)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, fmt.Errorf("there are %d %s environments: name one by its project_id (gatehouse environment list shows them)", len(found), found[0].Kind)
	}
	return nil, fmt.Errorf("there is no environment %q (gatehouse environment list shows those there are)", name)
}

// title names an environment to a person: "My app (test)".
func title(env *project.Environment) string {
	kind := string(env.Kind)
	if !strings.EqualFold(env.Name, kind) {
		kind += ", " + env.Name
	}
	return fmt.Sprintf("%s (%s)", env.ProjectName, kind)
}
