package jwks

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"gatehouse/internal/outbound"
)

// The memory of addresses is bounded, and the one in use is not what goes.
func TestAddressesAreForgotten(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	out := outbound.New(outbound.Policy{}) // refuses them all, so that nothing is called
	c := New(out, func() time.Time { return now })
	for i := range 3 * maxURLs {
		now = now.Add(time.Second)
		for _, url := range []string{"https://127.0.0.1/used", fmt.Sprintf("https://127.0.0.1/%d", i)} {
			if _, err := c.keys(t.Context(), url, nil); !errors.Is(err, ErrUnavailable) {
				t.Fatal(err)
			}
		}
	}
	if len(c.sets) > maxURLs || c.sets["https://127.0.0.1/used"] == nil {
		t.Errorf("%d addresses are remembered", len(c.sets))
	}
}
