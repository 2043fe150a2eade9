//go:build unix

package passhash

import (
	"syscall"
	"unsafe"
)

// pages are blocks and the memory of the system that they lie in. On the Go heap
// they would count as in use, and the collector let as much garbage again lie
// about.
type pages struct {
	blocks []block
	raw    []byte
}

// takePages takes n blocks of zeros from the system, or from the heap where that
// refuses.
func takePages(n uint32) pages {
	raw, err := syscall.Mmap(-1, 0, int(n)*int(unsafe.Sizeof(block{})), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return pages{blocks: make([]block, n)}
	}
	return pages{unsafe.Slice((*block)(unsafe.Pointer(unsafe.SliceData(raw))), n), raw}
}

// free gives them back. Nobody may look at the blocks any more.
func (p pages) free() {
	if p.raw != nil {
		_ = syscall.Munmap(p.raw) // it was mapped by takePages, whole
	}
}
