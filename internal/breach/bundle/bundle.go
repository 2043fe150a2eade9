// Package bundle owns the file in which a server without the network keeps the
// hashes of breached passwords: its form, making it from a list, and asking it.
// It never sees a password, never calls anybody, and holds no more of the file
// in memory than its index.
//
// A bundle is, all numbers in big-endian order,
//
//	64 bytes  the header: magic, version, bytes per hash, number of hashes, Unix
//	          time of the import, checksum of the index, zeros, checksum of the
//	          header
//	 8 bytes  for each hash: bytes 2 to 10 of the SHA-1, sorted by the whole hash
//	12 bytes  for each of the 65,536 pairs of bytes that a SHA-1 begins with: how
//	          many hashes are before it, and the checksum of its own
//
// so 80 of the 160 bits are kept. Of passwords that are in no breach, one in
// 10^15 is found in a bundle of a billion hashes all the same. Checksums are
// CRC-32C.
package bundle

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sort"
	"time"
)

const (
	magic       = "GHBREACH"
	version     = 1
	headerSize  = 64
	hashSize    = 8
	buckets     = 1 << 16
	bucketEntry = 12
	indexSize   = buckets * bucketEntry
	// maxBucket bounds what one question reads: 4 MB. A list of SHA-1 needs
	// thirty billion hashes to get there.
	maxBucket = 1 << 19
	maxHashes = buckets * maxBucket
)

var (
	// ErrDamaged means that a file is no bundle, or not any more.
	ErrDamaged = errors.New("it is damaged or incomplete. Make it again with `gatehouse breach import`")
	errNewer   = errors.New("it was made by a newer version of Gatehouse. Use that one, or make the bundle again with `gatehouse breach import`")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Bundle is a bundle that is open. It may be shared.
type Bundle struct {
	file    io.ReaderAt
	close   func() error
	index   []byte
	hashes  int64
	created time.Time
}

// Open opens a file. What is cut off or has another form is ErrDamaged; damage
// among the hashes shows when they are read.
func Open(path string) (*Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	var b *Bundle
	if err == nil {
		b, err = read(f, info.Size())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
	}
	b.close = f.Close
	return b, nil
}

// read reads the header and the index of a bundle of some size.
func read(file io.ReaderAt, size int64) (*Bundle, error) {
	head := make([]byte, headerSize)
	if _, err := file.ReadAt(head, 0); err == io.EOF {
		return nil, ErrDamaged
	} else if err != nil {
		return nil, err
	}
	h, err := parseHeader(head)
	if err != nil {
		return nil, err
	}
	if size != headerSize+h.hashes*hashSize+indexSize {
		return nil, ErrDamaged
	}
	b := &Bundle{file: file, close: func() error { return nil }, index: make([]byte, indexSize), hashes: h.hashes, created: h.created}
	if _, err := file.ReadAt(b.index, size-indexSize); err != nil && err != io.EOF {
		return nil, err
	}
	if checksum(b.index) != h.index || !b.ordered() {
		return nil, ErrDamaged
	}
	return b, nil
}

// ordered reports whether the index divides the hashes up.
func (b *Bundle) ordered() bool {
	if first, _, _ := b.bucket(0); first != 0 {
		return false
	}
	for i := range buckets {
		from, to, _ := b.bucket(i)
		if from > to || to-from > maxBucket {
			return false
		}
	}
	return true
}

// bucket returns which hashes begin with two bytes, and their checksum.
func (b *Bundle) bucket(i int) (from, to int64, sum uint32) {
	e := b.index[i*bucketEntry:]
	from, to = int64(binary.BigEndian.Uint64(e)), b.hashes
	if i < buckets-1 {
		to = int64(binary.BigEndian.Uint64(e[bucketEntry:]))
	}
	return from, to, binary.BigEndian.Uint32(e[8:])
}

// load reads the hashes of a bucket.
func (b *Bundle) load(i int) ([]byte, error) {
	from, to, sum := b.bucket(i)
	list := make([]byte, (to-from)*hashSize)
	if _, err := b.file.ReadAt(list, headerSize+from*hashSize); err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading the bundle: %w", err)
	}
	if checksum(list) != sum {
		return nil, fmt.Errorf("the bundle of breached passwords: %w", ErrDamaged)
	}
	return list, nil
}

// Has reports whether a SHA-1 is in the bundle. It reads one stretch of the
// file and checks it, so that damage is an error and not a wrong answer.
func (b *Bundle) Has(sum [sha1.Size]byte) (bool, error) {
	list, err := b.load(int(binary.BigEndian.Uint16(sum[:])))
	if err != nil {
		return false, err
	}
	rest := sum[2 : 2+hashSize]
	_, found := sort.Find(len(list)/hashSize, func(i int) int {
		return bytes.Compare(rest, list[i*hashSize:][:hashSize])
	})
	return found, nil
}

// Verify reads the whole file and checks it.
func (b *Bundle) Verify() error {
	for i := range buckets {
		if _, err := b.load(i); err != nil {
			return err
		}
	}
	return nil
}

// Hashes is how many hashes the bundle has.
func (b *Bundle) Hashes() int64 { return b.hashes }

// Created is when it was made, to the second.
func (b *Bundle) Created() time.Time { return b.created }

// Close closes the file.
func (b *Bundle) Close() error { return b.close() }

// header is what stands in front.
type header struct {
	hashes  int64
	created time.Time
	index   uint32 // its checksum
}

func (h header) bytes() []byte {
	b := append(make([]byte, 0, headerSize), magic...)
	b = binary.BigEndian.AppendUint32(b, version)
	b = binary.BigEndian.AppendUint32(b, hashSize)
	b = binary.BigEndian.AppendUint64(b, uint64(h.hashes))
	b = binary.BigEndian.AppendUint64(b, uint64(h.created.Unix()))
	b = binary.BigEndian.AppendUint32(b, h.index)
	b = append(b, make([]byte, headerSize-4-len(b))...)
	return binary.BigEndian.AppendUint32(b, checksum(b))
}

func parseHeader(b []byte) (header, error) {
	if string(b[:len(magic)]) != magic || checksum(b[:headerSize-4]) != binary.BigEndian.Uint32(b[headerSize-4:]) {
		return header{}, ErrDamaged
	}
	if binary.BigEndian.Uint32(b[8:]) != version || binary.BigEndian.Uint32(b[12:]) != hashSize {
		return header{}, errNewer
	}
	hashes := binary.BigEndian.Uint64(b[16:])
	if hashes > maxHashes {
		return header{}, ErrDamaged
	}
	return header{
		hashes: int64(hashes), created: time.Unix(int64(binary.BigEndian.Uint64(b[24:])), 0).UTC(), index: binary.BigEndian.Uint32(b[32:]),
	}, nil
}
