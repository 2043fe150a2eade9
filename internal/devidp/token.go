package devidp

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/pkce"
	"gatehouse/internal/secret"
)

const (
	accessLifetime  = time.Hour
	refreshLifetime = 30 * 24 * time.Hour
)

// tokens is the answer of the token endpoint (RFC 6749, section 5.1).
type tokens struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"` // seconds
	Scope        string `json:"scope"`
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
}

// token takes a code or a refresh token, and answers with tokens.
func (p *Provider) token(w http.ResponseWriter, r *http.Request, s StandIn) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "The form could not be read.")
		return
	}
	if !p.isClient(r) {
		if _, _, basic := r.BasicAuth(); basic {
			w.Header().Set("WWW-Authenticate", "Basic")
		}
		refuse(w, http.StatusUnauthorized, "invalid_client", "The client_id or the client_secret is wrong.")
		return
	}
	form, now := r.PostForm, p.config.Now()
	var g grant
	ok := false
	switch form.Get("grant_type") {
	case "authorization_code":
		// Taking the code uses it up, whatever comes of it: a second try would be a guess at the rest.
		if g, ok = p.codes.take(form.Get("code"), now); ok {
			ok = form.Get("redirect_uri") == g.redirectURI && pkce.Verify(g.challenge, form.Get("code_verifier")) == nil
		}
	case "refresh_token":
		g, ok = p.refresh.get(form.Get("refresh_token"), now)
		g.nonce = "" // it was of the first token alone
	default:
		refuse(w, http.StatusBadRequest, "unsupported_grant_type", "The grant_type must be authorization_code or refresh_token.")
		return
	}
	if !ok || g.standIn != s.Key {
		refuse(w, http.StatusBadRequest, "invalid_grant", "The code or token has expired, was used before, or does not belong to this request.")
		return
	}
	idToken, err := p.idToken(s, g, now)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "server_error", "The ID token could not be signed.")
		return
	}
	answer := tokens{
		AccessToken: p.access.put(g, now, accessLifetime), TokenType: "Bearer",
		ExpiresIn: int(accessLifetime.Seconds()), Scope: g.scope, IDToken: idToken,
	}
	if form.Get("grant_type") == "authorization_code" {
		answer.RefreshToken = p.refresh.put(g, now, refreshLifetime)
	}
	w.Header().Set("Pragma", "no-cache")
	writeJSON(w, http.StatusOK, answer)
}

// isClient checks the credentials in the header or, without one, in the form. In the header both are encoded like a
// form (RFC 6749, section 2.3.1).
func (p *Provider) isClient(r *http.Request) bool {
	clientID, clientSecret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, basic := r.BasicAuth(); basic {
		var err error
		if clientID, err = url.QueryUnescape(user); err != nil {
			return false
		}
		if clientSecret, err = url.QueryUnescape(password); err != nil {
			return false
		}
	}
	return secret.Equal(clientID, p.config.ClientID) && secret.Equal(clientSecret, p.config.ClientSecret)
}

// idToken says who signed in, to the client alone (OpenID Connect Core, section 2).
func (p *Provider) idToken(s StandIn, g grant, now time.Time) (string, error) {
	claims := g.person.claims(s, g.scope)
	claims["iss"], claims["aud"] = p.Endpoints(s.Key).Issuer, p.config.ClientID
	claims["iat"], claims["exp"], claims["auth_time"] = now.Unix(), now.Add(accessLifetime).Unix(), g.at.Unix()
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	return p.keys().sign(claims)
}

// userInfo tells who is behind an access token (OpenID Connect Core, section 5.3).
func (p *Provider) userInfo(w http.ResponseWriter, r *http.Request, s StandIn) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	g, ok := p.access.get(token, p.config.Now())
	if !strings.EqualFold(scheme, "Bearer") || !ok || g.standIn != s.Key {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		refuse(w, http.StatusUnauthorized, "invalid_token", "The access token has expired or is not one of this provider.")
		return
	}
	writeJSON(w, http.StatusOK, g.person.claims(s, g.scope))
}

// refuse answers as RFC 6749, section 5.2.
func refuse(w http.ResponseWriter, status int, code, description string) {
	writeJSON(w, status, map[string]string{"error": code, "error_description": description})
}

// writeJSON cannot fail but by the client having gone, and then nobody is left to tell.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
