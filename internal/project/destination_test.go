package project

import (
	"errors"
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
)

func environmentWith(kind id.Env, urls map[string]RedirectUse) *Environment {
	e := &Environment{Kind: kind}
	for url, use := range urls {
		e.RedirectURLs = append(e.RedirectURLs, RedirectURL{URL: url, Types: []RedirectUse{use}})
	}
	return e
}

// Security cases 26 to 28: nothing but a registered URL is ever a destination.
func TestSecurity26To28DestinationsStayRegistered(t *testing.T) {
	e := environmentWith(id.Test, map[string]RedirectUse{
		"https://app.example.com/in?lang={}&v=1": {RedirectLogin, false},
		"https://example.com/cb":                 {RedirectLogin, false},
		"http://127.0.0.1:3000/cb":               {RedirectLogin, false},
		"https://*.preview.example.com/cb":       {RedirectLogin, false},
		"acme://open/cb":                         {RedirectLogin, false},
		"https://signup.example.com/":            {RedirectSignup, true},
	})
	for asked, want := range map[string]error{
		"https://example.com/cb":                            nil,
		"https://www.example.com/cb":                        nil,
		"HTTPS://EXAMPLE.com/cb":                            nil,
		"https://app.example.com/in?lang=de&v=1":            nil,
		"https://app.example.com/in?v=1&lang=":              nil,
		"http://127.0.0.1:3000/cb":                          nil,
		"https://pr-7.preview.example.com/cb":               nil,
		"acme://open/cb":                                    nil,
		"https://app.example.com/in?lang=de&v=2":            errQueryParams,
		"https://app.example.com/in?lang=de":                errQueryParams,
		"https://app.example.com/in?lang=de&v=1&x=2":        errQueryParams,
		"https://app.example.com/in?lang=de&lang=fr&v=1":    errQueryParams,
		"https://app.example.com/in?lang=de&v=1&token=x":    errQueryParams,
		"https://example.com/cb?stytch_token_type=oauth":    errQueryParams,
		"https://example.com/cb?a=%zz":                      errQueryParams,
		"https://example.com/cb/":                           errNoMatch,
		"https://example.com/cb/../evil":                    errNoMatch,
		"https://example.com/%63b":                          errNoMatch,
		"https://example.com:8443/cb":                       errNoMatch,
		"http://example.com/cb":                             errNoMatch,
		"https://example.com.evil.com/cb":                   errNoMatch,
		"https://evil.com/https://example.com/cb":           errNoMatch,
		"https://evilexample.com/cb":                        errNoMatch,
		"https://a.b.preview.example.com/cb":                errNoMatch,
		"https://preview.example.com/cb":                    errNoMatch,
		"https://www.www.example.com/cb":                    errNoMatch,
		"http://127.0.0.1:3000.evil.com/cb":                 errInvalidLogin,
		"http://127.0.0.2:3000/cb":                          errNoMatch,
		"http://[::1]:3000/cb":                              errNoMatch,
		"https://signup.example.com/":                       errNoMatch,
		"acme://open/other":                                 errNoMatch,
		"acme:open/cb":                                      errInvalidLogin,
		"https://example.com@evil.com/cb":                   errInvalidLogin,
		"https://good:pw@example.com/cb":                    errInvalidLogin,
		"https://evil.com\\@example.com/cb":                 errInvalidLogin,
		"https://example.com/cb#fragment":                   errInvalidLogin,
		"https://example.com\t/cb":                          errInvalidLogin,
		"https://example.com./cb":                           errInvalidLogin,
		"https://\u0435xample.com/cb":                       errInvalidLogin,
		"//example.com/cb":                                  errInvalidLogin,
		"/cb":                                               errInvalidLogin,
		"javascript:alert(1)":                               errInvalidLogin,
		"https://*.preview.example.com/cb":                  errInvalidLogin,
		"https://app.example.com/in?lang={}&v=1":            errInvalidLogin,
		"https://example.com/cb\r\nLocation:https://evil.x": errInvalidLogin,
	} {
		got, err := e.Destination(RedirectLogin, asked)
		if want == nil && (err != nil || got == "") || want != nil && !errors.Is(err, want) {
			t.Errorf("%q leads to %q, %v; want %v", asked, got, err, want)
		}
	}
	if got, err := e.Destination(RedirectSignup, ""); got != "https://signup.example.com/" || err != nil {
		t.Errorf("the default is %q, %v", got, err)
	}
	if _, err := e.Destination(RedirectLogin, ""); !errors.Is(err, errDefaultLogin) {
		t.Errorf("without a default: %v", err)
	}
	if _, err := e.Destination(RedirectInvite, ""); !errors.Is(err, errNoInvite) {
		t.Errorf("without any: %v", err)
	}
}

func TestRedirectURLsNameEachParameterOnce(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://example.com/?a=1&b={}":     true,
		"https://example.com/?a=1&a=2":      false,
		"https://example.com/?token=x":      false,
		"https://example.com/?a=%zz":        false,
		"https://example.com/?public_token": false,
	} {
		if err := CheckRedirectURL(id.Live, url); (err == nil) != ok || err != nil && apierr.From(err) == nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func FuzzDestination(f *testing.F) {
	e := environmentWith(id.Test, map[string]RedirectUse{"https://app.example.com/in?lang={}": {RedirectLogin, true}, "https://*.example.org/": {RedirectLogin, false}})
	for _, seed := range []string{"https://app.example.com/in?lang=x", "https://a.example.org/", "https://evil@app.example.com/in?lang=x", "//x", "https://app.example.com/in?lang=%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, asked string) {
		got, err := e.Destination(RedirectLogin, asked)
		if err != nil {
			return
		}
		if _, host, _, ok := ParseOrigin(originOf(got)); !ok || host != "app.example.com" && host != "www.app.example.com" && !sameHost("*.example.org", host) {
			t.Errorf("%q leads to %q", asked, got)
		}
	})
}

// originOf is the part of a URL before its path.
func originOf(s string) string {
	at := len("https://")
	for i := at; i < len(s); i++ {
		if s[i] == '/' || s[i] == '?' {
			return s[:i]
		}
	}
	return s
}
