//go:build !unix

package passhash

// pages are blocks, on the Go heap.
type pages struct{ blocks []block }

func takePages(n uint32) pages { return pages{make([]block, n)} }

func (pages) free() {}
