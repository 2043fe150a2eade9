package totp_test

import (
	"sync"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// together makes n calls at once and counts their error_types; "" is success.
func together(n int, call func(i int) *authtest.Answer) map[string]int {
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

// failures is how many failures in a row the database knows of a user.
func failures(t *testing.T, s *authtest.Server, userID string) int {
	t.Helper()
	var n int
	err := s.DB.View(t.Context(), func(tx *store.Tx) error {
		row, err := user.Get(tx, s.Env, userID)
		if err == nil {
			n = row.FailedAttempts
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
