package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// connection speaks just enough HTTP/1.1 to load a server from one core: it
// sends prepared bytes and reads answers with a Content-Length.
type connection struct {
	conn net.Conn
	in   *bufio.Reader
	body []byte

	location string // of the last answer, "" without one
}

func dial(address string) (*connection, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{conn: conn, in: bufio.NewReaderSize(conn, 16<<10)}, nil
}

// do sends one request and returns the status and the body, which is valid
// until the next call.
func (c *connection) do(request []byte) (int, []byte, error) {
	if _, err := c.conn.Write(request); err != nil {
		return 0, nil, err
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 {
		return 0, nil, fmt.Errorf("not an HTTP answer: %q", line)
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, nil, err
	}
	length := -1
	c.location = ""
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		if len(line) <= 2 {
			break
		}
		switch name, value, _ := bytes.Cut(line, []byte(":")); {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, nil, err
			}
		case bytes.EqualFold(name, []byte("Location")):
			c.location = string(bytes.TrimSpace(value))
		}
	}
	if length < 0 {
		return 0, nil, fmt.Errorf("the answer has no Content-Length")
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	_, err = io.ReadFull(c.in, c.body)
	return status, c.body, err
}

// request prepares the bytes of an HTTP request.
func request(method, path, authorization, body string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path)
	if authorization != "" {
		fmt.Fprintf(&b, "Authorization: Basic %s\r\n", authorization)
	}
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.WriteString(body)
	return b.Bytes()
}

// work is one connection's job: it does one operation, perhaps of several
// requests. n counts the operations of this connection.
type work func(c *connection, worker, n int) error

// measured is what a load found out.
type measured struct {
	Rate float64 // operations per second
	P99  time.Duration
}

// load runs work on some connections for a while and a bit before, so that
// caches are as warm as they get.
func load(ctx context.Context, address string, connections int, d time.Duration, w work) (measured, error) {
	warm := time.Now().Add(d / 5)
	end := warm.Add(d)
	times := make([][]time.Duration, connections)
	err := connected(ctx, address, connections, func(ctx context.Context, c *connection, i int) error {
		for n := 0; ctx.Err() == nil; n++ {
			start := time.Now()
			if start.After(end) {
				break
			}
			if err := w(c, i, n); err != nil {
				return err
			}
			if start.After(warm) {
				times[i] = append(times[i], time.Since(start))
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return measured{}, err
	}
	return summary(times, d)
}

// times runs work a number of times, shared among some connections, for what
// cannot be done again and again: n counts the operations of all of them.
func times(ctx context.Context, address string, connections, total int, w work) (measured, error) {
	var next atomic.Int64
	took := make([][]time.Duration, connections)
	begin := time.Now()
	err := connected(ctx, address, connections, func(ctx context.Context, c *connection, i int) error {
		for n := int(next.Add(1)) - 1; n < total && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
			start := time.Now()
			if err := w(c, i, n); err != nil {
				return err
			}
			took[i] = append(took[i], time.Since(start))
		}
		return ctx.Err()
	})
	if err != nil {
		return measured{}, err
	}
	return summary(took, time.Since(begin))
}

// connected calls f with each of some connections at once, and ends them all
// when one fails.
func connected(ctx context.Context, address string, connections int, f func(ctx context.Context, c *connection, i int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wait sync.WaitGroup
	defer wait.Wait()
	for i := range connections {
		c, err := dial(address)
		if err != nil {
			stop(err)
			return err
		}
		wait.Go(func() {
			defer func() { _ = c.conn.Close() }() // the measurement is over
			if err := f(ctx, c, i); err != nil {
				stop(err)
			}
		})
	}
	wait.Wait()
	return context.Cause(ctx)
}

// summary is what the operations of all connections say that finished within d.
func summary(times [][]time.Duration, d time.Duration) (measured, error) {
	all := slices.Concat(times...)
	if len(all) == 0 {
		return measured{}, fmt.Errorf("nothing finished in %v", d)
	}
	slices.Sort(all)
	return measured{Rate: float64(len(all)) / d.Seconds(), P99: all[len(all)*99/100]}, nil
}

// expect is the work of sending requests that must answer 200, or what else is
// allowed.
func expect(requests func(worker, n int) []byte, allowed ...int) work {
	return func(c *connection, worker, n int) error {
		status, body, err := c.do(requests(worker, n))
		if err == nil && status != 200 && !slices.Contains(allowed, status) {
			err = fmt.Errorf("answered %d: %.300s", status, body)
		}
		return err
	}
}
