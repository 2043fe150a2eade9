// Package ratelimit owns counters per rule: how often something may happen in
// a window of time. There are two kinds. [Local] counts in the memory of one
// process and costs no write: it guards doors. [Take] counts in the database,
// exactly and for all processes: it guards what costs money or can be guessed.
//
// Windows are fixed and begin at whole multiples of their length since
// 1970-01-01T00:00:00Z ("top of the hour"), as behaviour.md, section 16, says.
// What is counted is named by a [Key], which is a hash: nothing a caller
// writes ends up in the database or decides how much memory is used. The
// package never learns who a key stands for, and never reads a clock but the
// one it is given.
package ratelimit

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/store"
)

var errTooMany = apierr.New(429, "too_many_requests", "Too many requests. Wait a moment and try again.")

// Rule is a limit. A rule whose limit is 0 refuses nothing.
type Rule struct {
	Name  string        // as operators and messages name it: "sdk webauthn/authenticate"
	Limit int           // how often per window
	Per   time.Duration // length of a window
}

// end returns when the window ends that now is in.
func (r Rule) end(now time.Time) time.Time {
	per := max(r.Per.Milliseconds(), 1)
	return store.Time((store.Millis(now)/per + 1) * per)
}

// Refused is the error for a caller who must wait. Its message is for people who
// sign in; its details name the rule for those who run the server.
func (r Rule) Refused(retryAfter time.Duration) *apierr.Error {
	return errTooMany.
		WithMessage("Too many requests. Try again in %s.", seconds(retryAfter)).
		WithDetails(map[string]any{"rule": r.Name, "rate": r.rate()}).
		WithRetryAfter(retryAfter)
}

func (r Rule) rate() string {
	switch r.Per {
	case time.Second:
		return fmt.Sprintf("%d per second", r.Limit)
	case time.Minute:
		return fmt.Sprintf("%d per minute", r.Limit)
	case time.Hour:
		return fmt.Sprintf("%d per hour", r.Limit)
	case 24 * time.Hour:
		return fmt.Sprintf("%d per day", r.Limit)
	}
	return fmt.Sprintf("%d per %v", r.Limit, r.Per)
}

// seconds is a wait as Retry-After says it: whole seconds, rounded up.
func seconds(d time.Duration) string {
	if n := int64((d + time.Second - 1) / time.Second); n != 1 {
		return fmt.Sprintf("%d seconds", n)
	}
	return "1 second"
}

// Key names what a rule counts.
type Key [sha256.Size]byte

// Of is the key of an identifier in its canonical form (a lower-case address,
// an E.164 number, an id), or of several that count together. Different lists
// of parts never share a key. Nothing else a caller sends belongs in it: what
// can be varied freely resets the count.
func Of(parts ...string) Key {
	h := sha256.New()
	for _, p := range parts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(p)))
		h.Write(length[:])
		h.Write([]byte(p))
	}
	return Key(h.Sum(nil))
}

// Network is what stands for a client's address in a key: an IPv4 address
// itself, however it is written, but all of an IPv6 address's /64, for that is
// the least that one customer of a provider gets, and they choose freely in it.
func Network(ip netip.Addr) netip.Prefix {
	ip = ip.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(ip, bits).Masked()
}

// Take counts one against a rule for a key in an environment, in the caller's
// transaction. When the limit is reached it counts nothing, and says how long
// the window still lasts. What was taken comes back when the transaction does
// not commit: a guess that must count though it fails is committed by
// store.Keep.
func Take(tx *store.Tx, r Rule, environmentID string, key Key) (ok bool, retryAfter time.Duration, err error) {
	if r.Limit <= 0 {
		return true, 0, nil
	}
	end, err := take(tx, r, environmentID, key)
	if err != nil || end.IsZero() {
		return err == nil, 0, err
	}
	return false, max(end.Sub(tx.Now), time.Millisecond), nil
}

// Spend is Take that returns the refusal.
func Spend(tx *store.Tx, r Rule, environmentID string, key Key) error {
	ok, retryAfter, err := Take(tx, r, environmentID, key)
	if err == nil && !ok {
		err = r.Refused(retryAfter)
	}
	return err
}

// Purge removes up to budget counters whose window is over.
func Purge(tx *store.Tx, budget int) (int64, error) { return purge(tx, budget) }
