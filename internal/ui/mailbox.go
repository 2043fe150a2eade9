package ui

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

// Mailbox is what the mailbox page may do with the messages that were kept instead of sent.
type Mailbox struct {
	// Version stays while the same messages are kept, and no longer.
	Version func(ctx context.Context) (string, error)
	// List returns all messages, newest first.
	List func(ctx context.Context) ([]MailboxMessage, error)
	// HTML returns the HTML of one message.
	HTML func(ctx context.Context, messageID string) (string, error)
	// Clear removes the messages to one recipient, or with "" all messages, and returns how many there were.
	Clear func(ctx context.Context, to string) (int, error)
}

// MailboxMessage is a message as the page shows it. Its HTML comes apart, from DevMailboxHTML.
type MailboxMessage struct {
	MessageID string    `json:"message_id"`
	Channel   string    `json:"channel"` // "email", "sms" or "whatsapp"
	Type      string    `json:"type"`
	Locale    string    `json:"locale"`
	To        string    `json:"to"`
	From      string    `json:"from"`     // "Acme <login@acme.example>", "" when the sender decides
	ReplyTo   string    `json:"reply_to"` // likewise, "" without one
	Subject   string    `json:"subject"`
	Text      string    `json:"text"`
	Link      string    `json:"link"`
	Code      string    `json:"code"`
	HasHTML   bool      `json:"has_html"`
	CreatedAt time.Time `json:"created_at"`
}

const (
	mailboxIsLocal    = "dev_mailbox_is_local"
	mailboxIsLocalWhy = "The mailbox is shown only to its own page, opened as localhost on the machine that runs Gatehouse."
)

var errNoHTML = apierr.New(404, "mailbox_message_has_no_html", "This message has no HTML. Read its text instead.")

// DevMailbox serves GET /dev/mailbox.json, the messages, and DELETE /dev/mailbox.json?to=, which removes them. Mount it in
// `gatehouse dev` only. Links and codes sign people in, so it is guarded as DevInfo is. The answer
// has a version, and leaves the messages out for whoever asks with ?version= and has them: the page asks every second.
func DevMailbox(m Mailbox) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !guarded(w, r, mailboxIsLocal, mailboxIsLocalWhy) {
			return
		}
		if r.Method == http.MethodDelete {
			deleted, err := m.Clear(r.Context(), r.URL.Query().Get("to"))
			if err != nil {
				wire.Fail(w, r, err)
				return
			}
			writeJSON(w, map[string]int{"deleted": deleted})
			return
		}
		// Asked before the list: one that is newer than its version is read again, one that is older would stay.
		version, err := m.Version(r.Context())
		if err != nil {
			wire.Fail(w, r, err)
			return
		}
		if r.URL.Query().Get("version") == version {
			writeJSON(w, map[string]string{"version": version})
			return
		}
		messages, err := m.List(r.Context())
		if err != nil {
			wire.Fail(w, r, err)
			return
		}
		writeJSON(w, map[string]any{"version": version, "messages": messages})
	})
}

// mailPolicy is for mails, which are not ours to trust: a document of no origin, without scripts, forms and frames. Its
// links open beside it, unrestricted, or nobody could sign in with them. Pictures may come from elsewhere, as in any
// mail program.
const mailPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// DevMailboxHTML serves GET /dev/mailbox/{message_id}/html, an e-mail as its reader sees it, for the frame of the
// mailbox page. It is guarded as DevMailbox is: a frame's own request says that it comes from the same origin.
func DevMailboxHTML(m Mailbox) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !guarded(w, r, mailboxIsLocal, mailboxIsLocalWhy) {
			return
		}
		html, err := m.HTML(r.Context(), r.PathValue("message_id"))
		if err == nil && html == "" {
			err = errNoHTML
		}
		if err != nil {
			wire.Fail(w, r, err)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", mailPolicy)
		h.Set("X-Frame-Options", "SAMEORIGIN")
		h.Set("Referrer-Policy", "no-referrer")
		// A sandboxed document may not have it, and nothing opens this one.
		h.Del("Cross-Origin-Opener-Policy")
		_, _ = io.WriteString(w, openingBeside(html)) // the reader has gone if this fails
	})
}

// documentStart is what stands before everything else in the head of a document: all that may come before <base>.
var documentStart = regexp.MustCompile(`(?is)^\s*(?:<!doctype[^>]*>)?(?:\s|<!--.*?-->)*(?:<html[^>]*>)?\s*(?:<head(?:\s[^>]*)?>)?`)

// openingBeside makes the links of a mail open in a tab of their own: in the frame they would lead nowhere. The first
// <base> of a document is the one that counts.
func openingBeside(html string) string {
	start := documentStart.FindString(html)
	return start + `<base target="_blank">` + html[len(start):]
}
