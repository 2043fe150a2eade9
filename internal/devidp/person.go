package devidp

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// person is somebody who can sign in. The same address is the same account of a stand-in, and without an address the
// same name is, so that an account outlives the process that made it up.
type person struct {
	Name     string
	Email    string // "" for somebody whose address the provider does not tell
	Verified bool   // whether the provider says that the address is theirs
	Picture  string // the address of a picture, or ""
}

// Key tells people apart.
func (p person) Key() string {
	if p.Email != "" {
		return strings.ToLower(p.Email)
	}
	return p.Name
}

// Initial stands for a face.
func (p person) Initial() string {
	first, _ := utf8.DecodeRuneInString(p.shown())
	return strings.ToUpper(string(first))
}

// shown is what the person is called.
func (p person) shown() string {
	if p.Name != "" {
		return p.Name
	}
	return p.Email
}

// subject is the person's account at a stand-in: each has its own.
func (p person) subject(s StandIn) string {
	sum := sha256.Sum256([]byte(s.Key + "\n" + p.Key()))
	return hex.EncodeToString(sum[:10])
}

// claims are what a stand-in says of the person to a client that was granted the scope (OpenID Connect Core, section
// 5.4).
func (p person) claims(s StandIn, scope string) map[string]any {
	c := map[string]any{"sub": p.subject(s)}
	if contains(scope, "email") && p.Email != "" {
		c["email"], c[cmp.Or(s.Verified, "email_verified")] = p.Email, p.Verified
	}
	if contains(scope, "profile") && p.Name != "" {
		given, family, _ := strings.Cut(p.Name, " ")
		c["name"], c["given_name"], c["locale"] = p.Name, given, "en"
		if family != "" {
			c["family_name"] = family
		}
		if p.Picture != "" {
			c["picture"] = p.Picture
		}
	}
	return c
}

// regulars are there from the start: one for each of the ways in which providers tell addresses.
var regulars = []person{
	{Name: "Ada Lovelace", Email: "ada@example.com", Verified: true},
	{Name: "Alan Turing", Email: "alan@example.com"},
	{Name: "Grace Hopper"},
}

// maxTyped is how many people that were typed are offered again.
const maxTyped = 5

// people are those whom the page offers.
type people struct {
	mu    sync.Mutex
	typed []person // the latest first
}

// at returns those who can have an account at a stand-in.
func (l *people) at(s StandIn) []person {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := slices.Clone(l.typed)
	for _, p := range regulars {
		if !slices.ContainsFunc(list, func(t person) bool { return t.Key() == p.Key() }) {
			list = append(list, p)
		}
	}
	return slices.DeleteFunc(list, func(p person) bool { return s.HasEmail && p.Email == "" })
}

func (l *people) find(s StandIn, key string) (person, bool) {
	for _, p := range l.at(s) {
		if p.Key() == key {
			return p, true
		}
	}
	return person{}, false
}

func (l *people) remember(p person) {
	l.mu.Lock()
	defer l.mu.Unlock()
	others := slices.DeleteFunc(l.typed, func(t person) bool { return t.Key() == p.Key() })
	l.typed = append([]person{p}, others...)
	l.typed = l.typed[:min(len(l.typed), maxTyped)]
}

// draft is a person as they were typed, and what is wrong with it.
type draft struct {
	Name, Email, Picture string
	Verified             bool
	EmailProblem         string
	PictureProblem       string
}

func readDraft(form url.Values) draft {
	return draft{
		Name: strings.TrimSpace(form.Get("name")), Email: strings.TrimSpace(form.Get("email")),
		Picture: strings.TrimSpace(form.Get("picture")), Verified: form.Get("verified") != "",
	}
}

// person is who was typed; false when something is wrong, which the draft then says.
func (d *draft) person(s StandIn) (person, bool) {
	local, domain, at := strings.Cut(d.Email, "@")
	switch {
	case d.Email == "" && s.HasEmail:
		d.EmailProblem = "Enter an address: " + s.Name + " has one of everybody."
	case d.Email == "" && d.Name == "":
		d.EmailProblem = "Enter an address, or at least a name."
	case d.Email != "" && (!at || local == "" || domain == "" || strings.ContainsAny(d.Email, " \t\r\n<>\"")):
		d.EmailProblem = "Enter an address with a name, an @ and a domain, such as you@example.com."
	}
	if u, err := url.Parse(d.Picture); d.Picture != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		d.PictureProblem = "Enter the address of a picture, such as https://example.com/ada.png, or leave it empty."
	}
	p := person{Name: d.Name, Email: d.Email, Verified: d.Verified && d.Email != "", Picture: d.Picture}
	return p, d.EmailProblem == "" && d.PictureProblem == ""
}
