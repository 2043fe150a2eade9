package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/webhook"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

type senderCommands struct {
	Add    senderAddCommands `cmd:"" help:"Add a sender: smtp, twilio or webhook. Senders of a channel are tried in their order until one takes the message."`
	List   senderList        `cmd:"" help:"List the senders, each channel's in the order in which they are tried."`
	Test   senderTest        `cmd:"" help:"Send a test message through one sender now, and say what its provider answered."`
	Remove senderRemove      `cmd:"" help:"Remove a sender."`

	Unreachable senderUnreachable `cmd:"" help:"List the phone numbers that get no texts, because their owner said STOP or their carrier refuses them."`
	Forget      senderForget      `cmd:"" help:"Let texts go to a phone number again, as when its owner has said START."`
}

type senderAddCommands struct {
	SMTP    senderAddSMTP    `cmd:"" name:"smtp" help:"E-mail through an SMTP server."`
	Twilio  senderAddTwilio  `cmd:"" help:"SMS or WhatsApp messages through Twilio."`
	Webhook senderAddWebhook `cmd:"" help:"Any channel, by a signed POST to a URL of yours."`
}

// newSender is what the three have in common.
type newSender struct {
	target
	First bool `help:"Try it before the senders there are; otherwise it comes after them."`
}

// password is where a sender's password comes from: command lines are seen by
// other users of the machine, so it is never an argument.
type password struct {
	PasswordFile string `placeholder:"FILE" help:"File that holds the password, token or secret; - is the standard input. Otherwise it is read from GATEHOUSE_SENDER_PASSWORD."`
	Password     string `env:"GATEHOUSE_SENDER_PASSWORD" hidden:""`
}

func (p *password) read(t *Terminal) (string, error) {
	var text []byte
	var err error
	switch p.PasswordFile {
	case "":
		return p.Password, nil
	case "-":
		text, err = io.ReadAll(io.LimitReader(t.In, 4096))
	default:
		text, err = os.ReadFile(p.PasswordFile)
	}
	return strings.TrimRight(string(text), "\r\n"), err
}

// addedSender is a sender with the secret that was made for it, if one was.
type addedSender struct {
	*delivery.SenderInfo
	SigningSecret string `json:"signing_secret,omitempty"`
}

// add adds the sender and says how to try it. made is a secret that nobody has
// seen yet.
func (c *newSender) add(t *Terminal, channel, kind string, settings any, password, made string) error {
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		values, err := settled(settings)
		if err != nil {
			return err
		}
		info, err := a.Messages.AddSender(ctx, env, delivery.NewSender{
			Channel: delivery.Channel(channel), Kind: kind, Settings: delivery.Settings{Values: values, Password: password}, First: c.First,
		})
		if err != nil {
			return err
		}
		if err := c.say(t, addedSender{info, made}, "%s messages of %s go out by %s (%s). Try it with: %s", channel, title(env), kind, info.Summary,
			c.suggest("sender test %s %s --to ADDRESS", env.ID, info.ID)); err != nil || c.JSON || made == "" {
			return err
		}
		t.line("\n  signing secret  %s\n", made)
		t.line("Messages are signed with it (Standard Webhooks). It cannot be shown again.")
		return nil
	})
}

// settled is the JSON of settings without those that were left out.
func settled(settings any) (json.RawMessage, error) {
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, err
	}
	for name, value := range all {
		if slices.ContainsFunc([]string{`""`, "0", "false", "null", "{}"}, func(empty string) bool { return bytes.Equal(value, []byte(empty)) }) {
			delete(all, name)
		}
	}
	return json.Marshal(all)
}

type senderAddSMTP struct {
	newSender
	password
	Host           string `required:"" placeholder:"HOST" help:"The SMTP server, e.g. smtp.example.com."`
	Port           int    `placeholder:"N" help:"587 when left out, 465 with --security tls, 25 with none."`
	Security       string `enum:",starttls,tls,none" default:"" placeholder:"HOW" help:"starttls (when left out; required, never skipped), tls or none."`
	AllowPlaintext bool   `help:"Allow --security none to another machine than this one."`
	Username       string `placeholder:"NAME" help:"User name; without one there is no authentication."`
	From           string `required:"" placeholder:"ADDRESS" help:"The address mails come from, where the template says nothing else."`
	FromName       string `placeholder:"NAME" help:"The name mails come from, where the template says nothing else; the project's when left out."`
	DKIMDomain     string `name:"dkim-domain" placeholder:"DOMAIN" help:"Sign mails for this domain (DKIM), where the server does not."`
	DKIMSelector   string `name:"dkim-selector" placeholder:"NAME" help:"The selector the key is published under."`
	DKIMKeyFile    string `name:"dkim-key-file" placeholder:"FILE" help:"PEM file of the private key that signs, RSA or Ed25519."`
}

// Run adds an SMTP server.
func (c *senderAddSMTP) Run(t *Terminal) error {
	password, err := c.password.read(t)
	if err != nil {
		return err
	}
	settings := map[string]any{
		"host": c.Host, "port": c.Port, "security": c.Security, "allow_plaintext": c.AllowPlaintext, "username": c.Username,
		"from": c.From, "from_name": c.FromName,
	}
	if c.DKIMDomain+c.DKIMSelector+c.DKIMKeyFile != "" {
		if c.DKIMKeyFile == "" {
			return errors.New("--dkim-key-file is missing: without the private key nothing can be signed")
		}
		key, err := os.ReadFile(c.DKIMKeyFile)
		if err != nil {
			return fmt.Errorf("--dkim-key-file: %w", err)
		}
		settings["dkim"] = map[string]string{"domain": c.DKIMDomain, "selector": c.DKIMSelector, "private_key": string(key)}
	}
	return c.add(t, string(delivery.Email), "smtp", settings, password, "")
}

type senderAddTwilio struct {
	newSender
	password
	Channel             string `required:"" enum:"sms,whatsapp" placeholder:"CHANNEL" help:"sms or whatsapp."`
	AccountSID          string `name:"account-sid" required:"" placeholder:"SID" help:"The account: AC and 32 digits. The password is its auth token."`
	APIKeySID           string `name:"api-key-sid" placeholder:"SID" help:"An API key in place of the auth token: SK and 32 digits. The password is its secret."`
	From                string `placeholder:"NUMBER" help:"The number, short code or name that messages come from."`
	MessagingServiceSID string `name:"messaging-service-sid" placeholder:"SID" help:"In place of --from."`
	ContentSID          string `name:"content-sid" placeholder:"SID" help:"WhatsApp: the approved template for codes, whose variable 1 is the code."`
	BaseURL             string `name:"base-url" placeholder:"URL" help:"Twilio's API in another region."`
}

// Run adds a Twilio account.
func (c *senderAddTwilio) Run(t *Terminal) error {
	password, err := c.password.read(t)
	if err != nil {
		return err
	}
	return c.add(t, c.Channel, "twilio", map[string]any{
		"account_sid": c.AccountSID, "api_key_sid": c.APIKeySID, "from": c.From, "messaging_service_sid": c.MessagingServiceSID,
		"content_sid": c.ContentSID, "base_url": c.BaseURL,
	}, password, "")
}

type senderAddWebhook struct {
	newSender
	password
	Channel string            `required:"" enum:"email,sms,whatsapp" placeholder:"CHANNEL" help:"email, sms or whatsapp."`
	URL     string            `name:"url" required:"" placeholder:"URL" help:"Where messages are sent to, by a POST with the message as JSON."`
	Header  map[string]string `placeholder:"NAME=VALUE" help:"A header to send with every message."`
}

// Run adds a webhook. Its signing secret is made here unless one is given.
func (c *senderAddWebhook) Run(t *Terminal) error {
	secret, err := c.password.read(t)
	if err != nil {
		return err
	}
	made := ""
	if secret == "" {
		made = webhook.NewSecret()
		secret = made
	}
	return c.add(t, c.Channel, "webhook", map[string]any{"url": c.URL, "headers": c.Header}, secret, made)
}

type senderList struct{ target }

// Run lists the senders.
func (c *senderList) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		senders, err := a.Messages.Senders(ctx, env)
		if err != nil {
			return err
		}
		empty := "No senders yet: messages stay in the mailbox. Add one with: "
		if env.Live() {
			empty = "No senders yet: nothing can be sent. Add one with: "
		}
		r := &rows{header: []string{"CHANNEL", "KIND", "SENDER_ID", "WHERE", "ADDED"}, empty: empty + c.suggest("sender add smtp %s --help", env.ID)}
		for _, s := range senders {
			r.add(string(s.Channel), s.Kind, s.ID, s.Summary, when(s.CreatedAt))
		}
		return c.print(t, list(senders), r)
	})
}

type senderTest struct {
	target
	SenderID string `arg:"" help:"sender_id, from gatehouse sender list."`
	To       string `required:"" placeholder:"ADDRESS" help:"Where the message goes: an e-mail address, or a phone number with its country code."`
	Template string `placeholder:"TEMPLATE_ID" help:"The template of an e-mail, from gatehouse template list; it must suit messages with a code."`
}

// Run sends a test message.
func (c *senderTest) Run(t *Terminal) error {
	return c.onSealed(func(ctx context.Context, a *app.App, env *project.Environment) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		m := delivery.Message{Type: delivery.Passcode, To: c.To, TemplateID: c.Template, Code: "000000", ExpiresAt: a.DB.Now().Add(2 * time.Minute)}
		if c.Template != "" {
			check := func(tx *store.Tx) error { return a.Templates.Check(tx, env.ProjectID, m.Type, c.Template) }
			if err := a.DB.View(ctx, check); err != nil {
				return err
			}
		}
		if err := a.Messages.Test(ctx, env, c.SenderID, m); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return errors.New("the provider did not answer within a minute: check host, port and firewall")
			}
			return err
		}
		return c.say(t, map[string]any{"sent": true, "to": c.To}, "The provider took a message to %s, with the code 000000. Whether it arrives, its mailbox tells.", c.To)
	})
}

type senderRemove struct {
	target
	SenderID string `arg:"" help:"sender_id, from gatehouse sender list."`
	confirmation
}

// Run removes a sender.
func (c *senderRemove) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := c.ask(t, fmt.Sprintf("%s no longer sends by %s. Remove it?", title(env), c.SenderID)); err != nil {
			return err
		}
		if err := a.Messages.RemoveSender(ctx, env, c.SenderID); err != nil {
			return err
		}
		return c.say(t, map[string]any{"sender_id": c.SenderID, "removed": true}, "Removed %s of %s.", c.SenderID, title(env))
	})
}

type senderUnreachable struct {
	target
	Limit int `default:"1000" help:"Numbers to show, those refused last: 1 to 10000."`
}

// Run lists the numbers that get no texts.
func (c *senderUnreachable) Run(t *Terminal) error {
	if c.Limit < 1 || c.Limit > 10_000 {
		return usagef("--limit must lie between 1 and 10000")
	}
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		numbers, err := a.Messages.UnreachableNumbers(ctx, env, c.Limit)
		if err != nil {
			return err
		}
		r := &rows{header: []string{"PHONE_NUMBER", "CHANNEL", "REASON", "SINCE", "UNTIL"}, empty: "No number has refused a text of " + title(env) + "."}
		for _, n := range numbers {
			until := c.suggest("sender forget %s %s", env.ID, n.Number)
			if n.EndsAt != nil {
				until = when(*n.EndsAt)
			}
			r.add(n.Number, string(n.Channel), string(n.Reason), when(n.Since), until)
		}
		return c.print(t, list(numbers), r)
	})
}

type senderForget struct {
	target
	Number string `arg:"" name:"phone_number" help:"The number with its country code, as sender unreachable shows it."`
}

// Run forgets that a number refused texts.
func (c *senderForget) Run(t *Terminal) error {
	return c.on(func(ctx context.Context, a *app.App, env *project.Environment) error {
		if err := a.Messages.Forget(ctx, env, c.Number); err != nil {
			return err
		}
		return c.say(t, map[string]any{"phone_number": c.Number, "forgotten": true},
			"Texts of %s go to %s again. Where its owner said STOP, the provider refuses them until they have said START to it.", title(env), c.Number)
	})
}
