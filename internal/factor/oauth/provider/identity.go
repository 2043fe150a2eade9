package provider

import (
	"errors"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/jwks"
)

const (
	maxSubject  = 255 // bytes, as OpenID Connect bounds sub
	maxEmail    = 254
	maxNamePart = 100 // characters
	maxPicture  = 2048
	maxLocale   = 35
)

var errSubject = errors.New("the provider does not say whose the account is")

// fromClaims reads the claims of OpenID Connect (Core, section 5.1).
func (v *visit) fromClaims(c jwks.Claims) *Identity {
	i := &Identity{
		Subject: c.String("sub"),
		Email:   c.String("email"),
		Name:    Name{First: c.String("given_name"), Middle: c.String("middle_name"), Last: c.String("family_name")},
		Picture: c.String("picture"),
		Locale:  c.String("locale"),
	}
	if i.Name == (Name{}) {
		i.Name = splitName(c.String("name"))
	}
	i.EmailVerified = i.Email != "" && v.believes(c)
	return i
}

// splitName makes two of one name. Where the last word is no family name,
// nothing is lost but the order.
func splitName(name string) Name {
	words := strings.Fields(name)
	if len(words) < 2 {
		return Name{First: strings.Join(words, " ")}
	}
	last := len(words) - 1
	return Name{First: strings.Join(words[:last], " "), Last: words[last]}
}

// tidy bounds what a provider says. Without a subject there is no identity;
// anything else that is not usable is as if it had not been said.
func (i *Identity) tidy() error {
	if i.Subject == "" || len(i.Subject) > maxSubject || !utf8.ValidString(i.Subject) || strings.ContainsFunc(i.Subject, unicode.IsControl) {
		return errSubject
	}
	if !looksLikeEmail(i.Email) {
		i.Email, i.EmailVerified = "", false
	}
	for _, part := range []*string{&i.Name.First, &i.Name.Middle, &i.Name.Last} {
		*part = tidyName(*part)
	}
	if u, err := url.Parse(i.Picture); err != nil || len(i.Picture) > maxPicture || u.Scheme != "https" || u.Host == "" || u.User != nil {
		i.Picture = ""
	}
	if len(i.Locale) > maxLocale || strings.ContainsFunc(i.Locale, notInLocale) {
		i.Locale = ""
	}
	return nil
}

// looksLikeEmail refuses what can be no address. Whoever keeps one looks closer.
func looksLikeEmail(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && len(s) <= maxEmail && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) })
}

func tidyName(s string) string {
	if !utf8.ValidString(s) {
		return ""
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if runes := []rune(s); len(runes) > maxNamePart {
		s = strings.TrimSpace(string(runes[:maxNamePart]))
	}
	return s
}

func notInLocale(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}
