package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/config"
	"gatehouse/internal/demo"
	"gatehouse/internal/devidp"
	"gatehouse/internal/event"
	"gatehouse/internal/secret"
	"gatehouse/internal/ui"
	"gatehouse/internal/wire"
)

type devCommand struct {
	Listen       string `default:"127.0.0.1:8080" placeholder:"ADDRESS" help:"Address to listen on; port 0 picks a free one. It also answers at localhost."`
	Data         string `default:".gatehouse" placeholder:"DIR" help:"Folder for the database, the master key and dev.json, which holds the credentials."`
	BreachSource string `name:"breach-source" env:"GATEHOUSE_BREACH_SOURCE" default:"off" enum:"api,offline,off" placeholder:"SOURCE" help:"Where breached passwords are looked up: off, so that nothing leaves this machine; api, as gatehouse serve does; or offline."`
	BreachURL    string `name:"breach-url" env:"GATEHOUSE_BREACH_URL" default:"https://api.pwnedpasswords.com" placeholder:"URL" help:"The range API of Have I Been Pwned, or a mirror of it."`
	LogLevel     string `default:"warn" enum:"debug,info,warn,error" placeholder:"LEVEL" help:"Least severe level that is logged: debug shows every request."`
}

// devServer is one run of `gatehouse dev`.
type devServer struct {
	*devCommand
	logger *slog.Logger
	port   int
	state  devState
}

// AfterApply refuses a folder without a name.
func (c *devCommand) AfterApply() error {
	if c.Data == "" {
		return errNoFolder
	}
	return nil
}

// Run serves for development until it is asked to stop.
func (c *devCommand) Run(t *Terminal) error {
	d := &devServer{devCommand: c, logger: newLogger(t.Err, "text", c.LogLevel)}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return unwritable(filepath.Dir(c.Data), err)
	}
	release, err := lockDatabase(filepath.Join(c.Data, databaseFile), "--data DIR")
	if err != nil {
		return err
	}
	defer release()
	listeners, port, err := listenLocal(c.Listen)
	if err != nil {
		return err
	}
	d.port = port
	ctx := interruptible()
	a, err := d.open(ctx)
	if err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	if err := d.state.write(c.Data); err != nil {
		return errors.Join(unwritable(c.Data, err), closeAll(listeners), a.Close())
	}
	d.banner(t)
	context.AfterFunc(ctx, func() { t.line("\nStopping: answering what was asked already. Ctrl-C again stops at once.") })
	return errors.Join(a.Run(ctx, listeners...), a.Close())
}

func closeAll(listeners []net.Listener) (err error) {
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

func (d *devServer) open(ctx context.Context) (*app.App, error) {
	database := folderDatabase(d.Data)
	if err := prepareFolder(d.Data, database.SQLitePath()); err != nil {
		return nil, err
	}
	if err := database.ReadMasterKey(); err != nil {
		return nil, err
	}
	return app.Open(ctx, app.Options{
		Database: database,
		Server: config.Server{
			PublicURL: d.baseURL(), DrainTimeout: 10 * time.Second, EventRetention: 90 * 24 * time.Hour,
			Breach: config.Breach{BreachSource: d.BreachSource, BreachURL: d.BreachURL}, OutboundAllow: loopback,
		},
		Logger: d.logger,
		Now:    time.Now,
		Extra:  d.pages,
		// The metrics are for whoever sits at this machine.
		Development: true,
	})
}

// baseURL names localhost whatever is listened on: browsers give passkeys to
// names, not to addresses.
func (d *devServer) baseURL() string { return fmt.Sprintf("http://localhost:%d", d.port) }

// prepareFolder makes the master key, and keeps the folder out of the project
// that it may lie in.
func prepareFolder(folder, database string) error {
	_, err := os.Stat(filepath.Join(folder, masterKeyFile))
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(database); err == nil {
		return fmt.Errorf("%s has a database but no %s, without which its secrets cannot be read: put the file back, or delete the folder to start anew", folder, masterKeyFile)
	}
	if err := replaceFile(folder, ".gitignore", []byte("# Secrets and data of gatehouse dev: not for version control.\n*\n")); err != nil {
		return unwritable(folder, err)
	}
	if err := replaceFile(folder, masterKeyFile, []byte(secret.NewMasterKey()+"\n")); err != nil {
		return unwritable(folder, err)
	}
	return nil
}

// replaceFile writes a file that only this user can read, whole or not at all.
func replaceFile(folder, name string, content []byte) error {
	f, err := os.CreateTemp(folder, name+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(folder, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// pages are the start page, the demo and the mailbox, for the project of the data folder.
func (d *devServer) pages(ctx context.Context, a *app.App) ([]wire.Endpoint, error) {
	ctx = event.WithOperator(ctx, operator())
	if err := d.state.settle(ctx, a, d.Data, d.baseURL()); err != nil {
		return nil, err
	}
	idp, err := d.identityProvider(ctx, a)
	if err != nil {
		return nil, err
	}
	pages := a.Pages
	backend := demo.New(demo.Config{
		BaseURL: d.baseURL, ProjectID: d.state.ProjectID, Secret: d.state.Secret, PublicToken: d.state.PublicToken, Now: time.Now,
	})
	info := ui.Info{
		Version: thisBuild().Version, Engine: "SQLite", Data: d.Data, BaseURL: d.baseURL(), Environment: d.state.Environment,
		ProjectName: d.state.ProjectName, ProjectID: d.state.ProjectID, Secret: d.state.Secret, PublicToken: d.state.PublicToken,
	}
	mail := mailboxOf(a, d.state.ProjectID)
	return []wire.Endpoint{
		wire.Raw(http.MethodGet, "/", wire.Open, pages.Start()),
		wire.Raw(http.MethodGet, "/demo", wire.Open, pages.Demo()),
		wire.Raw(http.MethodGet, "/dev/info.json", wire.Open, ui.DevInfo(func() ui.Info { return info })),
		wire.Raw(http.MethodGet, "/mailbox", wire.Open, pages.Mailbox()),
		wire.Raw(http.MethodGet, "/dev/mailbox.json", wire.Open, ui.DevMailbox(mail)),
		wire.Raw(http.MethodDelete, "/dev/mailbox.json", wire.Open, ui.DevMailbox(mail)),
		wire.Raw(http.MethodGet, "/dev/mailbox/{message_id}/html", wire.Open, ui.DevMailboxHTML(mail)),
		wire.Raw(http.MethodGet, demo.Prefix+"*", wire.Open, backend),
		wire.Raw(http.MethodPost, demo.Prefix+"*", wire.Open, backend),
		wire.Raw(http.MethodGet, devidp.Prefix+"*", wire.Open, idp),
		wire.Raw(http.MethodPost, devidp.Prefix+"*", wire.Open, idp),
	}, nil
}

func (d *devServer) banner(t *Terminal) {
	s := &d.state
	name := "Gatehouse"
	if b := thisBuild(); b.Version != "dev" {
		name += " " + b.Version
	}
	t.line("")
	t.line("  %s is running for development.", name)
	t.line("")
	t.line("  Start here      %s", s.BaseURL)
	t.line("  Demo            %s", s.DemoURL)
	t.line("  Mailbox         %s", s.MailboxURL)
	t.line("  Social login    Google, Microsoft and GitLab are stood in for: no account is needed.")
	t.line("  API reference   %s", s.ReferenceURL)
	t.line("")
	t.line("  Project         %s, %s environment", s.ProjectName, s.Environment)
	t.line("  project_id      %s", s.ProjectID)
	t.line("  secret          %s", s.Secret)
	t.line("  public_token    %s", s.PublicToken)
	t.line("")
	t.line("  Everything is kept in %s; %s has these values for tools.", d.Data, filepath.Join(d.Data, devFile))
	t.line("  Ctrl-C stops the server.")
	t.line("")
}
