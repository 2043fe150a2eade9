package authtest

import (
	"slices"
	"testing"
	"time"
)

// Took is how long f takes, by the machine's clock: for tests of what an attacker
// could measure.
func Took(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

// SameTime fails the test unless each of the calls takes at most ratio times as
// long as any other. They are made in turn, so that what else the machine does
// slows all alike, and judged by the fastest of each, since whatever disturbs one
// only makes it slower. While they are apart, another round adds samples: of what
// leaks, no number brings the fastest together. Each call is told its turn, and
// prepare, which is not measured, goes before each turn. The race detector
// multiplies what is computed and not what is waited for, so under it there is
// nothing to learn.
func SameTime(t *testing.T, ratio float64, prepare func(turn int), calls ...func(turn int)) {
	t.Helper()
	if raceDetector {
		t.Skip("the race detector changes what takes how long")
	}
	const rounds, samples = 12, 30
	fastest := make([]time.Duration, len(calls))
	for turn := range rounds * samples {
		prepare(turn)
		for n := range calls {
			i := (turn + n) % len(calls) // what comes after prepare may find less at hand
			if took := Took(func() { calls[i](turn) }); turn == 0 || took < fastest[i] {
				fastest[i] = took
			}
		}
		if turn%samples == samples-1 && float64(slices.Max(fastest)) < ratio*float64(slices.Min(fastest)) {
			return
		}
	}
	t.Errorf("the fastest answers took %v", fastest)
}
