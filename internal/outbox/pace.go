package outbox

import (
	"math"
	"runtime"
	"time"
)

// While requests come in, jobs begin at a pace that leaves them most of every
// core; while none do, as fast as the workers can. Which of the two it is is
// looked at again with each beat.
const (
	beat = 25 * time.Millisecond
	// perBeat is how many jobs begin in a beat beside requests, for each core:
	// 1,000 a second at most. What is late is not caught up on, so a core that has more
	// to do than it can gets fewer.
	perBeat = 25
	// calmBelow is how many requests in a beat nobody makes way for: about a
	// hundred a second.
	calmBelow = 3
)

// pace says how many jobs may begin. It is the runner's own.
type pace struct {
	requests func() int64 // how many have come so far; nil: jobs are all there is

	left int              // how many jobs may begin until the next beat
	next <-chan time.Time // the next beat; nil at rest
	seen int64            // how many requests had come when this beat began
}

func newPace(requests func() int64) pace {
	if requests == nil {
		requests = func() int64 { return 0 }
	}
	p := pace{requests: requests}
	p.rest()
	return p
}

// rest ends the beats. The next jobs to come begin at once, those of one beat.
func (p *pace) rest() { p.next, p.left = nil, share() }

// share is how many jobs may begin in a beat beside requests.
func share() int { return perBeat * cores }

// cores is GOMAXPROCS as the process began. It is more at times, since password
// hashes make room for themselves (package passhash).
var cores = runtime.GOMAXPROCS(0)

// began notes that jobs have begun, with which the beats begin.
func (p *pace) began(n int) {
	p.left -= n
	if n > 0 && p.next == nil {
		p.arm()
	}
}

func (p *pace) arm() { p.seen, p.next = p.requests(), time.After(beat) }

// turn begins the next beat.
func (p *pace) turn() {
	p.left = share()
	if p.requests()-p.seen < calmBelow {
		p.left = math.MaxInt
	}
	p.arm()
}

// spent reports that nothing more may begin before the next beat.
func (p *pace) spent() bool { return p.left <= 0 }
