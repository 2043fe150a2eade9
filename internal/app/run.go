package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// configPoll is how often a node looks for changed configuration.
const configPoll = 250 * time.Millisecond

// Run serves on the listeners until ctx ends, then lets requests under way
// finish. It also does the background work.
func (a *App) Run(ctx context.Context, listeners ...net.Listener) error {
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(a.Logger.Handler(), slog.LevelDebug),
	}
	if a.options.Server.TLSCert != "" {
		cert, err := tls.LoadX509KeyPair(a.options.Server.TLSCert, a.options.Server.TLSKey)
		if err != nil {
			return fmt.Errorf("loading the TLS certificate: %w", err)
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
		for i, l := range listeners {
			listeners[i] = tls.NewListener(l, server.TLSConfig)
		}
	}
	stopMetrics, err := a.serveMetrics()
	if err != nil {
		return err
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	changed := make(chan struct{}, 1)
	background.Go(func() { a.watchConfig(work, changed) })
	background.Go(func() { a.prepareKeys(work, changed) })
	background.Go(func() { a.work(work) })
	background.Go(func() { a.logRefusals(work) })
	silent := &silentConns{conns: map[net.Conn]bool{}}
	server.ConnState = silent.track
	served := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { served <- server.Serve(l) }()
	}
	err = a.wait(ctx, server, silent, served)
	stop()
	background.Wait()
	return errors.Join(err, stopMetrics())
}

func (a *App) wait(ctx context.Context, server *http.Server, silent *silentConns, served <-chan error) error {
	var cause error
	select {
	case err := <-served:
		return err
	case cause = <-a.broken:
		a.Logger.Error("the database can no longer be trusted, stopping", "error", cause)
	case <-ctx.Done():
		a.leave()
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.options.Server.DrainTimeout)
	defer cancel()
	defer time.AfterFunc(silentGrace, silent.close).Stop()
	if err := server.Shutdown(drain); err != nil {
		cause = errors.Join(cause, fmt.Errorf("some requests did not finish in time: %w", err), server.Close())
	}
	return cause
}

// leave tells load balancers, through /readyz, and clients, by closing each
// connection behind its next answer, that this server is going away, and goes
// on serving while they look elsewhere.
func (a *App) leave() {
	a.leaving.Store(true)
	if delay := a.options.Server.DrainDelay; delay > 0 {
		a.Logger.Info("stopping", "delay", delay)
		<-time.After(delay)
	}
}

// ServeHTTP implements http.Handler.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.leaving.Load() {
		w.Header().Set("Connection", "close")
	}
	if a.tracing != nil {
		r = a.tracing.extract(r)
	}
	a.Server.ServeHTTP(w, r)
}

// watchConfig picks up what other processes change in the configuration, and
// says so without waiting for anybody.
func (a *App) watchConfig(ctx context.Context, changed chan<- struct{}) {
	seen := a.Projects.Version()
	every(ctx, configPoll, func() {
		if err := a.Projects.Refresh(ctx); err != nil && ctx.Err() == nil {
			a.Logger.Error("reading the configuration failed", "error", err)
		}
		if v := a.Projects.Version(); v != seen {
			seen = v
			select {
			case changed <- struct{}{}:
			default: // somebody is about to look anyway
			}
		}
	})
}

// prepareKeys makes missing signing keys before someone waits for them: at the
// start, and when an environment was added or chose another algorithm.
func (a *App) prepareKeys(ctx context.Context, changed <-chan struct{}) {
	for {
		for _, env := range a.Projects.Environments() {
			if err := a.Sessions.EnsureKey(ctx, env); err != nil && ctx.Err() == nil {
				a.Logger.Error("making a signing key failed", "project_id", env.ID, "error", err)
			}
		}
		// Starting, and making a key, takes more memory than serving; it goes
		// back now rather than when the scavenger gets to it.
		debug.FreeOSMemory()
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// every calls f at once and then at each tick until ctx ends.
func every(ctx context.Context, interval time.Duration, f func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		f()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
