package bulk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/golden"
	"gatehouse/internal/secret/passhash"
)

// firebaseProject is that of the test vector of github.com/firebase/scrypt.
var firebaseProject = &passhash.FirebaseScryptConfig{
	SignerKey:     "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
	SaltSeparator: "Bw==", Rounds: 8, MemCost: 14,
}

// What each product's files become, side by side with the files: the rows of
// testdata/NAME are in testdata/NAME.golden.
func TestFilesOfOtherProducts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			f, err := os.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			from, _, _ := strings.Cut(strings.ReplaceAll(filepath.Base(file), "-", "."), ".")
			o := &Options{From: from, Format: FormatAuto, Firebase: firebaseProject, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
			golden.Check(t, "internal/bulk/"+file+".golden", described(t, o, Source{Name: file, From: f}))
		})
	}
}

// described writes what the rows of a file became, as people read it.
func described(t *testing.T, o *Options, s Source) []byte {
	t.Helper()
	in, err := o.open(s)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for number := 1; ; number++ {
		row, err := in.rows.next()
		if errors.Is(err, io.EOF) {
			return out.Bytes()
		}
		fmt.Fprintf(&out, "-- row %d\n", number)
		var r *Record
		if err == nil {
			r, err = o.record(row)
		}
		if err != nil {
			refused, about := ofRow(err)
			if !about {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "refused: %s: %s\n", refused.Type, refused.Reason)
			continue
		}
		r.contacts()
		if r.disabled != "" {
			fmt.Fprintf(&out, "disabled: %s\n", r.disabled)
		}
		if len(r.leftOut) > 0 {
			fmt.Fprintf(&out, "left out: %s\n", strings.Join(r.leftOut, ", "))
		}
		trim(r)
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			t.Fatal(err)
		}
	}
}

// trim drops the settings of hash types that the hash is not of.
func trim(r *Record) {
	if r.Password == nil || r.Password.Hash == "" {
		return
	}
	p := r.Password
	if encoded, err := passhash.Import(p.HashType, p.Hash, p.Configs); err == nil {
		p.HashType, p.Hash, p.Configs, _ = passhash.Split(encoded)
	}
}
