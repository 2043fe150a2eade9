package store_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// Some things can only be shown by a process that dies or lives with a broken
// disk: the test program then starts itself with childEnv naming one of these.
var children = map[string]func(args []string) error{
	"write":     writeUntilKilled,
	"fail sync": writeOnABrokenDisk,
	"fill disk": fillTheDisk,
}

const childEnv = "GATEHOUSE_STORE_CHILD"

func TestMain(m *testing.M) {
	name := os.Getenv(childEnv)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := children[name](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = os.Stderr
	return cmd
}

// writeUntilKilled writes two rows per transaction from many goroutines, and
// prints the number of each transaction once it is answered.
func writeUntilKilled(args []string) error {
	first, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Options{URL: args[0], Now: storetest.NewClock().Now})
	if err != nil {
		return err
	}
	body := strings.Repeat("x", 500)
	var next, print sync.Mutex
	number := func() int {
		next.Lock()
		defer next.Unlock()
		first++
		return first
	}
	write := func() error {
		for {
			n := number()
			err := db.Update(ctx, func(tx *store.Tx) error {
				for half := range 2 {
					if _, err := tx.Exec(`INSERT INTO halves VALUES ($1, $2, $3)`, n, half, body); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			print.Lock()
			fmt.Println(n)
			print.Unlock()
		}
	}
	failed := make(chan error)
	for range 16 {
		go func() { failed <- write() }()
	}
	return <-failed
}

// acknowledged starts writeUntilKilled and reads answers; after so many it
// calls stop, then collects those that were on their way.
func acknowledged(t *testing.T, url string, first, answers int, stop func(cmd *exec.Cmd)) []int {
	t.Helper()
	cmd := child(t, "write", url, strconv.Itoa(first))
	if answers >= 0 {
		cmd.Stderr = nil // a server that goes away is an error there
	}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var got []int
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // an answer cut in two was not given
		}
		must(t, err)
		n, err := strconv.Atoi(strings.TrimSpace(line))
		must(t, err)
		if got = append(got, n); len(got) == answers {
			stop(cmd)
		}
	}
	cmd.Wait() // it was killed, or lost its server
	return got
}

// checkHalves checks that every acknowledged transaction is there and none is
// there by half.
func checkHalves(t *testing.T, db *store.DB, acknowledged []int) {
	t.Helper()
	there := map[int]bool{}
	must(t, db.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`SELECT id, count(*) FROM halves GROUP BY id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id, halves int
			if err := rows.Scan(&id, &halves); err != nil {
				return err
			}
			if there[id] = true; halves != 2 {
				t.Errorf("transaction %d is there by half", id)
			}
		}
		return rows.Err()
	}))
	for _, n := range acknowledged {
		if !there[n] {
			t.Errorf("transaction %d was acknowledged and is lost", n)
		}
	}
}

const createHalves = `CREATE TABLE halves (id BIGINT, half BIGINT, body TEXT, PRIMARY KEY (id, half))`
