package ui

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/wire"
)

var errSignIn = apierr.New(400, "oauth_state_mismatch", "This sign-in was begun in <another> browser.")

// The page says a verdict in its own words, and of an accident what to do, in the
// language of the person. The log gets the cause, programs get the envelope.
func TestSignInPage(t *testing.T) {
	var log bytes.Buffer
	var fault error
	page := New().SignIn()
	server := wire.NewServer(wire.Config{
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, wire.Raw(http.MethodGet, "/x", wire.Open, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { page.Fail(w, r, fault) }), wire.NoStore()))
	get := func(accept, language string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header.Set("Accept", accept)
		r.Header.Set("Accept-Language", language)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		return w
	}
	const browser = "text/html,application/xhtml+xml"
	fault = errSignIn.Because(errors.New("the cause"))
	w := get(browser, "fr")
	checkHopHeaders(t, "the page", w.Header())
	if w.Code != 400 || !strings.Contains(w.Body.String(), "You could not be signed in") || !strings.Contains(w.Body.String(), "begun in &lt;another&gt; browser") {
		t.Errorf("a verdict: %d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "oauth_state_mismatch") || strings.Contains(w.Body.String(), "the cause") {
		t.Errorf("the log says %s", log.String())
	}
	if w := get("application/json", ""); w.Code != 400 || !strings.Contains(w.Body.String(), `"error_type":"oauth_state_mismatch"`) {
		t.Errorf("a program gets %d %s", w.Code, w.Body)
	}
	fault = errors.New("the database is gone")
	for language, want := range map[string]string{"en": "Something went wrong", "es": "Algo ha fallado", "pt-BR": "Algo deu errado", "fr-FR": "Un problème est survenu", "xx": "Something went wrong"} {
		if w := get(browser, language); w.Code != 500 || !strings.Contains(w.Body.String(), want) || strings.Contains(w.Body.String(), "database") {
			t.Errorf("an accident in %s: %d %s", language, w.Code, w.Body)
		}
	}
	words := mustReadSignInWords()
	for language := range mustReadWords() {
		if words[language].Failed == "" || words[language].FailedNext == "" {
			t.Errorf("there are no words in %s", language)
		}
	}
}
