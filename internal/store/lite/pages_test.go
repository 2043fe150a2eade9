package lite

import (
	"path/filepath"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
)

// The library's pages come from here: if their size is another one day, this
// tells.
func TestPagesAreCutToSize(t *testing.T) {
	before := used()
	c, err := Open(filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"CREATE TABLE t (x BLOB)", "INSERT INTO t VALUES (zeroblob(400000))"} {
		if err := c.Run(text); err != nil {
			t.Error(err)
		}
	}
	if n := used() - before; n < 50 { // the library itself allocates the first few of a cache together
		t.Errorf("%d slots for about 100 pages", n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if n := used(); n > before {
		t.Errorf("%d slots were not given back", n-before)
	}
}

func TestAllocationsKeepWhatIsInThem(t *testing.T) {
	usePages()
	tls := libc.NewTLS()
	defer tls.Close()
	sizes := []int32{8, smallestPage - 1, smallestPage, largestPage, largestPage + 1, 70_000, largestPage, 16, 4368}
	p := allocate(tls, sizes[0])
	fill(p, sizes[0])
	for i, size := range sizes[1:] {
		p = resize(tls, p, size)
		for j, b := range bytesAt(p, min(sizes[i], size)) {
			if b != byte(j) {
				t.Fatalf("from %d to %d bytes: byte %d is %d", sizes[i], size, j, b)
			}
		}
		if sizeOf(p) < int64(size) {
			t.Errorf("%d bytes have the size %d", size, sizeOf(p))
		}
		fill(p, size)
	}
	release(tls, p)
}

func TestPagesAreNobodyElses(t *testing.T) {
	usePages()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			tls := libc.NewTLS()
			defer tls.Close()
			for range 200 {
				var mine [40]uintptr
				for i := range mine {
					mine[i] = allocate(tls, largestPage)
					*(*uintptr)(at(mine[i])) = mine[i]
				}
				for _, p := range mine {
					if *(*uintptr)(at(p)) != p {
						t.Error("two have one page")
					}
					release(tls, p)
				}
			}
		})
	}
	wait.Wait()
}

// used is how many slots are in use.
func used() int {
	pages.Lock()
	defer pages.Unlock()
	n := pages.blocks * block / slot
	for p := pages.free; p != 0; p = *(*uintptr)(at(p)) {
		n--
	}
	return n
}

func bytesAt(p uintptr, size int32) []byte { return unsafe.Slice((*byte)(at(p)), size) }

func fill(p uintptr, size int32) {
	for i := range bytesAt(p, size) {
		bytesAt(p, size)[i] = byte(i)
	}
}
