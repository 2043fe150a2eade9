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
	switchTo func(on bool)

	mu      sync.Mutex
	running int
	on      bool
	end     *time.Timer
}

// calm is how long nobody must have hashed for a rush to be over. Its beginning
// and its end each stop the process for a moment.
const calm = 5 * time.Second

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

// over ends the rush, unless a hash runs that began as the timer fired.
func (r *rush) over() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == 0 {
		r.set(false)
	}
}

func (r *rush) set(on bool) {
	if r.on != on {
		r.on = on
		r.switchTo(on)
	}
}

// ofProcess is the rush of all Hashers.
var ofProcess = rush{switchTo: (&room{}).switchTo}

// cores is GOMAXPROCS as the process began: the cores it may use.
var cores = runtime.GOMAXPROCS(0)

var listener atomic.Pointer[func(on bool)]

// WhileHashing has f, and nobody else, told when a rush of hashes begins, and when
// none has run for some seconds. A login waits while f runs, so it must be quick,
// and must not hash.
func WhileHashing(f func(on bool)) { listener.Store(&f) }

// room is the Ps and the memory that hashes have in a rush. A hash that runs holds
// its P for milliseconds at a time; with as many others as before, no request
// waits for it.
type room struct {
	before int // GOMAXPROCS outside of the rush
}

func (r *room) switchTo(on bool) {
	if on {
		r.before = runtime.GOMAXPROCS(0)
		runtime.GOMAXPROCS(r.before + cores)
	} else {
		runtime.GOMAXPROCS(r.before)
		freeMemory()
	}
	if f := listener.Load(); f != nil {
		(*f)(on)
	}
}
