package bundle

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func sum(i int) [sha1.Size]byte { return sha1.Sum([]byte(fmt.Sprint("password ", i))) }

// lines are the hashes of some passwords, as a list has them.
func lines(n int) []string {
	list := make([]string, n)
	for i := range list {
		h := sum(i)
		list[i] = strings.ToUpper(hex.EncodeToString(h[:])) + fmt.Sprint(":", i+1)
	}
	return list
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// run imports a list and opens what comes out.
func run(t testing.TB, im Import) (*Bundle, Result) {
	t.Helper()
	im.Into, im.Now = filepath.Join(t.TempDir(), "b"), noon
	r, err := im.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(im.Into)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b, r
}

func has(t testing.TB, b *Bundle, n int) {
	t.Helper()
	for i := range n {
		if ok, err := b.Has(sum(i)); !ok || err != nil {
			t.Fatalf("password %d: %v, %v", i, ok, err)
		}
		if ok, err := b.Has(sum(n + 1 + i)); ok || err != nil {
			t.Fatalf("password %d, which is not in it: %v, %v", n+1+i, ok, err)
		}
	}
	if err := b.Verify(); err != nil {
		t.Error(err)
	}
}

func TestListsOfEveryForm(t *testing.T) {
	const n = 3000
	all := lines(n)
	alone := make([]string, n)
	for i, l := range all {
		alone[i] = strings.ToLower(l[:40])
	}
	var packed bytes.Buffer
	for _, half := range [][]string{sorted(all)[:n/2], sorted(all)[n/2:]} { // several members are one file
		z := gzip.NewWriter(&packed)
		fmt.Fprintln(z, strings.Join(half, "\n"))
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, im := range map[string]Import{
		"sorted":               {From: strings.NewReader(strings.Join(sorted(all), "\r\n"))},
		"sorted, streamed":     {From: strings.NewReader(strings.Join(sorted(all), "\n") + "\n"), maxUnsorted: 100},
		"unsorted":             {From: strings.NewReader(strings.Join(all, "\n"))},
		"unsorted, just":       {From: strings.NewReader(strings.Join(all, "\n")), maxUnsorted: n},
		"hashes alone":         {From: strings.NewReader(strings.Join(alone, "\n"))},
		"gzip":                 {From: &packed, maxUnsorted: 100},
		"twice":                {From: strings.NewReader(strings.Join(append(slices.Clone(all), all...), "\n"))},
		"twice, streamed":      {From: strings.NewReader(strings.Join(sorted(append(slices.Clone(all), all...)), "\n")), maxUnsorted: 100},
		"blank lines, padding": {From: strings.NewReader("\n \r\n" + strings.Join(all, " \n\n") + "\n\n" + strings.Repeat("A", 40) + ":0\n")},
	} {
		t.Run(name, func(t *testing.T) {
			b, r := run(t, im)
			has(t, b, n)
			if r.Hashes != n || b.Hashes() != n || r.Bytes != headerSize+n*hashSize+indexSize || r.Incomplete || !b.Created().Equal(noon) {
				t.Errorf("%+v, created %s", r, b.Created())
			}
		})
	}
}

func TestTheEndsOfTheOrder(t *testing.T) {
	first, last := [sha1.Size]byte{}, [sha1.Size]byte(bytes.Repeat([]byte{0xff}, sha1.Size))
	b, r := run(t, Import{From: strings.NewReader(fmt.Sprintf("%x\n%x\n", last, first))})
	for _, h := range [][sha1.Size]byte{first, last} {
		if ok, err := b.Has(h); !ok || err != nil {
			t.Errorf("%x: %v, %v", h, ok, err)
		}
	}
	near := first
	near[9] = 1 // the last byte that is kept
	if ok, err := b.Has(near); ok || err != nil || r.Hashes != 2 {
		t.Errorf("%v, %v, %+v", ok, err, r)
	}
}

func TestWhatIsNoListIsRefused(t *testing.T) {
	const canary = "zqcanaryqz"
	good := lines(3)[0]
	many := lines(200)
	var cut bytes.Buffer
	z := gzip.NewWriter(&cut)
	fmt.Fprintln(z, strings.Join(sorted(lines(1000)), "\n"))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	swapped := sorted(many)
	swapped[150], swapped[151] = swapped[151], swapped[150]
	for name, x := range map[string]struct{ list, want string }{
		"nothing":               {"", "there is no hash in the list"},
		"padding alone":         {good[:40] + ":0", "there is no hash in the list"},
		"passwords":             {good + "\n" + canary + "\n", "line 2: it is not a SHA-1"},
		"passwords and counts":  {canary + ":12", "line 1: it is not a SHA-1"},
		"NTLM":                  {good + "\n\n" + strings.Repeat("a", 32) + ":3", "line 3: it has 32 hexadecimal digits, as NTLM"},
		"SHA-256":               {strings.Repeat("a", 64), "line 1: it is not a SHA-1"},
		"a range":               {good[5:], "line 1: it is not a SHA-1"},
		"no hex":                {"g" + good[1:], "line 1: it is not a SHA-1"},
		"no count":              {good[:40] + ":", "line 1: it is not a SHA-1"},
		"a bad count":           {good[:40] + ":1 2", "line 1: it is not a SHA-1"},
		"a minus":               {good[:40] + ":-1", "line 1: it is not a SHA-1"},
		"another separator":     {good[:40] + ";1", "line 1: it is not a SHA-1"},
		"a long line":           {good + "\n" + strings.Repeat("0", 1<<20), "line 2: it is not a SHA-1"},
		"cut off":               {good + "\n" + good[:30], "line 2: it is not a SHA-1"},
		"UTF-16":                {"\xff\xfe5\x00B\x00A\x00A\x00", "line 1: it is not a SHA-1"},
		"zip":                   {"PK\x03\x04" + canary, "line 1: it is not a SHA-1"},
		"almost gzip":           {"\x1f\x8b" + canary, "the list begins as gzip does, and is not"},
		"gzip cut off":          {cut.String()[:cut.Len()/2], "reading on failed, so the list may be incomplete"},
		"gzip without its end":  {cut.String()[:cut.Len()-4], "reading on failed, so the list may be incomplete"},
		"unsorted and large":    {strings.Join(many, "\n"), "LC_ALL=C sort -u LIST > SORTED"},
		"unsorted after a time": {strings.Join(swapped, "\n"), "the list is not sorted (line 152 is out of order) and has more than 100 hashes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			into := filepath.Join(dir, "b")
			if err := os.WriteFile(into, []byte("as it was"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Import{From: strings.NewReader(x.list), Into: into, Now: noon, maxUnsorted: 100}.Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), canary) {
				t.Errorf("the error is %v, want %q", err, x.want)
			}
			unchanged(t, dir, into)
		})
	}
}

// unchanged checks that a failed import has left nothing behind.
func unchanged(t *testing.T, dir, into string) {
	t.Helper()
	text, err := os.ReadFile(into)
	files, ferr := os.ReadDir(dir)
	if string(text) != "as it was" || len(files) != 1 || err != nil || ferr != nil {
		t.Errorf("%q and %d files are left, %v, %v", text, len(files), err, ferr)
	}
}

// failing is a list whose reading fails, or whose reader leaves, after a while.
type failing struct {
	list io.Reader
	then func() error
}

func (f failing) Read(b []byte) (int, error) {
	n, err := f.list.Read(b)
	if err == io.EOF {
		err = f.then()
	}
	return n, err
}

// stream writes a large sorted list without holding it.
func stream(n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		buf := make([]byte, 0, 1<<16)
		for i := range n {
			var k [20]byte
			binary.BigEndian.PutUint64(k[:], uint64(i)*(math.MaxUint64/uint64(n)))
			buf = append(hex.AppendEncode(buf, k[:]), ":1\n"...)
			if len(buf) > 1<<16-100 || i == n-1 {
				if _, err := w.Write(buf); err != nil {
					return
				}
				buf = buf[:0]
			}
		}
		_ = w.Close()
	}()
	return r
}

func TestALargeListIsStreamed(t *testing.T) {
	var said []int64
	b, r := run(t, Import{From: stream(complete + 100), maxUnsorted: 1000, Progress: func(n int64) { said = append(said, n) }})
	if r.Hashes != complete+100 || r.Incomplete || len(said) != complete/progressEvery || said[1] != 2*progressEvery {
		t.Errorf("%+v, progress %v", r, said)
	}
	if err := b.Verify(); err != nil {
		t.Error(err)
	}
	// Half of a larger list is noticed.
	half := io.LimitReader(stream(2*complete), 43*complete)
	if _, r := run(t, Import{From: half, maxUnsorted: 1000}); r.Hashes != complete || !r.Incomplete {
		t.Errorf("half a list: %+v", r)
	}
}

func TestAnImportThatIsInterrupted(t *testing.T) {
	dir := t.TempDir()
	into := filepath.Join(dir, "b")
	if err := os.WriteFile(into, []byte("as it was"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Import{From: stream(2 * progressEvery), Into: into}).Run(ctx); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Error(err)
	}
	unchanged(t, dir, into)
	broken := errors.New("the disk is gone")
	list := failing{strings.NewReader(strings.Join(lines(10), "\n") + "\n"), func() error { return broken }}
	if _, err := (Import{From: list, Into: into}).Run(t.Context()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "line 11") {
		t.Error(err)
	}
	unchanged(t, dir, into)
}

func TestABucketHasABound(t *testing.T) {
	var list []byte
	for i := range maxBucket + 1 {
		var k [20]byte
		binary.BigEndian.PutUint32(k[4:], uint32(i))
		list = append(hex.AppendEncode(list, k[:]), '\n')
	}
	_, err := Import{From: bytes.NewReader(list), Into: filepath.Join(t.TempDir(), "b"), maxUnsorted: 10}.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "hashes begin with 0000: this is not a list of SHA-1") {
		t.Error(err)
	}
}

// example is a small bundle as bytes.
func example(t testing.TB) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "b")
	if _, err := (Import{From: strings.NewReader(strings.Join(lines(50), "\n")), Into: path, Now: noon}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// judge opens bytes that may be damaged: whatever is answered is right.
func judge(t testing.TB, text []byte) (opened bool) {
	t.Helper()
	b, err := read(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return false
	}
	for i := range 100 {
		ok, err := b.Has(sum(i))
		if err == nil && ok != (i < 50) {
			t.Errorf("password %d: %v", i, ok)
		}
	}
	return true
}

func TestDamageIsNoAnswer(t *testing.T) {
	whole := example(t)
	if !judge(t, whole) {
		t.Fatal("a sound bundle is refused")
	}
	for _, n := range []int{0, 1, 7, headerSize - 1, headerSize, headerSize + 8, len(whole) / 2, len(whole) - 1} {
		if judge(t, whole[:n]) {
			t.Errorf("the first %d bytes are taken for a bundle", n)
		}
	}
	if judge(t, append(slices.Clone(whole), 0)) {
		t.Error("a byte more is taken for a bundle")
	}
	chance := rand.New(rand.NewPCG(1, 2))
	inHashes := func(at int) bool { return at >= headerSize && at < headerSize+50*hashSize }
	for at := 0; at < len(whole); {
		was := whole[at]
		whole[at] ^= 1 << chance.IntN(8)
		if judge(t, whole) != inHashes(at) {
			t.Errorf("damage at %d of %d: opened %v", at, len(whole), !inHashes(at))
		}
		if b, err := read(bytes.NewReader(whole), int64(len(whole))); inHashes(at) && (err != nil || !errors.Is(b.Verify(), ErrDamaged)) {
			t.Errorf("damage at %d is not found by reading everything", at)
		}
		whole[at] = was
		switch {
		case at < headerSize:
			at++
		case at < headerSize+50*hashSize:
			at += 1 + chance.IntN(2*hashSize)
		default: // the index is large
			at += 1 + chance.IntN(indexSize/20)
		}
	}
}

// An index that lies is refused even when its checksums are right.
func TestAnIndexThatLies(t *testing.T) {
	for name, lie := range map[string]func(h *header, index []byte){
		"begins late":       func(_ *header, index []byte) { binary.BigEndian.PutUint64(index, 1) },
		"goes back":         func(_ *header, index []byte) { binary.BigEndian.PutUint64(index[9*bucketEntry:], 49) },
		"ends behind":       func(_ *header, index []byte) { binary.BigEndian.PutUint64(index[(buckets-1)*bucketEntry:], 51) },
		"is negative":       func(_ *header, index []byte) { binary.BigEndian.PutUint64(index[9*bucketEntry:], 1<<63) },
		"has a huge number": func(h *header, _ []byte) { h.hashes = maxHashes + 1 },
		"is negative too":   func(h *header, _ []byte) { h.hashes = -1 },
	} {
		text := example(t)
		index := text[len(text)-indexSize:]
		h, err := parseHeader(text[:headerSize])
		if err != nil {
			t.Fatal(err)
		}
		lie(&h, index)
		h.index = checksum(index)
		copy(text, h.bytes())
		if judge(t, text) {
			t.Errorf("an index that %s is taken", name)
		}
	}
	text := example(t)
	binary.BigEndian.PutUint32(text[8:], version+1)
	binary.BigEndian.PutUint32(text[headerSize-4:], checksum(text[:headerSize-4]))
	if _, err := read(bytes.NewReader(text), int64(len(text))); err != errNewer {
		t.Errorf("a newer version: %v", err)
	}
}

func FuzzBundle(f *testing.F) {
	whole := example(f)
	f.Add(uint32(0), byte(0), uint32(0))
	f.Add(uint32(3), byte(1), uint32(0))
	f.Add(uint32(70), byte(128), uint32(1))
	f.Add(uint32(len(whole)-1), byte(1), uint32(len(whole)-10))
	f.Fuzz(func(t *testing.T, at uint32, flip byte, cut uint32) {
		text := slices.Clone(whole)
		text[int(at)%len(text)] ^= flip
		judge(t, text[:len(text)-int(cut)%len(text)])
		// The header with its checksum put right, so that what it says is read.
		copy(text, whole)
		text[int(at)%(headerSize-4)] ^= flip
		binary.BigEndian.PutUint32(text[headerSize-4:], checksum(text[:headerSize-4]))
		judge(t, text)
	})
}

func FuzzImport(f *testing.F) {
	for _, seed := range []string{"", strings.Join(lines(3), "\n"), lines(1)[0][:40] + "\r\n", strings.Repeat("0", 40) + ":0", "\x1f\x8b", ":", "\x00"} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, list []byte) {
		for line := range bytes.Lines(list) {
			k, counts, err := parseLine(line)
			if err != nil && (counts || k != key{}) || counts && len(bytes.TrimSpace(line)) < 40 {
				t.Errorf("%q: %x, %v, %v", line, k, counts, err)
			}
		}
		in := Import{From: bytes.NewReader(list), Into: filepath.Join(dir, fmt.Sprint("b", os.Getpid())), maxUnsorted: 2}
		r, err := in.Run(t.Context())
		if err != nil {
			return
		}
		b, err := Open(in.Into)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if err := b.Verify(); err != nil || b.Hashes() != r.Hashes || r.Hashes == 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
