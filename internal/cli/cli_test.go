package cli

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The tests run the command as the shell would: this binary, under the name
// gatehouse, is on the path.
func TestMain(m *testing.M) {
	programs := hardships()
	programs["gatehouse"] = runMain
	testscript.Main(m, programs)
}

func runMain() { os.Exit(Main(os.Args[1:], &Terminal{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})) }

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("COLUMNS", "100")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"appears":  appears,
			"call":     call,
			"job":      job,
			"keep":     keep,
			"keepfile": keepFile,
			"mode":     mode,
			"running":  running,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
	})
}

// appears waits until a file is there and holds something: appears FILE.
func appears(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: appears file")
	}
	path := ts.MkAbs(args[0])
	if !eventually(func() bool { info, err := os.Stat(path); return err == nil && info.Size() > 0 }) {
		ts.Fatalf("%s did not appear", args[0])
	}
}

// call asks a development server, whose folder is d, with its secret: call
// METHOD PATH [BODY] prints the answer.
func call(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: call method path [body]")
	}
	dev, err := readDevState(ts.MkAbs("d"))
	ts.Check(err)
	r, err := http.NewRequest(args[0], dev.BaseURL+args[1], strings.NewReader(strings.Join(args[2:], "")))
	ts.Check(err)
	r.SetBasicAuth(dev.ProjectID, dev.Secret)
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	resp, err := client.Do(r)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = fmt.Fprintln(ts.Stdout(), resp.StatusCode)
	ts.Check(err)
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
}

// keep puts a field of the last output into a variable: keep NAME WORD takes
// what follows the word.
func keep(ts *testscript.TestScript, neg bool, args []string) {
	keepFile(ts, neg, append(args, "stdout"))
}

// keepFile does the same with a file: keepfile NAME WORD FILE.
func keepFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: keepfile variable word file")
	}
	fields := strings.Fields(strings.NewReplacer(`"`, " ", ",", " ", ":", " ").Replace(ts.ReadFile(args[2])))
	for i, f := range fields[:max(0, len(fields)-1)] {
		if f == args[1] {
			ts.Setenv(args[0], fields[i+1])
			return
		}
	}
	ts.Fatalf("%s has no %q", args[2], args[1])
}

// running waits until a development server answers at the address of its
// dev.json, as it is now: running FOLDER.
func running(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: running folder")
	}
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	answers := eventually(func() bool {
		dev, err := readDevState(ts.MkAbs(args[0]))
		if err != nil || dev.BaseURL == "" {
			return false
		}
		resp, err := client.Get(dev.BaseURL + "/healthz")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil
	})
	if !answers {
		ts.Fatalf("no server answers for %s", args[0])
	}
}

// mode checks who may read a file: mode 600 FILE.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode permissions file")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", filepath.Base(args[1]), got, args[0])
	}
}

// patience is how long a test waits for what must come.
const patience = time.Minute

// eventually waits until a condition holds. It is false when patience ends.
func eventually(condition func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return condition()
}
