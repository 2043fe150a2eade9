package cli

import (
	"context"
	"strings"

	"gatehouse/internal/app"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/mailbox"
	"gatehouse/internal/ui"
)

// mailboxOf hands the mailbox of one environment to the page that shows it.
func mailboxOf(a *app.App, environmentID string) ui.Mailbox {
	return ui.Mailbox{
		Version: func(ctx context.Context) (string, error) { return a.Mailbox.Version(ctx, environmentID) },
		List: func(ctx context.Context) ([]ui.MailboxMessage, error) {
			list, err := a.Mailbox.List(ctx, environmentID, mailbox.Filter{})
			if err != nil {
				return nil, err
			}
			shown := make([]ui.MailboxMessage, len(list))
			for i := range list {
				shown[i] = shownMessage(&list[i])
			}
			return shown, nil
		},
		HTML: func(ctx context.Context, messageID string) (string, error) {
			m, err := a.Mailbox.Get(ctx, environmentID, messageID)
			if err != nil {
				return "", err
			}
			return m.HTML, nil
		},
		Clear: func(ctx context.Context, to string) (int, error) { return a.Mailbox.Clear(ctx, environmentID, to) },
	}
}

func shownMessage(m *delivery.Envelope) ui.MailboxMessage {
	return ui.MailboxMessage{
		MessageID: m.ID, Channel: string(m.Channel), Type: string(m.Type), Locale: m.Locale, To: m.To, From: shownAddress(m.From),
		ReplyTo: shownAddress(m.ReplyTo), Subject: m.Subject, Text: m.Text, Link: m.Link, Code: m.Code, HasHTML: m.HTML != "", CreatedAt: m.CreatedAt,
	}
}

// shownAddress is "Acme <login@acme.example>", with an ellipsis for a half that
// is left to whoever sends, and the name alone when both are.
func shownAddress(a delivery.Address) string {
	if a.LocalPart == "" && a.Domain == "" {
		return a.Name
	}
	half := func(s string) string {
		if s == "" {
			return "…"
		}
		return s
	}
	address := half(a.LocalPart) + "@" + half(a.Domain)
	if a.Name != "" {
		address = "<" + address + ">"
	}
	return strings.TrimSpace(a.Name + " " + address)
}
