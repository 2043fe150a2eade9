package main

import (
	"encoding/json"
	"fmt"
	"sync/atomic"

	"gatehouse/internal/factor/webauthn/virtualkey"
)

// authenticate verifies the sessions of the busy people by their tokens.
func (t *target) authenticate() work {
	requests := make([][]byte, len(t.people))
	for i, p := range t.people {
		requests[i] = request("POST", "/v1/sessions/authenticate", t.basic, `{"session_token":"`+p.token+`"}`)
	}
	return expect(func(worker, n int) []byte { return requests[(worker*7919+n)%len(requests)] })
}

// change writes a user's row, and the event that says so, durably.
func (t *target) change() work {
	return expect(func(worker, n int) []byte {
		p := t.people[(worker*7919+n)%len(t.people)]
		return request("PUT", "/v1/users/"+p.userID, t.basic, fmt.Sprintf(`{"untrusted_metadata":{"n":%d}}`, n))
	})
}

func (t *target) getUser() work {
	requests := make([][]byte, len(t.people))
	for i, p := range t.people {
		requests[i] = request("GET", "/v1/users/"+p.userID, t.basic, "")
	}
	return expect(func(worker, n int) []byte { return requests[(worker*7919+n)%len(requests)] })
}

var created atomic.Int64

func (t *target) createUser() work {
	return expect(func(_, _ int) []byte {
		return request("POST", "/v1/users", t.basic, fmt.Sprintf(`{"email":"new%09d@example.com"}`, created.Add(1)))
	})
}

const startBody = `{"domain":"localhost","return_passkey_credential_options":true,"use_base64_url_encoding":true}`

func (t *target) passkeyStart() work {
	ready := request("POST", "/v1/webauthn/authenticate/start", t.basic, startBody)
	return expect(func(_, _ int) []byte { return ready })
}

// signIn is a whole sign-in: start, the authenticator, finish with a session.
func (t *target) signIn() work {
	begin := request("POST", "/v1/webauthn/authenticate/start", t.basic, startBody)
	return func(c *connection, worker, n int) error {
		status, body, err := c.do(begin)
		if err != nil || status != 200 {
			return fmt.Errorf("start answered %d: %s, %w", status, body, err)
		}
		var options struct {
			Text string `json:"public_key_credential_request_options"`
		}
		if err := json.Unmarshal(body, &options); err != nil {
			return err
		}
		got, err := t.people[(worker*7919+n)%len(t.people)].key.Get(page, options.Text)
		if err != nil {
			return err
		}
		finish, err := json.Marshal(map[string]any{"public_key_credential": got.JSON(virtualkey.Base64URL), "session_duration_minutes": 60})
		if err != nil {
			return err
		}
		status, body, err = c.do(request("POST", "/v1/webauthn/authenticate", t.basic, string(finish)))
		if err == nil && status != 200 {
			err = fmt.Errorf("finish answered %d: %s", status, body)
		}
		return err
	}
}

// search sends one query again and again.
func (t *target) search(query string) work {
	ready := request("POST", "/v1/users/search", t.basic, query)
	return expect(func(_, _ int) []byte { return ready })
}

// pages walks through all users, 50 at a time, by cursor.
func (t *target) pages() work {
	cursors := make([]string, 256)
	return func(c *connection, worker, _ int) error {
		body, err := json.Marshal(map[string]any{"limit": 50, "cursor": cursors[worker]})
		if err != nil {
			return err
		}
		status, answer, err := c.do(request("POST", "/v1/users/search", t.basic, string(body)))
		if err != nil || status != 200 {
			return fmt.Errorf("search answered %d: %.200s, %w", status, answer, err)
		}
		cursors[worker] = nextCursor(answer)
		return nil
	}
}

// nextCursor finds the cursor without decoding fifty users, which would make
// the load slower than the server.
func nextCursor(answer []byte) string {
	const name = `"next_cursor":"`
	at := lastIndex(answer, name)
	if at < 0 {
		return ""
	}
	rest := answer[at+len(name):]
	for i, b := range rest {
		if b == '"' {
			return string(rest[:i])
		}
	}
	return ""
}

func lastIndex(text []byte, name string) int {
	for i := len(text) - len(name); i >= 0; i-- {
		if string(text[i:i+len(name)]) == name {
			return i
		}
	}
	return -1
}
