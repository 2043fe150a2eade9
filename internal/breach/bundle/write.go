package bundle

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"os"
	"time"
)

// key is what is kept of a SHA-1: two bytes that choose the bucket, and the
// eight that stand in it.
type key [2 + hashSize]byte

// writer writes a bundle from hashes in ascending order.
type writer struct {
	file   *os.File
	out    *bufio.Writer
	index  []byte
	bucket int    // the one that is being filled
	list   []byte // its hashes
	hashes int64  // in the buckets before it
	empty  int    // buckets without a hash
}

func newWriter(f *os.File) (*writer, error) {
	w := &writer{file: f, out: bufio.NewWriterSize(f, 1<<20), index: make([]byte, 0, indexSize)}
	_, err := w.out.Write(make([]byte, headerSize)) // its place; what it says is known at the end
	return w, err
}

// add adds a hash that lies behind all before it.
func (w *writer) add(k *key) error {
	for bucket := int(binary.BigEndian.Uint16(k[:])); w.bucket < bucket; {
		if err := w.endBucket(); err != nil {
			return err
		}
	}
	if len(w.list) == maxBucket*hashSize {
		return fmt.Errorf("more than %d hashes begin with %x: this is not a list of SHA-1 hashes", maxBucket, k[:2])
	}
	w.list = append(w.list, k[2:]...)
	return nil
}

// endBucket writes the bucket that is full, and goes on to the next one.
func (w *writer) endBucket() error {
	w.index = binary.BigEndian.AppendUint64(w.index, uint64(w.hashes))
	w.index = binary.BigEndian.AppendUint32(w.index, checksum(w.list))
	if len(w.list) == 0 {
		w.empty++
	}
	w.hashes += int64(len(w.list) / hashSize)
	_, err := w.out.Write(w.list)
	w.bucket, w.list = w.bucket+1, w.list[:0]
	return err
}

// finish writes what is left, and the header when the rest is on disk: a file
// that was cut short has none.
func (w *writer) finish(now time.Time) error {
	for w.bucket < buckets {
		if err := w.endBucket(); err != nil {
			return err
		}
	}
	if _, err := w.out.Write(w.index); err != nil {
		return err
	}
	if err := w.out.Flush(); err != nil {
		return err
	}
	if err := w.file.Sync(); err != nil {
		return err
	}
	if _, err := w.file.WriteAt(header{hashes: w.hashes, created: now, index: checksum(w.index)}.bytes(), 0); err != nil {
		return err
	}
	return w.file.Sync()
}
