package lite

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// The library's page cache allocates a little more than 4096 bytes for each page,
// and the allocator behind it rounds up to powers of two: a cache would take more
// than twice the memory that it is allowed. Pages are cut from blocks here
// instead, to their size. What a cache gives back is kept for the next one.
const (
	smallestPage = 4096 + 1
	largestPage  = 4096 + 280 // 4368 now
	// header is the size of an allocation, in front of it, as the library's own
	// allocator has it: by that the two know theirs.
	header = 8
	slot   = header + largestPage
	// block is what the operating system is asked for at a time: 28 slots fill,
	// with the allocator's own data, 30 of its pages.
	block = 28 * slot
)

// pages are the slots of pages, of all connections.
var pages struct {
	sync.Mutex
	free   uintptr // the first, each of which begins with the address of the next
	blocks int     // how many there are, for tests
}

// general is the library's own allocator, for everything else.
var general sqlite3.Tsqlite3_mem_methods

// usePages makes the library allocate pages here. It does nothing, which costs
// memory only, where the library is already in use: the driver of database/sql,
// which migrations go through, must not be the first to open a database, nor do it
// at the same moment. Xsqlite3_malloc would put the library in use, too.
var usePages = sync.OnceFunc(func() {
	tls := libc.NewTLS()
	defer tls.Close()
	const methods = unsafe.Sizeof(general)
	list := libc.Xmalloc(tls, 16)
	mine := libc.Xmalloc(tls, libc.Tsize_t(methods))
	if list == 0 || mine == 0 {
		return
	}
	defer libc.Xfree(tls, list)
	defer libc.Xfree(tls, mine)
	if sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_GETMALLOC, libc.VaList(list, mine)) != sqlite3.SQLITE_OK {
		return
	}
	general = *(*sqlite3.Tsqlite3_mem_methods)(at(mine))
	changed := general
	changed.FxMalloc, changed.FxFree, changed.FxRealloc = function(allocate), function(release), function(resize)
	*(*sqlite3.Tsqlite3_mem_methods)(at(mine)) = changed
	sqlite3.Xsqlite3_config(tls, sqlite3.SQLITE_CONFIG_MALLOC, libc.VaList(list, mine))
})

// function is how the translated library refers to a function of a package.
func function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// called is the inverse.
func called[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

func isPage(size int64) bool { return smallestPage <= size && size <= largestPage }

func sizeOf(p uintptr) int64 { return *(*int64)(at(p - header)) }

func allocate(tls *libc.TLS, size int32) uintptr {
	if !isPage(int64(size)) {
		return called[func(*libc.TLS, int32) uintptr](general.FxMalloc)(tls, size)
	}
	pages.Lock()
	defer pages.Unlock()
	if pages.free == 0 {
		first := libc.Xmalloc(tls, block)
		if first == 0 {
			return 0
		}
		pages.blocks++
		for p := first; p < first+block; p += slot {
			*(*uintptr)(at(p)) = pages.free
			pages.free = p
		}
	}
	p := pages.free
	pages.free = *(*uintptr)(at(p))
	*(*int64)(at(p)) = int64(size)
	return p + header
}

func release(tls *libc.TLS, p uintptr) {
	if !isPage(sizeOf(p)) {
		called[func(*libc.TLS, uintptr)](general.FxFree)(tls, p)
		return
	}
	pages.Lock()
	defer pages.Unlock()
	*(*uintptr)(at(p - header)) = pages.free
	pages.free = p - header
}

func resize(tls *libc.TLS, p uintptr, size int32) uintptr {
	if !isPage(sizeOf(p)) && !isPage(int64(size)) {
		return called[func(*libc.TLS, uintptr, int32) uintptr](general.FxRealloc)(tls, p, size)
	}
	moved := allocate(tls, size)
	if moved != 0 {
		libc.Xmemcpy(tls, moved, p, libc.Tsize_t(min(sizeOf(p), int64(size))))
		release(tls, p)
	}
	return moved
}
