package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// printHelp shows the commands of a group in one line each, and of a command
// the arguments and flags.
func printHelp(o kong.HelpOptions, c *kong.Context) error {
	node := c.Selected()
	if node == nil {
		node = c.Model.Node
	}
	if len(node.Children) > 0 {
		_, err := fmt.Fprint(c.Stdout, groupHelp(node))
		return err
	}
	o.WrapUpperBound = 100
	return kong.DefaultHelpPrinter(o, c)
}

func groupHelp(node *kong.Node) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage: %s <command> [flags]\n", node.Help, node.FullPath())
	width := 0
	for _, child := range node.Children {
		width = max(width, len(child.Name))
	}
	for i, child := range node.Children {
		if i == 0 || child.Group != nil && child.Group.Key != node.Children[i-1].Group.Key {
			heading := "Commands"
			if child.Group != nil && node.Parent == nil {
				heading = child.Group.Title
			}
			fmt.Fprintf(&b, "\n%s\n", heading)
		}
		fmt.Fprintf(&b, "  %-*s  %s\n", width, child.Name, firstSentence(child.Help))
	}
	fmt.Fprintf(&b, "\n%s <command> --help says more about one of them.\n", node.FullPath())
	return b.String()
}

func firstSentence(s string) string {
	if at := strings.Index(s, ". "); at >= 0 {
		return s[:at+1]
	}
	return s
}

// describeFlag adds to a flag's help its variable and its default.
func describeFlag(v *kong.Value) string {
	var notes []string
	for _, env := range v.Tag.Envs {
		notes = append(notes, "$"+env)
	}
	if v.HasDefault && v.Flag != nil && !slices.Contains([]string{"", "false"}, v.Default) {
		notes = append(notes, "default "+v.Default)
	}
	if len(notes) == 0 {
		return v.Help
	}
	return v.Help + " [" + strings.Join(notes, ", ") + "]"
}
