// Package ethereum asks a node of an Ethereum chain whether a wallet that is a
// contract takes a signature for its own (EIP-1271). It owns what is asked, by
// JSON-RPC, and what an answer means. It never decides which node is asked or
// where a call may go, and keeps nothing.
package ethereum

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gatehouse/internal/outbound"
)

// Client asks nodes. It may be shared.
type Client struct{ client *outbound.Client }

// New returns a client whose calls go where the given one allows.
func New(client *outbound.Client) *Client { return &Client{client} }

// isValidSignature is the selector of the function that contracts answer, and
// what they answer when the signature is theirs.
var isValidSignature = []byte{0x16, 0x26, 0xba, 0x7e}

const word = 32 // bytes: the unit of calls

// rpc is an answer (JSON-RPC 2.0).
type rpc struct {
	Result *string `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// reverted is the code for a call that the contract broke off.
const reverted = 3

// Accepts asks the node at a URL whether the contract at an address (0x and 40
// digits) takes the signature of a hash for its own. Where there is no contract
// it is false. An error means that the node could not say.
func (c *Client) Accepts(ctx context.Context, url, address string, hash, signature []byte) (bool, error) {
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "id": 1, "method": "eth_call",
		"params": []any{map[string]string{"to": address, "data": "0x" + hex.EncodeToString(call(hash, signature))}, "latest"},
	})
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the URL of the node is not valid") // the text of err would repeat it, and it may hold a key
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := c.client.Do(ctx, r)
	if err != nil {
		return false, err
	}
	var answer rpc
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return false, fmt.Errorf("the node answered %d and no JSON", resp.Status)
	}
	switch {
	case answer.Error != nil && (answer.Error.Code == reverted || strings.Contains(answer.Error.Message, "revert")):
		return false, nil
	case answer.Error != nil:
		return false, fmt.Errorf("the node answered %d with error %d", resp.Status, answer.Error.Code)
	case resp.Status != http.StatusOK || answer.Result == nil:
		return false, fmt.Errorf("the node answered %d and no result", resp.Status)
	}
	return accepted(*answer.Result), nil
}

// call is the data of isValidSignature(bytes32,bytes).
func call(hash, signature []byte) []byte {
	data := append([]byte{}, isValidSignature...)
	data = append(data, hash...)
	data = append(data, number(2*word)...) // where the signature begins
	data = append(data, number(len(signature))...)
	data = append(data, signature...)
	return append(data, make([]byte, (word-len(signature)%word)%word)...)
}

func number(n int) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, word-8, word), uint64(n))
}

// accepted reports whether a result is the one word that says yes. A contract
// that hands back whatever it is given does not say so: zeros must follow.
func accepted(result string) bool {
	raw, err := hex.DecodeString(strings.TrimPrefix(result, "0x"))
	yes := append(bytes.Clone(isValidSignature), make([]byte, word-len(isValidSignature))...)
	return err == nil && bytes.Equal(raw, yes)
}
