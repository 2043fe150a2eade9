// Gatehouse is consumer authentication in one program: server, command line
// and pages. See internal/cli for the commands.
package main

import (
	"os"

	"gatehouse/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], &cli.Terminal{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
