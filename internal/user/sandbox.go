package user

import (
	"bytes"
	"encoding/json"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
)

var (
	errEmailSandbox = apierr.New(400, "invalid_email_sandbox", "This is the sandbox's email address. It works in test environments, with the secret key, where it is asked for; it belongs to no user.")
	errPhoneSandbox = apierr.New(400, "invalid_phone_number_sandbox", "This is the sandbox's phone number. It works in test environments, with the secret key, where it is asked for; it belongs to no user.")
)

// Sandbox is the virtual user of test environments.
func Sandbox() (*Row, error) {
	u := &User{
		UserID: sandbox.UserID, Status: Active, CreatedAt: Timestamp(sandbox.SessionStart),
		Emails:        []Email{{EmailID: sandbox.EmailID, Email: sandbox.Email, Verified: true}},
		PhoneNumbers:  []PhoneNumber{{PhoneID: sandbox.PhoneID, PhoneNumber: sandbox.Phone, Verified: true}},
		CryptoWallets: []CryptoWallet{{CryptoWalletID: sandbox.WalletID, CryptoWalletAddress: sandbox.WalletAddress, CryptoWalletType: "ethereum", Verified: true}},
		TOTPs:         []TOTP{{TOTPID: sandbox.TOTPID, Verified: true}},
	}
	u.empty()
	document, err := encode(u)
	return &Row{UserID: u.UserID, Status: u.Status, JSON: document, user: u}, err
}

// InSandbox reports whether a caller means the sandbox's address or number, to
// which nothing is sent.
func (c Contact) InSandbox(caller *project.Caller) bool { return caller.MaySandbox() && c.isSandbox() }

func (c Contact) isSandbox() bool {
	if c.Kind == KindPhone {
		return strings.TrimSpace(c.Value) == sandbox.Phone
	}
	return strings.EqualFold(strings.TrimSpace(c.Value), sandbox.Email)
}

// refuseSandbox keeps the sandbox's values from becoming somebody's.
func (c Contact) refuseSandbox() error {
	switch {
	case !c.isSandbox():
		return nil
	case c.Kind == KindPhone:
		return errPhoneSandbox
	}
	return errEmailSandbox
}

// asksForSandbox reports whether a search is for the virtual user and nobody
// else.
func (q *Query) asksForSandbox() bool {
	if len(q.Operands) != 1 {
		return false
	}
	var ids []string
	one := q.Operands[0]
	return bytes.Equal(bytes.TrimSpace(one.FilterName), []byte(`"user_id"`)) &&
		json.Unmarshal(one.FilterValue, &ids) == nil && len(ids) == 1 && ids[0] == sandbox.UserID
}
