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

// serveBaseline is H: the least a JSON API on net/http can do.
func serveBaseline(address string) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	type answer struct {
		StatusCode int    `json:"status_code"`
		RequestID  string `json:"request_id"`
	}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(answer{200, "request-id-test-0194f0a2-7c1e-7abc-8def-0123456789ab"}) // the client is the bench
		}),
	}
	fmt.Fprintln(os.Stderr, server.Serve(listener))
	os.Exit(1)
}
