package app

import (
	"net/http"
	"net/url"
	"strings"

	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/jwks"
	"gatehouse/internal/outbound"
	"gatehouse/internal/ui"
	"gatehouse/internal/wire"
)

// newOAuth lets people sign in with identity providers. They are called through
// the guarded client, since an operator may name others than the known ones.
func (a *App) newOAuth() (*oauth.Service, error) {
	private, err := a.options.Server.Outbound()
	if err != nil {
		return nil, err
	}
	out := outbound.New(outbound.Policy{AllowPrivate: private, AllowHTTP: len(private) > 0})
	keys := jwks.New(out, a.DB.Now)
	return oauth.New(oauth.Config{
		DB: a.DB, Keyring: a.Keyring, Users: a.Users, Core: a.Sessions, Projects: a.Projects,
		Providers: provider.New(out, keys, a.DB.Now), PublicURL: a.PublicURL, StartsPerMinute: a.options.Server.SDKRateLimit,
	}), nil
}

// oauthPages are the addresses that browsers visit on their way to a provider
// and back.
func (a *App) oauthPages() []wire.Endpoint {
	page := a.Pages.SignIn()
	back := a.oauthCallback(page)
	return []wire.Endpoint{
		wire.Raw(http.MethodGet, "/v1/public/oauth/{provider}/start", wire.Open, a.oauthStart(page), wire.NoStore(), wire.Summary("Where an app sends a browser that signs in with a provider")),
		wire.Raw(http.MethodGet, "/v1/public/oauth/google/onetap/start", wire.Open, http.HandlerFunc(a.oneTapStart), wire.NoStore(), wire.Summary("What the browser SDK's frame needs for Google One Tap")),
		wire.Raw(http.MethodGet, "/v1/oauth/callback/{callback_id}", wire.Open, back, wire.NoStore(), wire.Summary("Where providers send browsers back to")),
		wire.Raw(http.MethodGet, "/v1/oauth/callback/{callback_id}/{provider}", wire.Open, back, wire.NoStore(), wire.Summary("Where a provider that is known by its issuer sends browsers back to")),
		wire.Raw(http.MethodPost, "/v1/oauth/callback/{callback_id}", wire.Open, back, wire.NoStore(), wire.Summary("Where providers that post a form send browsers back to")),
	}
}

func (a *App) oauthStart(page *ui.SignInPage) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead { // a program looks, and nobody sets out
			return
		}
		d, err := a.OAuth.Start(r.Context(), oauth.Start{
			Provider: r.PathValue("provider"), Query: r.URL.RawQuery, Cookies: cookiesOf(r), IP: wire.CallFrom(r.Context()).IP,
		})
		if err != nil {
			page.Fail(w, r, err)
			return
		}
		mark := &http.Cookie{
			Name: d.Mark.Name, Value: d.Mark.Value, Path: "/", Expires: d.Mark.Expires, HttpOnly: true, Secure: d.Mark.Secure, SameSite: http.SameSiteLaxMode,
		}
		if d.Mark.CrossSite {
			mark.SameSite = http.SameSiteNoneMode
		}
		http.SetCookie(w, mark)
		redirect(w, d.URL, http.StatusFound)
	})
}

// maxProviderForm is far above what a provider posts, in bytes.
const maxProviderForm = 64 << 10

func (a *App) oauthCallback(page *ui.SignInPage) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead { // a program looks, and nobody is back
			return
		}
		if r.Header.Get(oneTapHeader) == oneTapType && r.Method == http.MethodPost {
			a.oneTapFinish(w, r)
			return
		}
		values, err := providerAnswer(w, r)
		if err != nil {
			page.Fail(w, r, err)
			return
		}
		posted := r.Method == http.MethodPost
		to, err := a.OAuth.Return(r.Context(), oauth.Return{
			CallbackID: r.PathValue("callback_id"), Provider: r.PathValue("provider"), Values: values, Posted: posted, Cookies: cookiesOf(r),
		})
		if err != nil {
			page.Fail(w, r, err)
			return
		}
		if to.Refused != nil {
			ui.Note(w, r, to.Refused)
		}
		status := http.StatusFound
		if posted {
			status = http.StatusSeeOther
		}
		redirect(w, to.URL, status)
	})
}

// providerAnswer reads the query, or the form alone where one is posted: then a
// query is nobody's that we know.
func providerAnswer(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost {
		values, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, wire.BadRequest("The address is malformed.").Because(err)
		}
		return values, nil
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxProviderForm)
	if err := r.ParseForm(); err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil, wire.BadRequest("The form is malformed or too long.").Because(err)
	}
	return r.PostForm, nil
}

func cookiesOf(r *http.Request) (list []oauth.Cookie) {
	for _, c := range r.Cookies() {
		list = append(list, oauth.Cookie{Name: c.Name, Value: c.Value})
	}
	return list
}

// redirect sends a browser on. The address is used as it is: http.Redirect would
// write a page that repeats it, and its secrets. No policy separates windows
// here: an app may have the person sign in in one that it opened.
func redirect(w http.ResponseWriter, to string, status int) {
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", to)
	w.WriteHeader(status)
}
