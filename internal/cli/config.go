package cli

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"gatehouse/internal/config"
)

// production is everything that can be set about a server in production.
type production struct {
	config.Database `group:"data"`
	config.Server   `group:"server"`
}

// check says what is wrong with the settings as a whole.
func (p *production) check() error {
	if err := p.Server.Check(); err != nil {
		return err
	}
	return p.ReadMasterKey()
}

type configCommand struct {
	production
	output
	given map[string]bool // flags on the command line
}

// AfterApply notes where the settings come from.
func (c *configCommand) AfterApply(k *kong.Context) error {
	c.given = map[string]bool{}
	for _, s := range config.Settings(&c.Database, &c.Server) {
		c.given[s.Name] = flagGiven(k, s.Name)
	}
	return nil
}

// Run prints the settings in force.
func (c *configCommand) Run(t *Terminal) error {
	type view struct {
		Name     string `json:"name"`
		Variable string `json:"variable"`
		Value    string `json:"value"`
		Origin   string `json:"origin"` // "flag", "env" or "default"
	}
	views := []view{}
	r := &rows{header: []string{"SETTING", "VALUE", "FROM"}}
	for _, s := range config.Settings(&c.Database, &c.Server) {
		v, from := view{s.Name, s.Variable, s.Value, "default"}, "default"
		switch {
		case c.given[s.Name]:
			v.Origin, from = "flag", "--"+s.Name
		case os.Getenv(s.Variable) != "":
			v.Origin, from = "env", s.Variable
		case s.Fallback != "" && os.Getenv(s.Fallback) != "":
			v.Origin, from, v.Variable = "env", s.Fallback, s.Fallback
		}
		views = append(views, v)
		r.add(s.Name, dash(s.Value), from)
	}
	if err := c.print(t, views, r); err != nil {
		return err
	}
	for _, name := range unknownVariables() {
		fmt.Fprintf(t.Err, "Note: %s is not a setting of Gatehouse.\n", name)
	}
	if err := c.wouldStart(); err != nil {
		fmt.Fprintf(t.Err, "Note: gatehouse serve would refuse to start: %s\n", oneLine(describe(err)))
	}
	return nil
}

func (c *configCommand) wouldStart() error {
	if err := c.check(); err != nil {
		return err
	}
	return checkMasterKey(c.MasterKey)
}

// unknownVariables finds names that look like settings and that no command
// reads: most likely mistyped.
func unknownVariables() []string {
	var unknown []string
	known := variables(reflect.TypeFor[commands]())
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, variablePrefix) && !strings.HasPrefix(name, variablePrefix+"TEST_") && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// variables are the names that the fields of a command, and those of the
// commands below it, are read from.
func variables(command reflect.Type) (names []string) {
	for i := range command.NumField() {
		field := command.Field(i)
		if field.Type.Kind() == reflect.Struct {
			names = append(names, variables(field.Type)...)
		}
		names = append(names, strings.Split(field.Tag.Get("env"), ",")...)
	}
	return names
}
