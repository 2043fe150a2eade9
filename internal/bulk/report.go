package bulk

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
)

// Report is a file with a line of JSON for each row that was refused. It is
// readable by its owner alone: the lines name people.
type Report struct {
	file *os.File
	end  int64 // of the lines about rows that are committed
}

// OpenReport opens a report, an existing one too.
func OpenReport(path string) (*Report, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	// A file that was there may be open to others.
	if err := f.Chmod(0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Report{file: f}, nil
}

// Close closes the file.
func (r *Report) Close() error { return r.file.Close() }

// continueAfter drops what the report says of rows that will be tried again:
// lines are written before the rows they are about are committed.
func (r *Report) continueAfter(row int64) error {
	if r == nil {
		return nil
	}
	lines := bufio.NewReader(r.file)
	for r.end = 0; row > 0; {
		line, err := lines.ReadBytes('\n')
		var refused Refusal
		if err != nil || json.Unmarshal(bytes.TrimSpace(line), &refused) != nil || refused.Row == 0 || refused.Row > row {
			break
		}
		r.end += int64(len(line))
	}
	return r.file.Truncate(r.end)
}

// write puts the refusals of a transaction behind those that are committed, in
// place of what an earlier attempt at it has written. That is before the
// transaction is committed: a line that is there twice can be told from the
// progress, one that is missing could not.
func (r *Report) write(list []Refusal) error {
	if r == nil {
		return nil
	}
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	e.SetEscapeHTML(false)
	for _, refused := range list {
		if err := e.Encode(refused); err != nil {
			return err
		}
	}
	if err := r.file.Truncate(r.end); err != nil {
		return err
	}
	_, err := r.file.WriteAt(lines.Bytes(), r.end)
	return err
}

// committed keeps what was written last.
func (r *Report) committed() error {
	if r == nil {
		return nil
	}
	info, err := r.file.Stat()
	if err == nil {
		r.end = info.Size()
	}
	return err
}
