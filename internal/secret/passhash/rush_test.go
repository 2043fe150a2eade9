package passhash

import (
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestARushBeginsWithTheFirstHashAndEndsAfterTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns []bool
		r := rush{turn: func(on bool) { turns = append(turns, on) }}
		check := func(when string, want ...bool) {
			t.Helper()
			synctest.Wait()
			r.mu.Lock()
			defer r.mu.Unlock()
			if !slices.Equal(turns, want) {
				t.Errorf("%s: turned %v, want %v", when, turns, want)
			}
		}
		r.run(func() { check("in the first hash", true) })
		time.Sleep(calm - 1)
		check("soon after it", true)
		r.run(func() { time.Sleep(2 * calm); check("in a long one", true) })
		time.Sleep(calm - 1)
		check("soon after the long one", true)
		r.begin()
		r.run(func() {})
		time.Sleep(2 * calm)
		check("while one of two still runs", true)
		r.over() // a timer that fired as the hash began
		check("after a late timer", true)
		r.leave()
		time.Sleep(calm - 1)
		check("soon after both", true)
		time.Sleep(1)
		check("in the calm", true, false)
		r.run(func() { check("in the next rush", true, false, true) })
		time.Sleep(calm)
		check("in the next calm", true, false, true, false)
	})
}

// Every hash is part of a rush, which gives it a P beside those of the cores and
// memory that is kept for the next one.
func TestHashesHaveRoomWhileTheyRun(t *testing.T) {
	q := newQueue(Limits{Concurrent: 3}.withDefaults())
	var inside, after int
	turn := q.rush.turn
	var heard []bool
	WhileHashing(func(on bool) { heard = append(heard, on) })
	defer WhileHashing(func(bool) {})
	q.rush.turn = func(on bool) {
		turn(on)
		if inside = runtime.GOMAXPROCS(0); !on {
			after = inside
		}
	}
	if err := q.do(t.Context(), func() { keepMemory(takeMemory(8)) }); err != nil {
		t.Fatal(err)
	}
	if inside != cores+3 || len(spare.list) == 0 {
		t.Errorf("GOMAXPROCS is %d in a hash with %d cores, and %d blocks of memory are kept", inside, cores, len(spare.list))
	}
	q.rush.end.Stop()
	q.rush.over()
	if after != cores || len(spare.list) != 0 {
		t.Errorf("GOMAXPROCS is %d in the calm with %d cores, and %d blocks of memory are kept", after, cores, len(spare.list))
	}
	if !slices.Equal(heard, []bool{true, false}) {
		t.Errorf("heard %v", heard)
	}
}
