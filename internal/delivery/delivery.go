// Package delivery owns messages to people: a feature enqueues one in the
// transaction of the fact it tells of, and a worker renders it and hands it to
// the senders of the environment, in order, until one takes it. It owns the
// table of senders, and how many messages an environment lets people ask for
// (Budget). It never decides whom a message is for, and never knows users. Below
// it, template words the messages, and smtp, webhook, twilio and mailbox send
// them.
package delivery

import (
	"context"
	"time"
)

// Channel is the way a message takes.
type Channel string

// The channels.
const (
	Email    Channel = "email"
	SMS      Channel = "sms"
	WhatsApp Channel = "whatsapp"
)

// Channels lists all channels.
var Channels = []Channel{Email, SMS, WhatsApp}

// Type says what a message is for, and with that which template words it. The
// names are those of the reference's e-mail templates (platform.md, section 16);
// the notices are ours.
type Type string

// The types of messages.
const (
	Login           Type = "LOGIN"                       // a link for a user who is active
	Signup          Type = "SIGNUP"                      // a link for a user who is new or pending
	Invite          Type = "INVITE"                      // a link for somebody who was invited
	ResetPassword   Type = "RESET_PASSWORD"              // two links: set a new password, or log in without
	VerifyPassword  Type = "VERIFY_EMAIL_PASSWORD_RESET" // as ResetPassword, when the address must be proven first
	Passcode        Type = "ONE_TIME_PASSCODE"           // a code for a user who is active
	PasscodeSignup  Type = "ONE_TIME_PASSCODE_SIGNUP"    // a code for a user who is new or pending
	Unlock          Type = "UNLOCK"                      // a link that ends the user's lock
	NoticeAdded     Type = "NOTICE_FACTOR_ADDED"         // to the owner: a way to sign in was added
	NoticeRemoved   Type = "NOTICE_FACTOR_REMOVED"       // to the owner, at the address that was in force before
	NoticeRecovery  Type = "NOTICE_RECOVERY_CODE"        // to the owner: a recovery code was used
	NoticePassword  Type = "NOTICE_PASSWORD_CHANGED"     // to the owner: the password was set anew
	NoticeLocked    Type = "NOTICE_LOCKED"               // to the owner: too many failed attempts
	NoticeNewDevice Type = "NOTICE_NEW_DEVICE"           // to the owner: a session from a device not seen before
)

// Message is what a feature has to say to one person. It holds secrets (the
// link, the code), so it is sealed while it waits.
type Message struct {
	Channel    Channel   `json:"channel"`
	Type       Type      `json:"type"`
	To         string    `json:"to"`                    // address in canonical form, or number in E.164
	Locale     string    `json:"locale,omitempty"`      // as the contract spells it ("pt-br"); "" is English
	TemplateID string    `json:"template_id,omitempty"` // "" is the project's default for the type
	Link       string    `json:"link,omitempty"`        // to click
	LoginLink  string    `json:"login_link,omitempty"`  // the second link of ResetPassword: in without a password
	Code       string    `json:"code,omitempty"`        // to type
	UserID     string    `json:"user_id,omitempty"`     // whom it is about, for the audit log
	Name       string    `json:"name,omitempty"`        // first name of the reader, "" when unknown
	Detail     string    `json:"detail,omitempty"`      // of a notice: which factor ("a passkey"), which device
	CreatedAt  time.Time `json:"created_at"`
	ExpiresAt  time.Time `json:"expires_at"` // when link and code end; zero: never. Nothing is sent after it
	// AutofillHash and AutofillDomain are the lines with which phones offer the
	// code of an SMS by themselves (Android SMS Retriever; WebOTP).
	AutofillHash   string `json:"autofill_hash,omitempty"`
	AutofillDomain string `json:"autofill_domain,omitempty"`
}

// Envelope is a message as it is sent: rendered, with everything a provider
// needs. The same ID goes out with every attempt.
type Envelope struct {
	ID            string    `json:"message_id"` // "message-test-<uuid>"
	EnvironmentID string    `json:"project_id"`
	Channel       Channel   `json:"channel"`
	Type          Type      `json:"type"`
	Locale        string    `json:"locale"`
	To            string    `json:"to"`
	From          Address   `json:"from"`     // e-mail: what the template says; the sender has the last word
	DefaultName   bool      `json:"-"`        // From has the project's name, for want of a better one
	ReplyTo       Address   `json:"reply_to"` // e-mail; empty: none
	Subject       string    `json:"subject"`  // e-mail
	Text          string    `json:"text"`     // the plain part of an e-mail; the whole of an SMS
	HTML          string    `json:"html"`     // e-mail
	Link          string    `json:"link"`     // what Text asks to click, for providers with templates of their own
	Code          string    `json:"code"`     // what Text asks to type
	CreatedAt     time.Time `json:"created_at"`
}

// Address is a mailbox with the name it is shown by. An empty LocalPart or
// Domain leaves that half to the sender.
type Address struct {
	Name      string `json:"name"`
	LocalPart string `json:"local_part"`
	Domain    string `json:"domain"`
}

// Sender hands messages to a provider. Its errors are told apart by
// outbox.Permanent (this message will never be taken: its recipient is refused)
// and outbox.After (come back then); any other error means that another sender,
// or the same one later, may succeed. It keeps no message and logs no content.
type Sender interface {
	Send(ctx context.Context, m *Envelope) error
}

// Renderer words a message.
type Renderer interface {
	Render(ctx context.Context, environmentID string, m *Message) (*Envelope, error)
}
