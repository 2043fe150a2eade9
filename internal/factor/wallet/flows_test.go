package wallet_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"

	"gatehouse/internal/authtest"
	"gatehouse/internal/store"
)

type body = map[string]any

const (
	start        = "/v1/crypto_wallets/authenticate/start"
	authenticate = "/v1/crypto_wallets/authenticate"
)

var hour = body{"session_duration_minutes": 60}

// holder is somebody with a wallet, as an app on their phone is.
type holder struct {
	chain, address string
	sign           func(message string) string
}

func keccak(text string) []byte {
	h := sha3.NewLegacyKeccak256()
	h.Write([]byte(text))
	return h.Sum(nil)
}

// onEthereum is the holder of an Ethereum key. The address is in lower case, as
// some wallets give it.
func onEthereum(seed int) *holder {
	key := secp256k1.PrivKeyFromBytes([]byte{1, byte(seed >> 8), byte(seed)})
	return &holder{
		chain: "ethereum", address: "0x" + hex.EncodeToString(keccak(string(key.PubKey().SerializeUncompressed()[1:]))[12:]),
		sign: func(message string) string {
			s := ecdsa.SignCompact(key, keccak(fmt.Sprintf("\x19Ethereum Signed Message:\n%d%s", len(message), message)), false)
			return "0x" + hex.EncodeToString(append(s[1:], s[0]))
		},
	}
}

// onSolana is the holder of a Solana key.
func onSolana(seed int) *holder {
	secret := make([]byte, ed25519.SeedSize)
	secret[0], secret[1] = byte(seed>>8), byte(seed)
	key := ed25519.NewKeyFromSeed(secret)
	return &holder{
		chain: "solana", address: base58(key.Public().(ed25519.PublicKey)),
		sign: func(message string) string { return base58(ed25519.Sign(key, []byte(message))) },
	}
}

func base58(raw []byte) string {
	const digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	out := ""
	for n := new(big.Int).SetBytes(raw); n.Sign() > 0; {
		digit := new(big.Int)
		n.DivMod(n, big.NewInt(58), digit)
		out = digits[digit.Int64():digit.Int64()+1] + out
	}
	for _, b := range raw {
		if b != 0 {
			break
		}
		out = "1" + out
	}
	return out
}

func (h *holder) fields(more body) body {
	all := body{"crypto_wallet_type": h.chain, "crypto_wallet_address": h.address}
	maps.Copy(all, more)
	return all
}

// signed are the fields that finish with a message.
func (h *holder) signed(message string, more body) body {
	all := h.fields(more)
	all["signature"] = h.sign(message)
	return all
}

// signIn does both halves through the server's door.
func signIn(s *authtest.Server, h *holder, more body) *authtest.Answer {
	message := s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
	return s.Call(http.MethodPost, authenticate, h.signed(message, more))
}

func count(t *testing.T, s *authtest.Server, query string, args ...any) int64 {
	t.Helper()
	var n int64
	err := s.DB.View(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query, args...).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var plain = regexp.MustCompile(`^Signing in with Project: Acme [A-Za-z0-9_-]{80}$`)

func TestSignUpAndInByWallet(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for i, h := range []*holder{onEthereum(1), onSolana(1)} {
			made := s.Clock.Now()
			a := s.Call(http.MethodPost, start, h.fields(nil)).OK()
			s.Clock.Advance(time.Minute)
			if a.Get("user_created") != true || !plain.MatchString(a.String("challenge")) {
				t.Errorf("answered %s", a.Text)
			}
			if n := count(t, s, "SELECT count(*) FROM users"); n != int64(i) {
				t.Errorf("%d users are there before anything is proven", n)
			}
			again := s.Call(http.MethodPost, start, h.fields(nil)).OK()
			if again.String("user_id") != a.String("user_id") || again.Get("user_created") != true || again.String("challenge") == a.String("challenge") {
				t.Errorf("answered %s, then %s", a.Text, again.Text)
			}
			s.Call(http.MethodPost, authenticate, h.signed(a.String("challenge"), hour)).Refused(401, "unable_to_authenticate_crypto_wallet")
			in := s.Call(http.MethodPost, authenticate, h.signed(again.String("challenge"), hour)).OK()
			if in.String("user_id") != a.String("user_id") || in.Get("siwe_params") != nil || in.String("user", "created_at") != made.UTC().Format("2006-01-02T15:04:05.000Z") {
				t.Errorf("signed in: %s", in.Text)
			}
			held := in.Get("user", "crypto_wallets", 0).(map[string]any)
			if held["verified"] != true || held["crypto_wallet_type"] != h.chain || !strings.EqualFold(held["crypto_wallet_address"].(string), h.address) || len(in.Get("user", "emails").([]any)) != 0 {
				t.Errorf("the user is %s", in.Text)
			}
			factor := in.Get("session", "authentication_factors", 0).(map[string]any)
			object, _ := factor["crypto_wallet_factor"].(map[string]any)
			if factor["type"] != "crypto" || factor["delivery_method"] != "crypto_wallet" || object["crypto_wallet_id"] != held["crypto_wallet_id"] ||
				object["crypto_wallet_address"] != held["crypto_wallet_address"] || object["crypto_wallet_type"] != h.chain {
				t.Errorf("the factor is %v", factor)
			}
			back := s.Call(http.MethodPost, start, h.fields(nil)).OK()
			if back.Get("user_created") != false || back.String("user_id") != in.String("user_id") {
				t.Errorf("the second time: %s", back.Text)
			}
			if in := s.Call(http.MethodPost, authenticate, h.signed(back.String("challenge"), nil)).OK(); in.Get("session") != nil || in.String("user_id") != a.String("user_id") {
				t.Errorf("without a duration: %s", in.Text)
			}
		}
	})
}

// One address in several spellings is one wallet, shown with its checksum.
func TestSpellingsAreOneWallet(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		h := onEthereum(1)
		first := signIn(s, h, nil).OK()
		shown := first.String("user", "crypto_wallets", 0, "crypto_wallet_address")
		for _, spelling := range []string{shown, strings.ToUpper(h.address[2:])} {
			other := *h
			other.address = "0x" + strings.TrimPrefix(spelling, "0x")
			message := s.Call(http.MethodPost, start, other.fields(nil)).OK().String("challenge")
			if in := s.Call(http.MethodPost, authenticate, h.signed(message, nil)).OK(); in.String("user_id") != first.String("user_id") {
				t.Errorf("%s is another user", spelling)
			}
		}
		at := strings.IndexAny(shown[2:], "abcdef") + 2
		for _, path := range []string{start, authenticate} {
			s.Call(http.MethodPost, path, body{
				"crypto_wallet_type": "ethereum", "crypto_wallet_address": shown[:at] + strings.ToUpper(shown[at:at+1]) + shown[at+1:], "signature": "0x00",
			}).Refused(400, "invalid_ethereum_address")
		}
	})
}

func TestMalformedRequests(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		eth, sol := onEthereum(1), onSolana(1)
		for _, path := range []string{start, authenticate} {
			for _, try := range []struct {
				chain, address, verdict string
			}{
				{"bitcoin", eth.address, "invalid_wallet_type"}, {"ethereum", sol.address, "invalid_ethereum_address"},
				{"solana", eth.address, "invalid_solana_address"}, {"solana", sol.address[:len(sol.address)-2], "invalid_solana_address"},
				{"ethereum", eth.address[:41], "invalid_ethereum_address"},
			} {
				s.Call(http.MethodPost, path, body{"crypto_wallet_type": try.chain, "crypto_wallet_address": try.address, "signature": "x"}).Refused(400, try.verdict)
			}
			s.Call(http.MethodPost, path, body{}).Refused(400, "bad_request")
		}
		for _, h := range []*holder{eth, sol} {
			message := s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
			good := h.sign(message)
			for _, bad := range []string{"", "0x", "x", good + "00", good[:len(good)-2], good[:10], " " + good, good + "é", "0x" + strings.Repeat("zz", 65)} {
				s.Call(http.MethodPost, authenticate, h.fields(body{"signature": bad})).Refused(400, "invalid_signature")
			}
			s.Call(http.MethodPost, authenticate, h.fields(body{"signature": good})).OK() // nothing of it used the message up
		}
		s.Call(http.MethodPost, start, eth.fields(body{"user_id": "x y"})).Refused(400, "invalid_user_id")
		s.Call(http.MethodPost, start, eth.fields(body{"user_id": "nobody"})).Refused(404, "user_not_found")
		s.Call(http.MethodPost, start, eth.fields(body{"user_id": "a", "session_token": "b"})).Refused(400, "bad_request")
	})
}

func TestSignInWithEthereum(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		h := onEthereum(1)
		params := body{
			"domain": "app.example.com", "uri": "https://app.example.com/login", "chain_id": "10", "statement": "I accept the Terms.", "issued_at": "2026-01-01T00:00:00Z",
			"message_request_id": "request-1", "resources": []string{"https://example.com/tos", "ipfs://abc"},
		}
		a := s.Call(http.MethodPost, start, h.fields(body{"siwe_params": params})).OK()
		message := a.String("challenge")
		want := regexp.MustCompile(`^app\.example\.com wants you to sign in with your Ethereum account:\n0x[0-9A-Fa-f]{40}\n\nI accept the Terms\.\n\n` +
			`URI: https://app\.example\.com/login\nVersion: 1\nChain ID: 10\nNonce: [A-Za-z0-9]{26}\nIssued At: 2026-01-01T00:00:00\.000Z\nExpiration Time: (\S+)\nNot Before: (\S+)\n` +
			`Request ID: request-1\nResources:\n- https://example\.com/tos\n- ipfs://abc$`)
		parts := want.FindStringSubmatch(message)
		if parts == nil {
			t.Fatalf("the message is\n%s", message)
		}
		now := s.Clock.Now().UTC()
		const form = "2006-01-02T15:04:05.000Z"
		if parts[1] != now.Add(5*time.Minute).Format(form) || parts[2] != now.Format(form) {
			t.Errorf("it is valid from %s to %s", parts[2], parts[1])
		}
		in := s.Call(http.MethodPost, authenticate, h.signed(message, hour)).OK()
		said := in.Get("siwe_params").(map[string]any)
		if said["domain"] != "app.example.com" || said["uri"] != "https://app.example.com/login" || said["chain_id"] != "10" || said["issued_at"] != "2026-01-01T00:00:00.000Z" ||
			said["message_request_id"] != "request-1" || len(said["resources"].([]any)) != 2 || said["request_id"] != in.String("request_id") || said["status_code"] != 200.0 {
			t.Errorf("answered %s", in.Text)
		}
		a = s.Call(http.MethodPost, start, h.fields(body{"siwe_params": body{"domain": "localhost", "uri": "http://localhost"}})).OK()
		if message = a.String("challenge"); !strings.Contains(message, "\n\n\nURI: http://localhost\nVersion: 1\nChain ID: 1\n") || strings.Contains(message, "Resources") || strings.Contains(message, "Request ID") {
			t.Errorf("the message is\n%s", message)
		}
		if in = s.Call(http.MethodPost, authenticate, h.signed(message, nil)).OK(); len(in.Get("siwe_params", "resources").([]any)) != 0 {
			t.Errorf("answered %s", in.Text)
		}
		if a.Get("user_created") != false {
			t.Errorf("answered %s", a.Text)
		}
		for verdict, bad := range map[string]body{
			"invalid_siwe_domain": {"uri": "https://x.example"}, "invalid_siwe_uri": {"domain": "x.example"},
			"invalid_siwe_chain_id":           {"domain": "x.example", "uri": "https://x.example", "chain_id": "9223372036854775772"},
			"invalid_siwe_statement":          {"domain": "x.example", "uri": "https://x.example", "statement": "a\nb"},
			"invalid_siwe_resource":           {"domain": "x.example", "uri": "https://x.example", "resources": []string{"x"}},
			"invalid_siwe_message_request_id": {"domain": "x.example", "uri": "https://x.example", "message_request_id": "a b"},
			"bad_request":                     {"domain": "x.example", "uri": "https://x.example", "not_before": "tomorrow"},
		} {
			s.Call(http.MethodPost, start, h.fields(body{"siwe_params": bad})).Refused(400, verdict)
		}
		s.Call(http.MethodPost, start, onSolana(1).fields(body{"siwe_params": params})).Refused(400, "crypto_wallet_type_incompatible_with_siwe")
	})
}

// Each instant of a message holds to the millisecond.
func TestMessagesHoldFiveMinutes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		h := onEthereum(1)
		siwe := func(more body) body {
			all := body{"domain": "localhost", "uri": "http://localhost"}
			maps.Copy(all, more)
			return h.fields(body{"siwe_params": all})
		}
		for _, try := range []struct {
			body    body
			verdict string
		}{{h.fields(nil), "unable_to_authenticate_crypto_wallet"}, {siwe(nil), "siwe_message_expired"}} {
			message := s.Call(http.MethodPost, start, try.body).OK().String("challenge")
			s.Clock.Advance(5*time.Minute - time.Millisecond)
			s.Call(http.MethodPost, authenticate, h.signed(message, nil)).OK()
			message = s.Call(http.MethodPost, start, try.body).OK().String("challenge")
			s.Clock.Advance(5 * time.Minute)
			s.Call(http.MethodPost, authenticate, h.signed(message, nil)).Refused(401, try.verdict)
		}
		from := s.Clock.Now().Add(time.Minute)
		message := s.Call(http.MethodPost, start, siwe(body{"not_before": from.UTC().Format(time.RFC3339Nano)})).OK().String("challenge")
		s.Clock.Set(from.Add(-time.Millisecond))
		s.Call(http.MethodPost, authenticate, h.signed(message, nil)).Refused(401, "siwe_message_not_valid_yet")
		s.Clock.Set(from)
		s.Call(http.MethodPost, authenticate, h.signed(message, nil)).OK()
	})
}

func TestBrowsersSignInByWallet(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for _, h := range []*holder{onEthereum(1), onSolana(1)} {
			page := s.Browser()
			a := page.Call(http.MethodPost, "/sdk/v1"+start[3:]+"/primary", h.fields(body{"captcha_token": "x"})).OK()
			if a.Get("user_id") != nil || a.Get("user_created") != nil {
				t.Errorf("a page is told %s", a.Text)
			}
			in := page.Call(http.MethodPost, "/sdk"+authenticate, h.signed(a.String("challenge"), body{"session_duration_minutes": 30, "dfp_telemetry_id": "x"})).OK()
			if in.Get("__user", "user_id") != in.String("user_id") || in.Get("session", "authentication_factors", 0, "type") != "crypto" {
				t.Errorf("signed in: %s", in.Text)
			}
			page.Token = in.String("session_token")
			again := page.Call(http.MethodPost, "/sdk/v1"+start[3:]+"/secondary", h.fields(nil)).OK()
			if again.String("user_id") != in.String("user_id") || again.Get("user_created") != false {
				t.Errorf("answered %s", again.Text)
			}
			in = page.Call(http.MethodPost, "/sdk"+authenticate, h.signed(again.String("challenge"), body{"session_duration_minutes": 30})).OK()
			if n := len(in.Get("session", "authentication_factors").([]any)); n != 1 {
				t.Errorf("the session lists %d factors", n)
			}
		}
	})
}

func TestSwitchesOfTheBrowsersDoor(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		h, page := onEthereum(1), s.Browser()
		bootstrap := func() any {
			return page.Call(http.MethodGet, "/sdk/v1/projects/bootstrap/"+s.Env.PublicTokens[0].Token, nil).OK().Get("siwe_required_for_crypto_wallets")
		}
		if bootstrap() != false {
			t.Error("messages by EIP-4361 are required")
		}
		s.Configure("sdk.crypto_wallets.siwe_required", "true")
		if bootstrap() != true {
			t.Error("messages by EIP-4361 are not required")
		}
		page.Call(http.MethodPost, "/sdk/v1"+start[3:]+"/primary", h.fields(nil)).Refused(400, "bad_request")
		page.Call(http.MethodPost, "/sdk/v1"+start[3:]+"/primary", onSolana(1).fields(nil)).OK()
		s.Call(http.MethodPost, start, h.fields(nil)).OK() // a server may still choose
		a := page.Call(http.MethodPost, "/sdk/v1"+start[3:]+"/primary", h.fields(body{"siwe_params": body{"domain": "evil.example"}})).OK()
		if message := a.String("challenge"); !strings.HasPrefix(message, "localhost:3000 wants you to sign in with your Ethereum account:\n") || !strings.Contains(message, "\nURI: http://localhost:3000\n") {
			t.Errorf("the message is\n%s", message)
		}
		in := page.Call(http.MethodPost, "/sdk"+authenticate, h.signed(a.String("challenge"), body{"session_duration_minutes": 30})).OK()
		if in.String("siwe_params", "domain") != "localhost:3000" {
			t.Errorf("answered %s", in.Text)
		}
		s.Configure("sdk.crypto_wallets.enabled", "false")
		for _, path := range []string{start[3:] + "/primary", start[3:] + "/secondary", authenticate[3:]} {
			page.Call(http.MethodPost, "/sdk/v1"+path, h.fields(body{"signature": "0x00"})).Refused(401, "endpoint_not_authorized_for_sdk")
		}
	})
}

// A server, or somebody signed in, adds a wallet to a user.
func TestWalletsAreAdded(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p := s.Person("a@example.com")
		token := p.Session().String("session_token")
		for i, named := range []body{{"user_id": p.UserID}, {"session_token": token}} {
			h := onEthereum(10 + i)
			a := s.Call(http.MethodPost, start, h.fields(named)).OK()
			if a.String("user_id") != p.UserID || a.Get("user_created") != false {
				t.Errorf("answered %s", a.Text)
			}
			list := s.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).OK().Get("crypto_wallets").([]any)
			if len(list) != i+1 || list[i].(map[string]any)["verified"] != false {
				t.Errorf("the user has %v", list)
			}
			if named["session_token"] != nil {
				s.Call(http.MethodPost, authenticate, h.signed(a.String("challenge"), hour)).Refused(404, "session_not_found")
			}
			in := s.Call(http.MethodPost, authenticate, h.signed(a.String("challenge"), body{"session_token": token})).OK()
			if in.String("user_id") != p.UserID || in.Get("user", "crypto_wallets", i, "verified") != true {
				t.Errorf("signed in: %s", in.Text)
			}
			if back := signIn(s, h, nil).OK(); back.String("user_id") != p.UserID {
				t.Errorf("the wallet signs in %s", back.Text)
			}
			// It can be proven once more for whoever has it, and for nobody else.
			again := s.Call(http.MethodPost, start, h.fields(named)).OK()
			s.Call(http.MethodPost, authenticate, h.signed(again.String("challenge"), nil)).OK()
			other := s.Person(fmt.Sprintf("b%d@example.com", i))
			s.Call(http.MethodPost, start, h.fields(body{"user_id": other.UserID})).Refused(400, "duplicate_wallet_address")
			s.Call(http.MethodPost, start, h.fields(body{"session_token": other.Session().String("session_token")})).Refused(400, "duplicate_wallet_address")
		}
	})
}

// What was added and not proven within five minutes is gone, and the next one
// takes its place at once.
func TestAddedWalletsAreProvenInFiveMinutes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		p, h := s.Person("a@example.com"), onSolana(1)
		named := body{"user_id": p.UserID}
		wallets := func() int {
			return len(s.Call(http.MethodGet, "/v1/users/"+p.UserID, nil).OK().Get("crypto_wallets").([]any))
		}
		message := s.Call(http.MethodPost, start, h.fields(named)).OK().String("challenge")
		s.Clock.Advance(5*time.Minute - time.Millisecond)
		if wallets() != 1 {
			t.Error("the wallet is gone early")
		}
		s.Clock.Advance(time.Millisecond)
		if wallets() != 0 {
			t.Error("the wallet is still there")
		}
		s.Call(http.MethodPost, authenticate, h.signed(message, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")

		first := s.Call(http.MethodPost, start, h.fields(named)).OK().String("challenge")
		second := s.Call(http.MethodPost, start, onSolana(2).fields(named)).OK().String("challenge")
		if wallets() != 1 {
			t.Errorf("%d wallets wait", wallets())
		}
		s.Call(http.MethodPost, authenticate, h.signed(first, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		s.Call(http.MethodPost, authenticate, onSolana(2).signed(second, nil)).OK()

		// It is nobody's while it waits: whoever proves it has it.
		message = s.Call(http.MethodPost, start, h.fields(named)).OK().String("challenge")
		own := signIn(s, h, nil).OK()
		if own.String("user_id") == p.UserID || wallets() != 1 {
			t.Errorf("signed in: %s", own.Text)
		}
		s.Call(http.MethodPost, authenticate, h.signed(message, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
	})
}

// Messages end with the wallet and the user they are for.
func TestMessagesEndWithWalletAndUser(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		h := onEthereum(1)
		in := signIn(s, h, nil).OK()
		message := s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
		s.Call(http.MethodDelete, "/v1/users/crypto_wallets/"+in.String("user", "crypto_wallets", 0, "crypto_wallet_id"), nil).OK()
		s.Call(http.MethodPost, authenticate, h.signed(message, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		other := signIn(s, h, nil).OK()
		if other.String("user_id") == in.String("user_id") {
			t.Error("a wallet that was taken away signs in its former user")
		}
		message = s.Call(http.MethodPost, start, h.fields(nil)).OK().String("challenge")
		s.Call(http.MethodDelete, "/v1/users/"+other.String("user_id"), nil).OK()
		s.Call(http.MethodPost, authenticate, h.signed(message, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		third := signIn(s, h, nil).OK()
		if id := third.String("user_id"); id == in.String("user_id") || id == other.String("user_id") {
			t.Error("the id of a deleted user is used again")
		}
		if n := count(t, s, "SELECT count(*) FROM wallet_challenges"); n != 0 {
			t.Errorf("%d messages are left", n)
		}
	})
}

// The clean-up takes what is over, and the wallets that nobody proved.
func TestMessagesAreCleanedUp(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		for i := range 5 {
			s.Call(http.MethodPost, start, onEthereum(i).fields(nil)).OK()
		}
		s.Clock.Advance(5*time.Minute + time.Hour)
		s.Call(http.MethodPost, start, onEthereum(9).fields(nil)).OK()
		if _, err := s.Purge(t.Context(), 1000); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, "SELECT count(*) FROM wallet_challenges"); n != 1 {
			t.Errorf("%d messages are left", n)
		}
	})
}
