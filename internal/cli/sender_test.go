//go:build unix

package cli

import (
	"bytes"
	"encoding/json"
	"strconv"
	"testing"

	"gatehouse/internal/delivery/smtp/smtptest"
	"gatehouse/internal/store"
)

// What is set up on the command line, password included, is what the mail
// server sees.
func TestASenderIsTriedFromTheCommandLine(t *testing.T) {
	in := install(t, store.SQLite)
	mails := smtptest.Start(t, smtptest.RequireAuth("shop", "correct-horse", "PLAIN"))
	in.env = append(in.env, "GATEHOUSE_SENDER_PASSWORD=correct-horse")
	var added struct {
		ID string `json:"sender_id"`
	}
	out := in.run("sender", "add", "smtp", "test", "--host", mails.Host, "--port", strconv.Itoa(mails.Port), "--security", "none",
		"--username", "shop", "--from", "login@example.com", "--json")
	if err := json.Unmarshal([]byte(out), &added); err != nil {
		t.Fatal(err)
	}
	in.run("sender", "test", "test", added.ID, "--to", "ada@example.com")
	got := mails.Messages()
	if len(got) != 1 || got[0].User != "shop" || got[0].To[0] != "ada@example.com" || !bytes.Contains(got[0].Data, []byte("000000")) {
		t.Errorf("arrived: %+v", got)
	}
}
