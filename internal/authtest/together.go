package authtest

import (
	"sync"

	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Together makes n calls at once and counts their error_types; "" is success.
func Together(n int, call func(i int) *Answer) map[string]int {
	var mu sync.Mutex
	var wait sync.WaitGroup
	outcomes := map[string]int{}
	for i := range n {
		wait.Go(func() {
			outcome, _ := call(i).Body["error_type"].(string)
			mu.Lock()
			outcomes[outcome]++
			mu.Unlock()
		})
	}
	wait.Wait()
	return outcomes
}

// Failures is how many failures in a row the database knows of a user.
func (s *Server) Failures(userID string) int {
	s.t.Helper()
	var n int
	err := s.DB.View(s.t.Context(), func(tx *store.Tx) error {
		row, err := user.Get(tx, s.Env, userID)
		if err == nil {
			n = row.FailedAttempts
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}
