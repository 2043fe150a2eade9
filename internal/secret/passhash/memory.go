package passhash

import (
	"encoding/binary"
	"sync"
	_ "unsafe" // for the linknames below

	"golang.org/x/crypto/blake2b"
)

// The library takes new memory for each hash, so that a burst of logins leaves
// tens of megabytes of garbage at any time, and cannot be handed some. Its four
// steps can be called one by one: what fills the memory then runs in memory that
// was used before. A version of the library without one of them does not link,
// and TestReusedMemoryChangesNothing compares every result with the library's own
// (docs/decisions/0053-password-hashes-beside-requests.md).

// block is 1 KiB of a hash's memory (RFC 9106, section 3.2).
type block [128]uint64

// seedBytes is the length of H_0 with room for a block and a lane number.
const seedBytes = blake2b.Size + 8

//go:linkname initHash golang.org/x/crypto/argon2.initHash
func initHash(password, salt, key, data []byte, time, memory, threads, keyLen uint32, mode int) [seedBytes]byte

//go:linkname blake2bHash golang.org/x/crypto/argon2.blake2bHash
func blake2bHash(out, in []byte)

//go:linkname processBlocks golang.org/x/crypto/argon2.processBlocks
func processBlocks(b []block, time, memory, threads uint32, mode int)

//go:linkname extractKey golang.org/x/crypto/argon2.extractKey
func extractKey(b []block, memory, threads, keyLen uint32) []byte

// The variants as RFC 9106, section 3.1, numbers them.
const (
	modeArgon2i  = 1
	modeArgon2id = 2
)

const maxReused = 64 << 10 // blocks: 64 MiB; more is not kept for the next hash

// spare is memory that waits for the next hash: as much as hashes have run at
// once, and none when a rush is over.
var spare struct {
	mu   sync.Mutex
	list []pages
	lent uint64 // blocks, since the process began: what all hashes so far have cost
}

// deriveKey is Argon2 in memory that earlier hashes have used.
func deriveKey(mode int, password, salt []byte, p Params, keyLen uint32) []byte {
	threads := uint32(p.Parallelism)
	seed := initHash(password, salt, nil, nil, p.Iterations, p.MemoryKiB, threads, keyLen, mode)
	const slices = 4 // a lane is filled in four steps
	memory := max(p.MemoryKiB/(slices*threads)*(slices*threads), 2*slices*threads)
	m := takeMemory(memory)
	b := m.blocks[:memory]
	firstBlocks(b, &seed, memory, threads)
	processBlocks(b, p.Iterations, memory, threads, mode)
	key := extractKey(b, memory, threads, keyLen)
	keepMemory(m)
	return key
}

// takeMemory returns blocks of which the first n are zero, which is what the
// first pass starts from.
func takeMemory(n uint32) pages {
	spare.mu.Lock()
	spare.lent += uint64(n)
	var m pages
	if last := len(spare.list) - 1; last >= 0 {
		m, spare.list = spare.list[last], spare.list[:last]
	}
	spare.mu.Unlock()
	if len(m.blocks) < int(n) {
		m.free()
		return takePages(n)
	}
	clear(m.blocks[:n])
	return m
}

func keepMemory(m pages) {
	if len(m.blocks) > maxReused {
		m.free()
		return
	}
	spare.mu.Lock()
	defer spare.mu.Unlock()
	spare.list = append(spare.list, m)
}

// freeMemory gives back what is spare.
func freeMemory() {
	spare.mu.Lock()
	defer spare.mu.Unlock()
	for _, m := range spare.list {
		m.free()
	}
	spare.list = nil
}

// firstBlocks fills the first two blocks of each lane (RFC 9106, section 3.2,
// steps 3 and 4).
func firstBlocks(b []block, seed *[seedBytes]byte, memory, threads uint32) {
	var text [1024]byte
	for lane := range threads {
		binary.LittleEndian.PutUint32(seed[blake2b.Size+4:], lane)
		for column := range uint32(2) {
			binary.LittleEndian.PutUint32(seed[blake2b.Size:], column)
			blake2bHash(text[:], seed[:])
			to := &b[lane*(memory/threads)+column]
			for i := range to {
				to[i] = binary.LittleEndian.Uint64(text[i*8:])
			}
		}
	}
}
