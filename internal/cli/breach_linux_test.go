package cli

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal is a terminal of this machine's: what is typed, and where a program
// reads it.
func terminal(t *testing.T) (typed, read *os.File) {
	t.Helper()
	open := func(name string) *os.File {
		f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
		if err != nil {
			t.Skip("there are no terminals here: ", err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	typed = open("/dev/ptmx")
	if err := unix.IoctlSetPointerInt(int(typed.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(typed.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	return typed, open(fmt.Sprint("/dev/pts/", n))
}

// A password that is typed does not appear, and what is typed afterwards does.
func TestAPasswordIsTypedUnseen(t *testing.T) {
	typed, read := terminal(t)
	shows := func() bool {
		state, err := unix.IoctlGetTermios(int(read.Fd()), unix.TCGETS)
		return err != nil || state.Lflag&unix.ECHO != 0
	}
	if !shows() {
		t.Fatal("the terminal shows nothing to begin with")
	}
	var said bytes.Buffer
	answer := make(chan string)
	go func() {
		password, err := askPassword(&Terminal{In: read, Err: &said})
		answer <- fmt.Sprint(password, err)
	}()
	if !eventually(func() bool { return !shows() }) {
		t.Fatal("the terminal went on showing what is typed")
	}
	if _, err := typed.WriteString("zqcanaryqz\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "zqcanaryqz<nil>" || said.String() != "Password: \n" {
		t.Errorf("%q, after %q", got, said.String())
	}
	if !shows() {
		t.Error("the terminal stays silent")
	}
	if _, err := typed.WriteString("end\n"); err != nil {
		t.Fatal(err)
	}
	seen := make([]byte, 0, 100)
	for !bytes.Contains(seen, []byte("end")) {
		one := make([]byte, 100)
		n, err := typed.Read(one)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, one[:n]...)
	}
	if bytes.Contains(seen, []byte("canary")) {
		t.Errorf("this was shown: %q", seen)
	}
}
