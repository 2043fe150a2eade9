package provider_test

import (
	"context"
	"testing"
	"time"

	"gatehouse/internal/factor/oauth/provider/providertest"
)

// TestSecurity55WhoLeavesKeepsNobodyOut: a look at an issuer's document is for
// everybody. Whoever asks for one and leaves, again and again, must not be able
// to keep it from coming until the old one is over.
func TestSecurity55WhoLeavesKeepsNobodyOut(t *testing.T) {
	w := newWorld(t)
	p, c := find(t, providertest.OpenID), w.Credentials(providertest.OpenID)
	if _, err := w.service.AuthorizationURL(t.Context(), p, c, request()); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(25 * time.Hour)
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, _ = w.service.AuthorizationURL(gone, p, c, request())
	if _, err := w.service.AuthorizationURL(t.Context(), p, c, request()); err != nil {
		t.Errorf("who comes next: %v", err)
	}
}
