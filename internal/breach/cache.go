package breach

import (
	"container/list"
	"time"
)

const (
	maxRanges     = 1024
	maxRangeBytes = 8 << 20
	rangeLife     = 6 * time.Hour // breaches are added a few times a month
	rangeOverhead = 200           // bytes that an entry takes beside its hashes
)

// cache keeps the ranges that were used last, within a number and a size. Its
// owner locks it.
type cache struct {
	byPrefix map[string]*list.Element
	used     *list.List // of *ranged, the last used first
	bytes    int
}

type ranged struct {
	prefix string
	tails  []uint64
	until  time.Time
}

func (r *ranged) size() int { return 8*cap(r.tails) + rangeOverhead }

func newCache() *cache { return &cache{byPrefix: map[string]*list.Element{}, used: list.New()} }

func (c *cache) get(prefix string, now time.Time) ([]uint64, bool) {
	e := c.byPrefix[prefix]
	if e == nil {
		return nil, false
	}
	r := entry(e)
	if !now.Before(r.until) {
		c.remove(e)
		return nil, false
	}
	c.used.MoveToFront(e)
	return r.tails, true
}

func (c *cache) put(prefix string, tails []uint64, now time.Time) {
	if e := c.byPrefix[prefix]; e != nil {
		c.remove(e)
	}
	r := &ranged{prefix: prefix, tails: tails, until: now.Add(rangeLife)}
	c.byPrefix[prefix] = c.used.PushFront(r)
	c.bytes += r.size()
	for len(c.byPrefix) > maxRanges || c.bytes > maxRangeBytes {
		c.remove(c.used.Back())
	}
}

func (c *cache) remove(e *list.Element) {
	r := entry(e)
	c.used.Remove(e)
	delete(c.byPrefix, r.prefix)
	c.bytes -= r.size()
}

func entry(e *list.Element) *ranged { return e.Value.(*ranged) }
