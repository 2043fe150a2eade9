package bundle

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// MaxUnsorted is how many hashes a list that is not sorted may have: they
	// are sorted in memory, where each takes ten bytes.
	MaxUnsorted = 4 << 20
	// maxLine is longer than any line of the form; what is longer is not a list.
	maxLine = 256
	// complete is the number of hashes from which on a bucket without any means
	// that a part of the list is missing.
	complete = buckets * 32

	progressEvery = 1 << 18
)

// Import is one import of a list.
type Import struct {
	From     io.Reader // lines HASH or HASH:COUNT, plain or compressed by gzip
	Into     string    // the file, which is replaced when the import has succeeded
	Now      time.Time
	Progress func(lines int64) // called every quarter of a million lines; nil for nobody

	maxUnsorted int // MaxUnsorted, but for tests
}

// Result is what an import has made.
type Result struct {
	Lines  int64 // that were read
	Hashes int64 // that are in the bundle, each once
	Bytes  int64 // size of the bundle
	// Incomplete means that the list is large and yet no hash begins with some
	// of the possible beginnings: a download that was cut short.
	Incomplete bool
}

// Run reads the list and puts a bundle in place, whole or not at all. Errors
// name the line, and never repeat what is in it: it may be a list of passwords
// that somebody took for one of hashes.
func (im Import) Run(ctx context.Context) (Result, error) {
	if im.maxUnsorted == 0 {
		im.maxUnsorted = MaxUnsorted
	}
	f, err := os.CreateTemp(filepath.Dir(im.Into), filepath.Base(im.Into)+".*.part")
	if err != nil {
		return Result{}, err
	}
	r, err := im.write(ctx, f)
	if err == nil {
		err = f.Chmod(0o644) // nothing in it is secret, and the server may run as another user
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), im.Into)
	}
	if err != nil {
		return Result{}, errors.Join(err, os.Remove(f.Name()))
	}
	return r, nil
}

func (im Import) write(ctx context.Context, f *os.File) (Result, error) {
	w, err := newWriter(f)
	if err != nil {
		return Result{}, err
	}
	in, err := plain(im.From)
	if err != nil {
		return Result{}, err
	}
	s := &sorter{writer: w, room: im.maxUnsorted}
	lines, err := im.lines(ctx, in, s)
	if err != nil {
		return Result{}, err
	}
	if err := s.flush(); err != nil {
		return Result{}, err
	}
	if s.total == 0 {
		return Result{}, errors.New("there is no hash in the list, so nothing was imported")
	}
	if err := w.finish(im.Now); err != nil {
		return Result{}, err
	}
	size := headerSize + w.hashes*hashSize + indexSize
	return Result{Lines: lines, Hashes: w.hashes, Bytes: size, Incomplete: w.hashes >= complete && w.empty > 0}, nil
}

// plain unpacks what gzip has packed, which shows by its first two bytes.
func plain(from io.Reader) (*bufio.Reader, error) {
	in := bufio.NewReaderSize(from, 1<<16)
	if start, err := in.Peek(2); err != nil || !bytes.Equal(start, []byte{0x1f, 0x8b}) {
		return in, nil // reading it tells what may be wrong
	}
	unpacked, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("the list begins as gzip does, and is not: %w", err)
	}
	return bufio.NewReaderSize(unpacked, 1<<16), nil
}

// lines gives the hash of every line to the sorter.
func (im Import) lines(ctx context.Context, in *bufio.Reader, s *sorter) (int64, error) {
	for n := int64(1); ; n++ {
		line, err := in.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return n - 1, nil
		}
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return 0, fmt.Errorf("line %d: reading on failed, so the list may be incomplete: %w", n, err)
		}
		k, counts, err := parseLine(line)
		if err != nil {
			return 0, fmt.Errorf("line %d: %w", n, err)
		}
		if counts {
			if err := s.add(k, n); err != nil {
				return 0, err
			}
		}
		if n%progressEvery == 0 {
			if err := ctx.Err(); err != nil {
				return 0, errors.New("interrupted: nothing was imported")
			}
			if im.Progress != nil {
				im.Progress(n)
			}
		}
	}
}

var (
	errLine = errors.New("it is not a SHA-1 in 40 hexadecimal digits, alone or followed by a colon and a count")
	errNTLM = errors.New("it has 32 hexadecimal digits, as NTLM and MD5 have: the list must be of SHA-1 hashes, which have 40")
)

// parseLine reads a line of a list. A count of nothing, as padding has, is no
// breach, and an empty line says nothing.
func parseLine(line []byte) (k key, counts bool, err error) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return k, false, nil
	}
	if len(line) > maxLine {
		return k, false, errLine
	}
	digits, count, has := bytes.Cut(line, []byte(":"))
	var sum [20]byte
	_, err = hex.Decode(sum[:], digits[:min(len(digits), 40)])
	switch {
	case err == nil && len(digits) == 32:
		return k, false, errNTLM
	case err != nil || len(digits) != 40 || has && len(count) == 0:
		return k, false, errLine
	}
	counts = !has
	for _, digit := range count {
		if digit < '0' || digit > '9' {
			return k, false, errLine
		}
		counts = counts || digit != '0'
	}
	return key(sum[:len(k)]), counts, nil
}

// sorter brings hashes into order. It holds as many as there is room for: a
// list that ends before is sorted, and one that has been in order so far is
// written on as it comes.
type sorter struct {
	writer *writer
	room   int
	held   []key
	stream bool // the first ones are written, so the rest must be in order
	last   key
	total  int64
	broken int64 // the first line that was out of order, 0 for none
}

func (s *sorter) add(k key, line int64) error {
	switch order := bytes.Compare(k[:], s.last[:]); {
	case s.total > 0 && order == 0:
		return nil // once is enough
	case s.total > 0 && order < 0 && s.stream:
		return s.unsorted(line)
	case s.total > 0 && order < 0 && s.broken == 0:
		s.broken = line
	}
	s.total, s.last = s.total+1, k
	if s.stream {
		return s.writer.add(&k)
	}
	if len(s.held) == s.room {
		if s.broken > 0 {
			return s.unsorted(s.broken)
		}
		s.stream = true
		if err := s.flush(); err != nil {
			return err
		}
		return s.writer.add(&k)
	}
	s.held = append(s.held, k)
	return nil
}

func (s *sorter) unsorted(line int64) error {
	return fmt.Errorf("the list is not sorted (line %d is out of order) and has more than %d hashes, which is too many to sort in memory. Sort it first: LC_ALL=C sort -u LIST > SORTED", line, s.room)
}

// flush writes the hashes that are held.
func (s *sorter) flush() error {
	if s.broken > 0 {
		slices.SortFunc(s.held, func(a, b key) int { return bytes.Compare(a[:], b[:]) })
		s.held = slices.Compact(s.held)
	}
	for i := range s.held {
		if err := s.writer.add(&s.held[i]); err != nil {
			return err
		}
	}
	s.held = nil
	return nil
}
