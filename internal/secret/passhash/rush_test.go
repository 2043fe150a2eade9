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
		r := rush{switchTo: func(on bool) { turns = append(turns, on) }}
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
		<-time.After(calm - 1)
		check("soon after it", true)
		r.run(func() { <-time.After(2 * calm); check("in a long one", true) })
		<-time.After(calm - 1)
		check("soon after the long one", true)
		r.begin()
		r.run(func() {})
		<-time.After(2 * calm)
		check("while one of two still runs", true)
		r.over() // a timer that fired as the hash began
		check("after a late timer", true)
		r.leave()
		<-time.After(calm - 1)
		check("soon after both", true)
		<-time.After(1)
		check("in the calm", true, false)
		r.run(func() { check("in the next rush", true, false, true) })
		<-time.After(calm)
		check("in the next calm", true, false, true, false)
	})
}

// Every hash of every Hasher is part of one rush, which gives it a P beside those
// that requests have.
func TestHashesOfAllHashersHaveRoomUntilTheLast(t *testing.T) {
	calmDown()
	r := &rush{switchTo: (&room{}).switchTo}
	defer WhileHashing(func(bool) {})
	var heard []bool
	WhileHashing(func(on bool) { heard = append(heard, on) })
	one, other := newQueue(Limits{Concurrent: 1}.withDefaults(), r), newQueue(Limits{Concurrent: 1}.withDefaults(), r)
	before := runtime.GOMAXPROCS(0)
	_ = one.do(t.Context(), func() {
		_ = other.do(t.Context(), func() {})
		r.over()
		if got := runtime.GOMAXPROCS(0); got != before+cores {
			t.Errorf("GOMAXPROCS is %d in a hash, want %d", got, before+cores)
		}
	})
	r.end.Stop()
	r.over()
	if got := runtime.GOMAXPROCS(0); got != before || !slices.Equal(heard, []bool{true, false}) {
		t.Errorf("GOMAXPROCS is %d in the calm, want %d, and heard was %v", got, before, heard)
	}
}

func TestHashersShareTheRushOfTheProcess(t *testing.T) {
	if a, b := New(Limits{}), New(Limits{Concurrent: 3}); a.queue.rush != &ofProcess || b.queue.rush != &ofProcess {
		t.Error("a Hasher has a rush of its own")
	}
}

// calmDown ends the rush of the tests before.
func calmDown() {
	ofProcess.mu.Lock()
	defer ofProcess.mu.Unlock()
	if ofProcess.end != nil {
		ofProcess.end.Stop()
	}
	ofProcess.set(false)
}
