package devidp

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"gatehouse/internal/pkce"
)

const (
	codeLifetime = time.Minute
	maxForm      = 16 << 10 // bytes, far above what the page's forms can hold
)

// request is what a client asks for at the authorization endpoint.
type request struct {
	redirectURI string
	state       string
	scope       string
	nonce       string
	challenge   string
	hint        string
}

// grant is what a person agreed to: what a code and the tokens after it stand for.
type grant struct {
	request
	standIn string
	person  person
	at      time.Time // when the person said who they are
}

// authorize shows the page where a person says who signs in.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request, s StandIn) {
	if req, ok := p.read(w, r, s); ok {
		show(w, http.StatusOK, p.view(s, req, draft{Email: req.hint, Verified: true}))
	}
}

// decide takes what the person said, and leads them back to the client.
func (p *Provider) decide(w http.ResponseWriter, r *http.Request, s StandIn) {
	req, ok := p.read(w, r, s)
	if !ok {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		show(w, http.StatusBadRequest, refusal(s, "The form could not be read."))
		return
	}
	if r.PostForm.Has("deny") {
		p.back(w, r, s, req, url.Values{"error": {"access_denied"}, "error_description": {"The person denied access."}})
		return
	}
	who, ok := p.people.find(s, r.PostForm.Get("person"))
	if !ok {
		typed := readDraft(r.PostForm)
		if who, ok = typed.person(s); !ok {
			show(w, http.StatusUnprocessableEntity, p.view(s, req, typed))
			return
		}
		p.people.remember(who)
	}
	now := p.config.Now()
	code := p.codes.put(grant{request: req, standIn: s.Key, person: who, at: now}, now, codeLifetime)
	p.back(w, r, s, req, url.Values{"code": {code}})
}

// read reads a client's request. Whatever is wrong with the client itself is told to the person: nobody knows then
// whether the address they would be sent to is the client's. The rest is told to the client.
func (p *Provider) read(w http.ResponseWriter, r *http.Request, s StandIn) (request, bool) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	req := request{
		redirectURI: q.Get("redirect_uri"), state: q.Get("state"), scope: q.Get("scope"),
		nonce: q.Get("nonce"), challenge: q.Get("code_challenge"), hint: q.Get("login_hint"),
	}
	switch {
	case err != nil:
		show(w, http.StatusBadRequest, refusal(s, "The address of this page is malformed."))
		return req, false
	case q.Get("client_id") != p.config.ClientID:
		show(w, http.StatusBadRequest, refusal(s, "This provider stands in for "+s.Name+" and answers only the client that gatehouse dev configures. "+
			"To sign in at the real one, run gatehouse oauth-provider set test "+s.Key+" with --client-id and --client-secret-file, which leads there. "+
			"To come back to this one, run gatehouse oauth-provider remove test "+s.Key+" and start gatehouse dev again."))
		return req, false
	case !onThisMachine(req.redirectURI):
		show(w, http.StatusBadRequest, refusal(s, "The redirect_uri does not lead to this machine, and this provider sends nobody elsewhere."))
		return req, false
	}
	if problem, description := fault(q); problem != "" {
		p.back(w, r, s, req, url.Values{"error": {problem}, "error_description": {description}})
		return req, false
	}
	return req, true
}

// fault is what is wrong with a request, by the codes of RFC 6749, section 4.1.2.1, and of OpenID Connect Core, section
// 3.1.2.6; "" when nothing is.
func fault(q url.Values) (code, description string) {
	challenge, method := q.Get("code_challenge"), q.Get("code_challenge_method")
	switch {
	case q.Get("response_type") != "code":
		return "unsupported_response_type", "The response_type must be code."
	case q.Get("response_mode") != "" && q.Get("response_mode") != "query":
		return "invalid_request", "The response_mode must be query."
	case !contains(q.Get("scope"), "openid"):
		return "invalid_scope", "The scope must have openid in it."
	case q.Get("prompt") == "none":
		return "login_required", "A person has to say who signs in."
	case challenge == "" && method == "":
		return "", ""
	case method != "S256" || pkce.CheckChallenge(challenge) != nil:
		return "invalid_request", "The code_challenge must be the SHA-256 of the code_verifier, with the code_challenge_method S256."
	}
	return "", ""
}

// onThisMachine tells whether a redirect URI ends at a loopback name, where nobody else can read what it carries.
func onThisMachine(redirectURI string) bool {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || strings.Contains(redirectURI, "#") {
		return false
	}
	host := u.Hostname()
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// back leads the browser to the client with an answer, which says whose it is (RFC 9207).
func (p *Provider) back(w http.ResponseWriter, r *http.Request, s StandIn, req request, answer url.Values) {
	to, err := url.Parse(req.redirectURI)
	if err != nil {
		show(w, http.StatusBadRequest, refusal(s, "The redirect_uri is malformed."))
		return
	}
	if req.state != "" {
		answer.Set("state", req.state)
	}
	answer.Set("iss", p.Endpoints(s.Key).Issuer)
	q := to.Query()
	for name, values := range answer {
		q[name] = values
	}
	to.RawQuery = q.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Option("missingkey=error").Parse(pageText))

// view is what the page shows.
type view struct {
	StandIn StandIn
	Client  string // where the person goes afterwards: "localhost:8080"
	Scopes  []string
	People  []person
	Draft   draft
	Refusal string // in place of everything else
}

func (p *Provider) view(s StandIn, req request, d draft) view {
	v := view{StandIn: s, Scopes: strings.Fields(req.scope), People: p.people.at(s), Draft: d}
	if u, err := url.Parse(req.redirectURI); err == nil {
		v.Client = u.Host
	}
	return v
}

func refusal(s StandIn, why string) view { return view{StandIn: s, Refusal: why} }

// show answers with the page.
func show(w http.ResponseWriter, status int, v view) {
	var body bytes.Buffer
	if err := page.Execute(&body, v); err != nil {
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // fails when the person has gone: nobody to tell
}
