package app

import (
	"encoding/json"
	"net/http"

	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/wire"
)

// What the frame of the browser SDK sends beside its requests. A page of another
// site cannot send the first without being asked for it, which it never is.
const (
	oneTapHeader = "X-Stytch-Oauth-Type"
	oneTapType   = "google-one-tap"
	pageHeader   = "X-SDK-Parent-Host"
)

// oneTapStart tells the frame by what name Google knows the environment, and
// has it keep the cookie that it repeats later.
func (a *App) oneTapStart(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		return
	}
	ready, err := a.OAuth.StartOneTap(r.Context(), oauth.OneTapStart{
		PublicToken: r.URL.Query().Get("public_token"), Page: r.Header.Get(pageHeader), Cookie: oneTapCookie(r),
		IP: wire.CallFrom(r.Context()).IP,
	})
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	// Its reader is a script in a frame of another site's page: browsers that
	// keep such cookies keep them apart for each page (Partitioned).
	cookie := &http.Cookie{
		Name: oauth.OneTapCookie, Value: ready.Cookie, Path: "/", Expires: ready.Expires, Secure: ready.Secure, SameSite: http.SameSiteLaxMode,
	}
	if ready.Secure {
		cookie.SameSite, cookie.Partitioned = http.SameSiteNoneMode, true
	}
	http.SetCookie(w, cookie)
	answerOneTap(w, r, map[string]any{"google_client_id": ready.ClientID, "oauth_callback_id": ready.CallbackID})
}

// oneTapFinish takes what Google has given to the page, and says where it goes.
func (a *App) oneTapFinish(w http.ResponseWriter, r *http.Request) {
	var sent struct {
		IDToken   string `json:"id_token"`
		CSRF      string `json:"stytch_csrf_token"`
		LoginURL  string `json:"login_redirect_url"`
		SignupURL string `json:"signup_redirect_url"`
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxProviderForm)
	if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
		wire.Fail(w, r, wire.BadRequest("The request body is not the JSON that it should be.").Because(err))
		return
	}
	target, err := a.OAuth.FinishOneTap(r.Context(), oauth.OneTap{
		CallbackID: r.PathValue("callback_id"), Page: r.Header.Get(pageHeader), Cookie: oneTapCookie(r),
		IP: wire.CallFrom(r.Context()).IP, IDToken: sent.IDToken, CSRF: sent.CSRF, LoginURL: sent.LoginURL, SignupURL: sent.SignupURL,
	})
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	answerOneTap(w, r, map[string]any{"redirect_url": target})
}

// answerOneTap writes an answer as the backend API does, without an envelope.
func answerOneTap(w http.ResponseWriter, r *http.Request, fields map[string]any) {
	fields["status_code"], fields["request_id"] = http.StatusOK, wire.CallFrom(r.Context()).RequestID
	text, err := json.Marshal(fields)
	if err != nil {
		wire.Fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // a caller who is gone needs no answer
}

func oneTapCookie(r *http.Request) string {
	c, err := r.Cookie(oauth.OneTapCookie)
	if err != nil {
		return ""
	}
	return c.Value
}
