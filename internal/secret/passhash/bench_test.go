package passhash

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"
)

// BenchmarkHash compares a new hash with the bare primitive at the same cost.
func BenchmarkHash(b *testing.B) {
	salt := make([]byte, newSaltBytes)
	b.Run("primitive", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			argon2.IDKey([]byte("password"), salt, Default.Iterations, Default.MemoryKiB, Default.Parallelism, newHashBytes)
		}
	})
	b.Run("hasher", func(b *testing.B) {
		b.ReportAllocs()
		h := New(Limits{})
		for b.Loop() {
			if _, err := h.Hash(b.Context(), "password", Default); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRequestsBesideHashes measures cheap requests over 16 connections,
// alone and while 64 logins hash: the p99 may grow to ten times the idle one,
// or to 25 ms. Run it on one core, as servers do:
//
//	taskset -c 0 go test -run xxx -bench Beside -benchtime 20000x ./internal/secret/passhash
func BenchmarkRequestsBesideHashes(b *testing.B) {
	for _, logins := range []int{0, 64} {
		b.Run(fmt.Sprintf("logins=%d", logins), func(b *testing.B) {
			h := New(Limits{Waiting: logins, Patience: time.Hour})
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
			defer server.Close()
			ctx, stop := context.WithCancel(b.Context())
			var busy sync.WaitGroup
			for range logins {
				busy.Go(func() {
					for h.Dummy(ctx, "password", Default) == nil {
					}
				})
			}
			took := requests(b, server.URL, 16, b.N)
			stop()
			busy.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		})
	}
}

// requests sends n requests over so many connections and returns how long each took.
func requests(b *testing.B, url string, connections, n int) []time.Duration {
	took := make([]time.Duration, n)
	var next atomic.Int64
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				begin := time.Now()
				answer, err := client.Get(url)
				if err != nil {
					b.Error(err)
					return
				}
				_ = answer.Body.Close()
				took[i-1] = time.Since(begin)
			}
		})
	}
	all.Wait()
	return took
}
