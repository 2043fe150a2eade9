package wallet_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/authtest"
)

// node is a node of an Ethereum chain with contracts that answer as they are
// told to.
type node struct {
	url     string
	mu      sync.Mutex
	answers map[string]func(hash, signature string) string // by address, in lower case
	asked   int
}

const yes = `{"jsonrpc":"2.0","id":1,"result":"0x1626ba7e00000000000000000000000000000000000000000000000000000000"}`

func newNode(t *testing.T) *node {
	t.Helper()
	n := &node{answers: map[string]func(hash, signature string) string{}}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Method string
			Params []json.RawMessage
		}
		var to struct{ To, Data string }
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(text, &call)
		}
		if err == nil && len(call.Params) == 2 {
			err = json.Unmarshal(call.Params[0], &to)
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		n.asked++
		answer := n.answers[strings.ToLower(to.To)]
		data, hexErr := hex.DecodeString(strings.TrimPrefix(to.Data, "0x"))
		switch {
		case err != nil || hexErr != nil || call.Method != "eth_call" || len(data) < 4+96 || len(data)%32 != 4 || hex.EncodeToString(data[:4]) != "1626ba7e" || string(call.Params[1]) != `"latest"`:
			w.WriteHeader(http.StatusBadRequest)
		case answer == nil:
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":"0x"}`) // what a node says where there is no contract
		default:
			length := int(data[98])<<8 | int(data[99])
			_, _ = io.WriteString(w, answer(hex.EncodeToString(data[4:36]), hex.EncodeToString(data[100:100+length])))
		}
	}))
	t.Cleanup(web.Close)
	n.url = web.URL
	return n
}

// owned is a contract whose owner signs for it.
func (n *node) owned(address string, owner *holder, message func() string) {
	n.answers[address] = func(hash, signature string) string {
		m := message()
		if hash != hex.EncodeToString(keccak(fmt.Sprintf("\x19Ethereum Signed Message:\n%d%s", len(m), m))) || "0x"+signature != owner.sign(m) {
			return `{"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted"}}`
		}
		return yes
	}
}

func allowLoopback(o *app.Options) { o.Server.OutboundAllow = []string{"127.0.0.1", "::1"} }

const contract = "0xa5b3a53800cd49669f34de80f2c569c6d4ca3009"

func siweOn(chainID string) body {
	return body{"siwe_params": body{"domain": "localhost", "uri": "http://localhost", "chain_id": chainID}}
}

func TestContractsSignIn(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		owner, mainnet, optimism := onEthereum(1), newNode(t), newNode(t)
		wallet := &holder{chain: "ethereum", address: contract, sign: owner.sign}
		message := ""
		mainnet.owned(contract, owner, func() string { return message })
		ask := func(more body) string {
			message = s.Call(http.MethodPost, start, wallet.fields(more)).OK().String("challenge")
			return message
		}
		s.Call(http.MethodPost, authenticate, wallet.signed(ask(nil), nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		s.Call(http.MethodPost, authenticate, wallet.fields(body{"signature": "0x1234"})).Refused(400, "invalid_signature")
		if mainnet.asked != 0 {
			t.Error("a node is asked that nobody has named")
		}
		s.Configure("crypto_wallets.ethereum_rpc_urls", fmt.Sprintf(`{"1":%q}`, mainnet.url))
		in := s.Call(http.MethodPost, authenticate, wallet.signed(message, hour)).OK()
		if in.Get("user", "crypto_wallets", 0, "verified") != true || !strings.EqualFold(in.String("user", "crypto_wallets", 0, "crypto_wallet_address"), contract) {
			t.Errorf("signed in: %s", in.Text)
		}
		s.Call(http.MethodPost, authenticate, wallet.signed(message, hour)).Refused(401, "unable_to_authenticate_crypto_wallet") // used
		ask(siweOn("1"))
		s.Call(http.MethodPost, authenticate, wallet.fields(body{"signature": onEthereum(2).sign(message)})).Refused(401, "unable_to_authenticate_crypto_wallet")
		s.Call(http.MethodPost, authenticate, wallet.signed("another", nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		s.Call(http.MethodPost, authenticate, wallet.signed(message, nil)).OK()
		// Keys are not asked about.
		before := mainnet.asked
		signIn(s, owner, nil).OK()
		if mainnet.asked != before {
			t.Error("a node is asked about the signature of a key")
		}

		// On another chain somebody else has the address: they get in nowhere.
		thief := onEthereum(3)
		optimism.owned(contract, thief, func() string { return message })
		s.Configure("crypto_wallets.ethereum_rpc_urls", fmt.Sprintf(`{"1":%q,"10":%q}`, mainnet.url, optimism.url))
		ask(siweOn("10"))
		s.Call(http.MethodPost, authenticate, wallet.fields(body{"signature": thief.sign(message)})).Refused(401, "unable_to_authenticate_crypto_wallet")
		optimism.owned(owner.address, thief, func() string { return message })
		message = s.Call(http.MethodPost, start, owner.fields(siweOn("10"))).OK().String("challenge")
		s.Call(http.MethodPost, authenticate, owner.fields(body{"signature": thief.sign(message)})).Refused(401, "unable_to_authenticate_crypto_wallet")
		ask(siweOn("137"))
		s.Call(http.MethodPost, authenticate, wallet.signed(message, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		ask(nil)
		s.Call(http.MethodPost, authenticate, wallet.signed(message, nil)).OK() // a plain message is of Ethereum's own chain

		// With the wallet goes where it was proven.
		s.Call(http.MethodDelete, "/v1/users/crypto_wallets/"+in.String("user", "crypto_wallets", 0, "crypto_wallet_id"), nil).OK()
		ask(siweOn("10"))
		s.Call(http.MethodPost, authenticate, wallet.fields(body{"signature": thief.sign(message)})).OK()
	}, allowLoopback)
}

// Whatever a node answers, it is a clear refusal, and uses nothing up.
func TestNodesThatDoNotSayYes(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		n := newNode(t)
		s.Configure("crypto_wallets.ethereum_rpc_urls", fmt.Sprintf(`{"1":%q}`, n.url))
		wallet := &holder{chain: "ethereum", address: contract, sign: onEthereum(1).sign}
		message := s.Call(http.MethodPost, start, wallet.fields(nil)).OK().String("challenge")
		word := strings.Repeat("0", 56)
		for _, answer := range []string{
			``, `{`, `null`, `[]`, `"0x"`, `{}`, `{"result":null}`, `{"result":7}`, `{"result":""}`, `{"result":"0x"}`, `{"result":"0x1626ba7e"}`, `{"result":"0x1626ba7"}`, `{"result":"0xzz"}`,
			`{"result":"0xffffffff` + word + `"}`, `{"result":"0x1626ba7e` + strings.Repeat("0", 55) + `1"}`, `{"result":"0x1626ba7e` + word + `00"}`,
			`{"result":"0x` + word + `1626ba7e"}`, `{"error":{"code":-32005,"message":"limit exceeded"}}`, `{"error":{"code":3,"message":"execution reverted"},"result":"0x1626ba7e` + word + `"}`,
			`{"result":"0x1626ba7e` + word + `"` + strings.Repeat(" ", 64<<10) + `}`, strings.Repeat("[", 60_000),
		} {
			n.answers[contract] = func(string, string) string { return answer }
			s.Call(http.MethodPost, authenticate, wallet.signed(message, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		}
		// A contract that hands back what it was given (as the one at address 4 does).
		n.answers[contract] = func(hash, _ string) string { return `{"result":"0x1626ba7e` + hash[:56] + `"}` }
		s.Call(http.MethodPost, authenticate, wallet.signed(message, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		asked := n.asked
		later := wallet.fields(body{"signature": wallet.sign(message) + strings.Repeat("6492", 16)})
		if a := s.Call(http.MethodPost, authenticate, later).Refused(401, "unable_to_authenticate_crypto_wallet"); !strings.Contains(a.String("error_message"), "not on its chain yet") || n.asked != asked {
			t.Errorf("answered %s", a.Text)
		}
		n.answers[contract] = func(string, string) string { return yes }
		s.Call(http.MethodPost, authenticate, wallet.fields(body{"signature": "0x" + strings.Repeat("ab", 8193)})).Refused(400, "invalid_signature")
		s.Call(http.MethodPost, authenticate, wallet.fields(body{"signature": "0x" + strings.Repeat("ab", 8192)})).OK()
		message = s.Call(http.MethodPost, start, wallet.fields(nil)).OK().String("challenge")
		asked = n.asked
		s.Clock.Advance(5 * time.Minute)
		s.Call(http.MethodPost, authenticate, wallet.signed(message, nil)).Refused(401, "unable_to_authenticate_crypto_wallet")
		if n.asked != asked {
			t.Error("a node is asked about a message that is over")
		}
		if log := s.Logs.String(); strings.Contains(log, wallet.sign(message)[2:]) {
			t.Error("the log has a signature")
		}
	}, allowLoopback)
}

// A page causes no more than so many calls, and none to the inside unless the
// operator has opened it.
func TestSecurity39NodesAreCalledWithinBounds(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		n := newNode(t)
		s.Configure("crypto_wallets.ethereum_rpc_urls", fmt.Sprintf(`{"1":%q}`, n.url))
		wallet := &holder{chain: "ethereum", address: contract, sign: onEthereum(1).sign}
		page := s.Browser()
		message := page.Call(http.MethodPost, "/sdk"+start+"/primary", wallet.fields(nil)).OK().String("challenge")
		a := page.Call(http.MethodPost, "/sdk"+authenticate, wallet.signed(message, body{"session_duration_minutes": 5})).Refused(401, "unable_to_authenticate_crypto_wallet")
		if !strings.Contains(a.String("error_message"), "could not be asked") || n.asked != 0 {
			t.Errorf("%d calls went inside: %s", n.asked, a.Text)
		}
		for range 59 {
			page.Call(http.MethodPost, "/sdk"+authenticate, wallet.signed(message, body{"session_duration_minutes": 5})).Refused(401, "unable_to_authenticate_crypto_wallet")
		}
		page.Call(http.MethodPost, "/sdk"+authenticate, wallet.signed(message, body{"session_duration_minutes": 5})).Refused(429, "too_many_requests")
	})
}
