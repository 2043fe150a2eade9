// Package cli owns the command line: the flags of every command, what it
// prints, and its exit code. What a command does is done by the same services
// that serve the API; the package holds no rule of its own and no SQL.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"

	"gatehouse/internal/apierr"
)

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1 // said in one line on stderr
	exitUsage  = 2 // the command line itself is wrong
	exitPartly = 3 // done, but for parts that were refused
)

// commands is the whole command line: the fields are the commands, their
// fields the flags, and the tags the help.
type commands struct {
	Dev     devCommand     `cmd:"" group:"run" help:"Run for development, with a project and a demo."`
	Serve   serveCommand   `cmd:"" group:"run" help:"Run in production."`
	Config  configCommand  `cmd:"" group:"run" help:"Show the settings in force and where each comes from."`
	Migrate migrateCommand `cmd:"" group:"run" help:"Bring the database to this version. Servers do the same when they start."`

	Project       projectCommands     `cmd:"" group:"configure" help:"Projects: create, list."`
	Environment   environmentCommands `cmd:"" group:"configure" help:"Environments and their settings: list, show, create, get, set."`
	Secret        secretCommands      `cmd:"" group:"configure" help:"Secrets of servers that call the API: create, list, revoke."`
	PublicToken   publicTokenCommands `cmd:"" group:"configure" help:"Public tokens of pages and apps: create, list, revoke."`
	RedirectURL   redirectURLCommands `cmd:"" name:"redirect-url" group:"configure" help:"Addresses people may be sent back to: add, list, remove."`
	Domain        domainCommands      `cmd:"" group:"configure" help:"Origins whose pages may use the browser's API: add, list, remove."`
	Template      templateCommands    `cmd:"" group:"configure" help:"Templates of e-mails: list, show, set, delete, default, preview."`
	Sender        senderCommands      `cmd:"" group:"configure" help:"Who sends e-mails, SMS and WhatsApp messages: add, list, test, remove."`
	RBAC          rbacCommands        `cmd:"" name:"rbac" group:"configure" help:"What roles may do: show, set, check, role, resource, scope."`
	JWTTemplate   jwtTemplateCommands `cmd:"" name:"jwt-template" group:"configure" help:"Claims of JWTs, made of what is known of people: show, set, remove, preview."`
	SDKConfig     sdkConfigCommands   `cmd:"" name:"sdk-config" group:"configure" help:"Switches of the browser's API, one per product: get, set."`
	OAuthProvider oauthCommands       `cmd:"" name:"oauth-provider" group:"configure" help:"Identity providers that people sign in with: list, show, set, remove, enable, disable."`

	TrustedTokenProfile trustedProfileCommands `cmd:"" name:"trusted-token-profile" group:"configure" help:"Issuers whose tokens sign people in: create, list, show, update, add-key, remove-key, delete."`

	M2MClient   m2mClientCommands  `cmd:"" name:"m2m-client" group:"look after" help:"Clients that are machines: create, list, show, update, rotate, delete."`
	User        userCommands       `cmd:"" group:"look after" help:"Users: get, search, unlock, delete."`
	Impersonate impersonateCommand `cmd:"" group:"look after" help:"Make a one-time link with which you act as a user for an hour."`
	Keys        keysCommands       `cmd:"" group:"look after" help:"Keys that sign session tokens: list, rotate."`
	Event       eventCommands      `cmd:"" group:"look after" help:"The audit log: list."`

	Import  importCommands `cmd:"" group:"operate" help:"Bring users in from a file."`
	Export  exportCommands `cmd:"" group:"operate" help:"Take users out into a file."`
	Breach  breachCommands `cmd:"" group:"operate" help:"Passwords that are in known breaches: import a list of them, check one."`
	Backup  backupCommand  `cmd:"" group:"operate" help:"Copy a SQLite database while it is in use."`
	Outbox  outboxCommands `cmd:"" group:"operate" help:"Work that follows a fact, such as messages: list, retry."`
	Explain explainCommand `cmd:"" group:"operate" help:"Say what a request did, or which rule refused it and until when."`
	Purge   purgeCommand   `cmd:"" group:"operate" help:"Remove expired rows now. Servers do it every few minutes by themselves."`
	Doctor  doctorCommand  `cmd:"" group:"operate" help:"Look for what is wrong or soon will be."`

	Version versionCommand `cmd:"" group:"operate" help:"Show the version of this program."`
}

var groups = []kong.Group{
	{Key: "run", Title: "Run"},
	{Key: "configure", Title: "Configure"},
	{Key: "look after", Title: "Look after"},
	{Key: "operate", Title: "Operate"},
	{Key: "data", Title: "Where the data is:"},
	{Key: "server", Title: "The server:"},
}

// Terminal is where a command reads and writes.
type Terminal struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// runner is a command whose flags are set.
type runner interface{ Run(t *Terminal) error }

// Main runs one command and returns the exit code of the process.
func Main(args []string, t *Terminal) int {
	dropEmptyVariables()
	command, err := parse(args, t)
	if err != nil {
		return t.usage(err)
	}
	if err := command.Run(t); err != nil {
		return t.fail(err)
	}
	return exitDone
}

// parse reads the command line. It returns nothing but the command: a server
// runs for months and should not hold what only the parser needed.
func parse(args []string, t *Terminal) (runner, error) {
	parser, err := newParser(&commands{}, t, os.Exit)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	c, err := parser.Parse(args)
	if err != nil {
		return nil, err
	}
	command, ok := c.Selected().Target.Addr().Interface().(runner)
	if !ok {
		return nil, fmt.Errorf("%s has no Run", c.Command())
	}
	return command, nil
}

func newParser(all *commands, t *Terminal, exit func(int)) (*kong.Kong, error) {
	parser, err := kong.New(all,
		kong.Name("gatehouse"),
		kong.Description("Consumer authentication in one program: passkeys, sessions, users."),
		kong.Writers(t.Out, t.Err),
		kong.Exit(exit),
		kong.ExplicitGroups(groups),
		kong.Help(printHelp),
		kong.ValueFormatter(describeFlag),
	)
	if err == nil {
		parser.Model.HelpFlag.Help = "Show this help."
	}
	return parser, err
}

// dropEmptyVariables makes a variable that is set to nothing, as a compose
// file does with one it does not know, the same as one that is not set.
func dropEmptyVariables() {
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" && (strings.HasPrefix(name, variablePrefix) || strings.HasPrefix(name, "OTEL_")) {
			os.Unsetenv(name)
		}
	}
}

const variablePrefix = "GATEHOUSE_"

// errSaid ends a command whose output has already said what is wrong.
var errSaid = errors.New("failed")

// errRefused is errSaid for a command that is done but for parts.
var errRefused = fmt.Errorf("refused in parts: %w", errSaid)

func (t *Terminal) fail(err error) int {
	if !errors.Is(err, errSaid) {
		fmt.Fprintln(t.Err, "gatehouse: "+oneLine(describe(err)))
	}
	var wrong *usageError
	if errors.As(err, &wrong) {
		return exitUsage
	}
	if errors.Is(err, errRefused) {
		return exitPartly
	}
	return exitFailed
}

func (t *Terminal) usage(err error) int {
	help := "gatehouse --help"
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context != nil {
		if c := wrong.Context.Selected(); c != nil {
			help = c.FullPath() + " --help"
		}
	}
	fmt.Fprintf(t.Err, "gatehouse: %s (see: %s)\n", oneLine(err.Error()), help)
	return exitUsage
}

// usageError is a mistake in the command line that the parser cannot see.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, a ...any) error { return &usageError{fmt.Sprintf(format, a...)} }

// describe gives the words of an error that are meant for people.
func describe(err error) string {
	if verdict := apierr.From(err); verdict != nil {
		return verdict.Message
	}
	return err.Error()
}

// oneLine makes one line of an error that has several.
func oneLine(s string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "":
			continue
		case b.Len() > 0 && strings.HasSuffix(b.String(), ":"):
			b.WriteByte(' ')
		case b.Len() > 0:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}
