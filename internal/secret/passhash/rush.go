package passhash

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// rush is on from the first hash until nobody has hashed for a while. Only then
// there are Ps and memory for hashes: more Ps than cores make requests wait for
// each other's threads (docs/decisions/0053-password-hashes-beside-requests.md).
type rush struct {
	turn func(on bool)

	mu      sync.Mutex
	running int
	on      bool
	end     *time.Timer
}

// calm is how long nobody must have hashed for a rush to be over. Its beginning
// and its end each stop the process for a moment.
const calm = 5 * time.Second

// cores is GOMAXPROCS as the process began: the cores it may use.
var cores = runtime.GOMAXPROCS(0)

var told atomic.Pointer[func(on bool)]

// WhileHashing has f told when a rush of hashes begins, and when none has run
// for some seconds.
func WhileHashing(f func(on bool)) { told.Store(&f) }

// run runs one hash.
func (r *rush) run(hash func()) {
	r.begin()
	defer r.leave()
	hash()
}

func (r *rush) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running++
	r.set(true)
}

func (r *rush) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running--; r.running > 0 {
		return
	}
	if r.end == nil {
		r.end = time.AfterFunc(calm, r.over)
	} else {
		r.end.Reset(calm)
	}
}

// over ends the rush, unless a hash has begun since the timer fired.
func (r *rush) over() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == 0 {
		r.set(false)
	}
}

// set switches the rush on or off.
func (r *rush) set(on bool) {
	if r.on != on {
		r.on = on
		r.turn(on)
	}
}

// room makes and takes the Ps and the memory for so many hashes at once. A hash
// that runs holds its P for milliseconds at a time; with as many others as there
// are cores, no request waits for it.
func room(hashes int) func(on bool) {
	return func(on bool) {
		if on {
			runtime.GOMAXPROCS(cores + hashes)
		} else {
			runtime.GOMAXPROCS(cores)
			freeMemory()
		}
		if f := told.Load(); f != nil {
			(*f)(on)
		}
	}
}
