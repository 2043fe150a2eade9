package wallet_test

import (
	"net/http"
	"strings"
	"testing"

	"gatehouse/internal/authtest"
)

func TestSandbox(t *testing.T) {
	const (
		address   = "0x6df2dB4Fb3DA35d241901Bd53367770BF03123f1"
		signature = "0x0c4f82edc3c818b6beff4b89e0682994e5878074609903cecdfb"
		userID    = "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"
	)
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		wallet := body{"crypto_wallet_type": "ethereum", "crypto_wallet_address": address}
		signed := body{"crypto_wallet_type": "ethereum", "crypto_wallet_address": address, "signature": signature, "session_duration_minutes": 60}
		if a := s.Call(http.MethodPost, start, wallet).OK(); a.String("user_id") != userID || a.Get("user_created") != false || !plain.MatchString(a.String("challenge")) {
			t.Errorf("answered %s", a.Text)
		}
		in := s.Call(http.MethodPost, authenticate, signed).OK()
		if in.String("user_id") != userID || in.String("session_token") != "WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY" ||
			in.String("session", "authentication_factors", 0, "crypto_wallet_factor", "crypto_wallet_address") != address ||
			in.String("user", "crypto_wallets", 0, "crypto_wallet_address") != address {
			t.Errorf("signed in: %s", in.Text)
		}
		s.Call(http.MethodPost, authenticate, body{"crypto_wallet_type": "ethereum", "crypto_wallet_address": address, "signature": signature[:50]}).Refused(401, "unable_to_authenticate_crypto_wallet")
		s.Call(http.MethodPost, start, body{"crypto_wallet_type": "ethereum", "crypto_wallet_address": address, "siwe_params": body{"domain": "x y"}}).Refused(400, "invalid_siwe_domain")
		if a := s.Call(http.MethodPost, start, body{"crypto_wallet_type": "ethereum", "crypto_wallet_address": address, "siwe_params": body{"domain": "localhost", "uri": "http://localhost"}}).OK(); !strings.Contains(a.String("challenge"), address) {
			t.Errorf("answered %s", a.Text)
		}
		live, page := s.LiveServer(), s.Browser()
		for _, path := range []string{start, authenticate} {
			live.Call(http.MethodPost, path, signed).Refused(400, "invalid_ethereum_address")
		}
		page.Call(http.MethodPost, "/sdk"+start+"/primary", signed).Refused(400, "invalid_ethereum_address")
		page.Call(http.MethodPost, "/sdk"+authenticate, signed).Refused(400, "invalid_ethereum_address")
		if n := count(t, s, "SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM wallet_challenges)"); n != 0 {
			t.Errorf("%d rows are left behind", n)
		}
	})
}
