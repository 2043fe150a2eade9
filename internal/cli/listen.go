package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

// interruptible returns a context that ends when the process is asked to stop.
// The second time it is asked, the process ends at once.
func interruptible() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}

// listen opens one address.
func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, listenError(address, err)
	}
	return l, nil
}

func listenError(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("the address %s is taken by another program: stop that one, or choose another address with --listen", address)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("this user may not listen on %s: ports below 1024 need more rights, so choose a higher one with --listen", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("this machine has no address %s: choose one of its own with --listen, or :PORT for all of them", address)
	}
	var why *net.OpError
	if errors.As(err, &why) {
		err = why.Err
	}
	return fmt.Errorf("cannot listen on %q: %w. Write --listen as HOST:PORT, for example 127.0.0.1:8080", address, err)
}

// freePorts is how often a free port is asked for before its twin on the other
// loopback address is free as well.
const freePorts = 20

// listenLocal opens an address and both loopback addresses at the same port:
// whatever a browser takes localhost for, it arrives here and nowhere else.
func listenLocal(address string) (listeners []net.Listener, port int, err error) {
	host, wanted, err := net.SplitHostPort(address)
	if err != nil {
		return nil, 0, listenError(address, err)
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	for attempt := 1; ; attempt++ {
		listeners, err = listenTwins(host, wanted)
		if err == nil {
			return listeners, portOf(listeners[0]), nil
		}
		if wanted != "0" || attempt == freePorts {
			return nil, 0, err
		}
	}
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func listenTwins(host, port string) ([]net.Listener, error) {
	first, err := listen(net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	listeners := []net.Listener{first}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		return listeners, nil // hears everything already
	}
	for _, twin := range []string{"127.0.0.1", "::1"} {
		if twin == host {
			continue
		}
		address := net.JoinHostPort(twin, strconv.Itoa(portOf(first)))
		l, err := net.Listen("tcp", address)
		switch {
		case err == nil:
			listeners = append(listeners, l)
		case errors.Is(err, syscall.EADDRINUSE):
			for _, l := range listeners {
				_ = l.Close()
			}
			return nil, listenError(address, err)
		}
		// Otherwise the machine has no such address, and no browser will try it.
	}
	return listeners, nil
}
