package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// baselineCommand makes this program the yardstick H instead of the bench.
const baselineCommand = "baseline-server"

// serveBaseline is H: the least a JSON API on net/http can do. It decodes a
// small body and encodes a small answer.
func serveBaseline(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	all, err := primitives()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	type question struct {
		Token string `json:"session_token"`
	}
	type answer struct {
		StatusCode int    `json:"status_code"`
		RequestID  string `json:"request_id"`
	}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet { // the bench asks whether it is up, or for a primitive
				servePrimitive(all, w, r)
				return
			}
			var q question
			if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Token == "" {
				http.Error(w, "bad request", http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer{200, "request-id-test-0194f0a2-7c1e-7abc-8def-0123456789ab"}) // the client is the bench
		}),
	}
	fmt.Fprintln(os.Stderr, server.Serve(listener))
	os.Exit(1)
}
