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
	alive := func() (n int) {
		for _, generation := range []map[string]*signedJWT{c.young, c.old} {
			for _, entry := range generation {
				n += entry.size()
			}
		}
		return n
	}
	signed := time.Now()
	for i := range 5000 {
		name := fmt.Sprint("session-", i%700)
		entry := &signedJWT{key: jwtKey{session: int64(i)}, token: strings.Repeat("x", 100+i*7919%9000), signedAt: signed}
		c.set(name, entry)
		if got := c.get(name, entry.key, signed.Add(-time.Second)); got != entry {
			t.Fatalf("%s is not remembered", name)
		}
		if n := alive(); n > 2*capacity {
			t.Fatalf("after %d there are %d bytes alive", i, n)
		}
		if i%3 == 0 {
			c.forget(name)
			if c.get(name, entry.key, signed.Add(-time.Second)) != nil {
				t.Fatalf("%s is remembered after all", name)
			}
		}
	}
	total := 0
	for _, entry := range c.young {
		total += entry.size()
	}
	if total != c.bytes {
		t.Errorf("%d bytes are counted and %d are there", c.bytes, total)
	}
}

// A session that is used stays, however many others come and go.
func TestBusySessionsStayRemembered(t *testing.T) {
	c := newJWTCache(50_000)
	signed := time.Now()
	busy := &signedJWT{token: strings.Repeat("x", 800), signedAt: signed}
	c.set("busy", busy)
	for i := range 1000 {
		c.set(fmt.Sprint("other-", i), &signedJWT{token: strings.Repeat("x", 800), signedAt: signed})
		if i%20 == 0 && c.get("busy", jwtKey{}, signed.Add(-time.Second)) != busy {
			t.Fatalf("forgotten after %d others", i)
		}
	}
}
