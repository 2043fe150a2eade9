package smtp

import (
	"io"
	"net"
	"net/textproto"
	"strings"
	"testing"
)

// BenchmarkSend hands messages to a sink on this machine, which says yes to
// everything and looks at nothing.
func BenchmarkSend(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go sink(textproto.NewConn(conn))
		}
	}()
	s := open(b, Config{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port, Security: None, From: "login@example.com"})
	b.ResetTimer()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Send(b.Context(), envelope()); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
}

func sink(c *textproto.Conn) {
	defer c.Close()
	err := c.PrintfLine("220 sink")
	for err == nil {
		var command string
		if command, err = c.ReadLine(); err != nil {
			return
		}
		switch {
		case strings.HasPrefix(command, "EHLO"):
			err = c.PrintfLine("250-sink\r\n250 8BITMIME")
		case command == "DATA":
			if err = c.PrintfLine("354 go"); err == nil {
				_, _ = io.Copy(io.Discard, c.DotReader()) // the next command shows what went wrong
				err = c.PrintfLine("250 ok")
			}
		default:
			err = c.PrintfLine("250 ok")
		}
	}
}
