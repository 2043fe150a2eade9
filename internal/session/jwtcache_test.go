package session

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Whatever is remembered, what is alive of it stays within two generations, and
// the latest is always there.
func TestRememberedJWTsAreBoundedInBytes(t *testing.T) {
	const capacity = 100_000
	c := newJWTCache(capacity)
	alive := func(generation map[string]*signedJWT) (n int) {
		for _, entry := range generation {
			n += entry.size()
		}
		return n
	}
	signed := time.UnixMilli(1_700_000_000_000)
	for i := range 5000 {
		name := fmt.Sprint("session-", i%700)
		entry := &signedJWT{key: jwtKey{session: int64(i)}, token: strings.Repeat("x", 100+i*7919%9000), roles: make([]string, i%40), signedAt: signed}
		c.set(name, entry)
		if got := c.get(name, entry.key, signed.Add(-time.Second)); got != entry {
			t.Fatalf("%s is not remembered", name)
		}
		other := fmt.Sprint("session-", i*31%700)
		if entry := c.old[other]; entry != nil && c.get(other, entry.key, signed.Add(-time.Second)) != entry {
			t.Fatalf("%s is there and not found", other)
		}
		young, old := alive(c.young), alive(c.old)
		if young != c.bytes || young > capacity || old > capacity {
			t.Fatalf("after %d there are %d and %d bytes alive, and %d are counted", i, young, old, c.bytes)
		}
		if i%3 == 0 {
			c.forget(name)
			if c.get(name, entry.key, signed.Add(-time.Second)) != nil {
				t.Fatalf("%s is remembered after all", name)
			}
		}
	}
}

// A session that is used stays, however many others come and go.
func TestBusySessionsStayRemembered(t *testing.T) {
	c := newJWTCache(50_000)
	signed := time.UnixMilli(1_700_000_000_000)
	busy := &signedJWT{token: strings.Repeat("x", 800), signedAt: signed}
	c.set("busy", busy)
	for i := range 1000 {
		c.set(fmt.Sprint("other-", i), &signedJWT{token: strings.Repeat("x", 800), signedAt: signed})
		if i%20 == 0 && c.get("busy", jwtKey{}, signed.Add(-time.Second)) != busy {
			t.Fatalf("forgotten after %d others", i)
		}
	}
}
