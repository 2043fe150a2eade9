package ui

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

// SignInPage is what a browser is shown that is on its way to an identity
// provider, or back, and can go nowhere.
type SignInPage struct{ hop }

// SignIn returns the page. It is read when it is needed first.
func (u *UI) SignIn() *SignInPage {
	return &SignInPage{hop{
		page: sync.OnceValue(func() *template.Template {
			return template.Must(template.New("hop").Option("missingkey=error").Parse(string(u.files().pages["hop"].body)))
		}),
		words: sync.OnceValue(mustReadSignInWords),
	}}
}

// Fail answers err: with the page where a person reads it, with the envelope
// where a program does. A verdict is shown in its own words, which are English.
func (s *SignInPage) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		wire.Fail(w, r, err)
		return
	}
	Note(w, r, err)
	hopHeaders(w.Header())
	if e := apierr.From(err); e != nil {
		s.show(w, r, e.Status, hopWords{lang: "en"}.notice("You could not be signed in", e.Message))
		return
	}
	words := s.words()
	say := words[preferred(r.Header.Get("Accept-Language"), words)]
	s.show(w, r, http.StatusInternalServerError, say.notice(say.Failed, say.FailedNext))
}

// Note lets the log, the metrics and whoever counts refusals know of an error
// that is answered in another way than by the envelope.
func Note(w http.ResponseWriter, r *http.Request, err error) {
	envelope := unread{}
	wire.Fail(envelope, r, err)
	if after := envelope.Header().Get("Retry-After"); after != "" {
		w.Header().Set("Retry-After", after)
	}
}

//go:embed signin.json
var signInTexts []byte

// mustReadSignInWords reads what the page says in each language.
func mustReadSignInWords() map[string]hopWords {
	words := map[string]hopWords{}
	strict := json.NewDecoder(bytes.NewReader(signInTexts))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&words); err != nil {
		panic("ui: signin.json: " + err.Error())
	}
	for lang, w := range words {
		w.lang = lang
		words[lang] = w
	}
	return words
}
