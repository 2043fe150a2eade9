package smtptest

import (
	"errors"
	"sync/atomic"

	"github.com/emersion/go-smtp"
)

// Stage is a point of the conversation.
type Stage int

// The stages.
const (
	Hello     Stage = iota // the client introduces itself; the value is its name
	Auth                   // somebody has authenticated; the value is the username
	From                   // MAIL FROM; the value is the address
	Recipient              // RCPT TO; the value is the address
	Data                   // part of the message has come; no value
)

// Reply says what the server does at a stage: nil goes on.
type Reply func(value string) error

// On sets what the server does at a stage from now on; nil goes on.
func (s *Server) On(stage Stage, r Reply) {
	s.changed.L.Lock()
	defer s.changed.L.Unlock()
	s.replies[stage] = r
}

// Refuse answers with a code such as 550, an extended code such as 5, 1, 1, and
// a text.
func Refuse(code int, extended [3]int, text string) Reply {
	return func(string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: extended, Message: text}
	}
}

var (
	errDrop = errors.New("dropped")
	errHang = errors.New("hangs")
)

// Drop ends the connection without a word.
func Drop() Reply { return func(string) error { return errDrop } }

// Hang answers nothing until the test ends.
func Hang() Reply { return func(string) error { return errHang } }

// Once does something the first time only, and then goes on.
func Once(r Reply) Reply {
	var used atomic.Bool
	return func(value string) error {
		if used.Swap(true) {
			return nil
		}
		return r(value)
	}
}

func (s *Server) reply(c *smtp.Conn, stage Stage, value string) error {
	s.changed.L.Lock()
	r := s.replies[stage]
	s.changed.L.Unlock()
	if r == nil {
		return nil
	}
	err := r(value)
	switch {
	case errors.Is(err, errHang):
		<-s.done
		return errDrop
	case errors.Is(err, errDrop):
		c.Conn().Close()
	}
	return err
}
