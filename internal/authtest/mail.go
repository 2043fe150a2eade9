package authtest

import (
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/mailbox"
)

// Messages sends what waits to be sent and returns the messages that one
// recipient has in the mailbox of the test environment, newest first.
func (s *Server) Messages(to string) []delivery.Envelope {
	s.t.Helper()
	if err := s.Outbox.Drain(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	list, err := s.Mailbox.List(s.t.Context(), s.Env.ID, mailbox.Filter{To: to})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// Mail is the newest of Messages; the test fails when there is none.
func (s *Server) Mail(to string) delivery.Envelope {
	s.t.Helper()
	list := s.Messages(to)
	if len(list) == 0 {
		s.t.Fatalf("nothing was sent to %s", to)
	}
	return list[0]
}
