package template

import (
	"gatehouse/internal/delivery"
	"gatehouse/internal/project"
)

// phoneKeys are the types that are worded like another one in short messages.
var phoneKeys = map[delivery.Type]delivery.Type{
	delivery.VerifyPassword: delivery.ResetPassword,
	delivery.PasscodeSignup: delivery.Passcode,
}

// renderPhone words an SMS or a WhatsApp message. The project's name appears
// in live environments only: a test environment can be opened by anybody who
// has the code of the app, and should not speak in the app's name.
func renderPhone(env *project.Environment, m *delivery.Message, e *delivery.Envelope) {
	l := localeOf(m.Locale, PhoneLocales)
	e.Locale = l.Name
	app := l.Phone["test_app"]
	if env.Live() {
		app = clean(env.ProjectName, maxApp)
	}
	values := map[string]string{
		"app":  isolate(app, l.RightToLeft),
		"code": isolate(m.Code, l.RightToLeft),
		"link": m.Link, // bare, and last: what stands beside a link becomes part of it
	}
	key := m.Type
	if other, ok := phoneKeys[key]; ok {
		key = other
	}
	sentence := l.Phone[string(key)]
	if key == delivery.Passcode && m.ExpiresAt.IsZero() {
		sentence = l.Phone[string(key)+endless]
	} else if !m.ExpiresAt.IsZero() {
		values["duration"] = l.duration(m.ExpiresAt.Sub(m.CreatedAt))
	}
	e.Text = fill(sentence, values) + autofill(m)
}

// autofill is the last line of an SMS, by which phones offer the code: that of
// WebOTP binds it to a site (WICG, origin-bound one-time codes), that of
// Android's SMS Retriever is the hash of an app. There is one last line, and a
// browser that finds no domain in it offers nothing; so the domain wins.
func autofill(m *delivery.Message) string {
	switch {
	case m.Channel != delivery.SMS || m.Code == "":
		return ""
	case m.AutofillDomain != "":
		return "\n\n@" + m.AutofillDomain + " #" + m.Code
	case m.AutofillHash != "":
		return "\n\n" + m.AutofillHash
	}
	return ""
}
