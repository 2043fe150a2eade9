package bulk

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

// Whatever a file holds, reading it ends, refuses rows for reasons that people
// can read, and keeps no more than a row.
func FuzzFiles(f *testing.F) {
	for _, seed := range []string{
		"{\"email\":\"a@example.com\"}\n{", "[{\"a\":[1,\"]}\\\"\"]},7,\"x\",{}]", "{\"users\":[{\"localId\":\"1\"}],\"x\":{\"y\":[]}}",
		"a,b\n\"x\"\"y\",2\n\"", "email;hash\na@b.c;\"\n", "\xef\xbb\xbf[[]]", "{\"Users\":[{}]}{\"Users\":[]}", "cognito:username,email\nx,y@example.com",
		"{\"password\":{\"hash\":\"$fbscrypt$v=1,n=14$a$b\",\"hash_type\":\"bcrypt\"}}", "id,encrypted_password\n1,$2a$",
	} {
		for from := range products {
			f.Add(seed, from)
		}
	}
	env := &project.Environment{ID: id.Random(id.Project, id.Test), Kind: id.Test}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f.Fuzz(func(t *testing.T, file, from string) {
		if _, known := products[from]; !known {
			return
		}
		o := &Options{From: from, Format: FormatAuto, Firebase: firebaseProject, now: now}
		in, err := o.open(Source{Name: "file", From: strings.NewReader(file)})
		if err != nil {
			return
		}
		for n := int64(1); ; n++ {
			if n > int64(len(file))+2 {
				t.Fatal("more rows than bytes")
			}
			row, err := in.rows.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if _, about := ofRow(err); err != nil && !about {
				return
			}
			d := o.draft(env, n, row, err)
			if d.err == nil {
				continue
			}
			if refused, about := ofRow(d.err); !about || refused.Type == "" || refused.Reason == "" {
				t.Fatalf("row %d is refused with %v", n, d.err)
			}
		}
	})
}
