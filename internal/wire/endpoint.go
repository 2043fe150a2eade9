package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// Endpoint is one route with everything known about it. The exported fields
// are for reading: they feed routes.txt, the OpenAPI document and the test
// that tries every wrong kind of caller on every route.
type Endpoint struct {
	Method    string
	Path      string // chi pattern, such as "/v1/users/{user_id}"
	Auth      Auth
	Needs     []string // product switches its gate asks for, Public routes only
	Summary   string   // one line for the OpenAPI document
	TakesBody bool     // binds a JSON body
	TakesForm bool     // binds a form as well, see Form
	IsRaw     bool     // writes its own answer, see Raw
	// OAuthErrors says in which form its errors are, see the option.
	OAuthErrors bool

	op    *operation   // typed endpoints
	raw   http.Handler // raw endpoints
	cache []string     // Cache-Control of its successes
}

// operation is what is left of a typed handler when its types are erased.
type operation struct {
	req, resp reflect.Type // struct types
	run       func(ctx context.Context, bind func(any) error) (any, *Meta, error)
}

// Option adds to a declaration what few endpoints have.
type Option func(*Endpoint)

// Needs names the product switches that must be on for a browser to use the
// endpoint. The words mean nothing here; the Public gate interprets them.
func Needs(what ...string) Option {
	return func(e *Endpoint) { e.Needs = append(e.Needs, what...) }
}

// Summary sets the line that the API reference shows for the endpoint.
func Summary(s string) Option { return func(e *Endpoint) { e.Summary = s } }

// Cache replaces the Cache-Control "no-store" of an endpoint's successes, for
// documents that are public by nature, such as key sets. Errors stay no-store.
func Cache(control string) Option { return func(e *Endpoint) { e.cache = []string{control} } }

// NoStore marks a Raw endpoint's answers as not to be cached. Typed endpoints
// are so marked anyway.
func NoStore() Option { return Cache(noStore) }

const noStore = "no-store"

// GET declares an endpoint that binds path and query. It answers HEAD too.
func GET[Req, Resp any, R interface {
	*Resp
	carrier
}](path string, a Auth, f func(context.Context, *Req) (R, error), o ...Option) Endpoint {
	return declare(http.MethodGet, path, a, f, o)
}

// POST declares an endpoint that binds a JSON body, path and query.
func POST[Req, Resp any, R interface {
	*Resp
	carrier
}](path string, a Auth, f func(context.Context, *Req) (R, error), o ...Option) Endpoint {
	return declare(http.MethodPost, path, a, f, o)
}

// PUT declares an endpoint that binds a JSON body, path and query.
func PUT[Req, Resp any, R interface {
	*Resp
	carrier
}](path string, a Auth, f func(context.Context, *Req) (R, error), o ...Option) Endpoint {
	return declare(http.MethodPut, path, a, f, o)
}

// DELETE declares an endpoint that binds path and query.
func DELETE[Req, Resp any, R interface {
	*Resp
	carrier
}](path string, a Auth, f func(context.Context, *Req) (R, error), o ...Option) Endpoint {
	return declare(http.MethodDelete, path, a, f, o)
}

// Raw declares one of the exceptions: a page, an asset, metrics, a redirect.
// The handler writes its own answer; the gate, CORS, request ids, recovery,
// metrics and the log are the same as for typed endpoints. Its r.PathValue
// gives unescaped values, and Fail answers an error in the envelope.
func Raw(method, path string, a Auth, h http.Handler, o ...Option) Endpoint {
	e := Endpoint{Method: method, Path: path, Auth: a, IsRaw: true, raw: h}
	for _, opt := range o {
		opt(&e)
	}
	return e
}

var errNoResponse = errors.New("the handler returned neither a response nor an error")

func declare[Req, Resp any, R interface {
	*Resp
	carrier
}](method, path string, a Auth, f func(context.Context, *Req) (R, error), o []Option) Endpoint {
	e := Endpoint{Method: method, Path: path, Auth: a, cache: headerNoStore,
		TakesBody: method == http.MethodPost || method == http.MethodPut}
	for _, opt := range o {
		opt(&e)
	}
	if f == nil {
		return e
	}
	run := func(ctx context.Context, bind func(any) error) (any, *Meta, error) {
		req := new(Req)
		if err := bind(req); err != nil {
			return nil, nil, err
		}
		resp, err := f(ctx, req)
		if err != nil {
			return nil, nil, err
		}
		if (*Resp)(resp) == nil {
			return nil, nil, errNoResponse
		}
		return resp, resp.meta(), nil
	}
	e.op = &operation{req: reflect.TypeFor[Req](), resp: reflect.TypeFor[Resp](), run: run}
	return e
}

// pathParams returns the names in a chi pattern, "*" included.
func pathParams(pattern string) []string {
	var names []string
	for rest := pattern; ; {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			break
		}
		var name string
		name, rest, _ = strings.Cut(after, "}")
		name, _, _ = strings.Cut(name, ":") // "{id:[0-9]+}"
		names = append(names, name)
	}
	if strings.HasSuffix(pattern, "*") {
		names = append(names, "*")
	}
	return names
}

// shape is the pattern with its parameters' names taken out: two routes of
// one method and one shape are the same route.
func shape(pattern string) string {
	for _, name := range pathParams(pattern) {
		pattern = strings.Replace(pattern, "{"+name, "{", 1)
	}
	return pattern
}

// browserDoor is where the browser's interface is mounted.
const browserDoor = "/sdk/v1"

func behindBrowserDoor(path string) bool {
	return strings.HasPrefix(path, browserDoor) &&
		(len(path) == len(browserDoor) || path[len(browserDoor)] == '/')
}

// check says what is wrong with a declaration, "" when nothing is.
func (e *Endpoint) check() string {
	switch {
	case e.op == nil && e.raw == nil:
		return "has no handler"
	case e.Auth < Secret || e.Auth > Open:
		return "does not say who may call it: pass wire.Secret, wire.Public or wire.Open"
	case e.TakesForm && !e.TakesBody:
		return "takes a form, but has no body"
	case len(e.Needs) > 0 && e.Auth != Public:
		return "needs a product switch, which only a wire.Public route can"
	case (e.Auth == Public && !behindBrowserDoor(e.Path)) || (e.Auth == Secret && behindBrowserDoor(e.Path)):
		return fmt.Sprintf("is %s: public routes live under %s, secret ones elsewhere", e.Auth, browserDoor)
	}
	return ""
}

func sortEndpoints(list []Endpoint) []Endpoint {
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b Endpoint) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return sorted
}

// Describe writes one line per endpoint: method, path, who may call, and the
// product switches, sorted by path and aligned.
func Describe(w io.Writer, endpoints []Endpoint) error {
	width := 0
	for _, e := range endpoints {
		width = max(width, len(e.Path))
	}
	for _, e := range sortEndpoints(endpoints) {
		line := fmt.Sprintf("%-7s %-*s %-6s %s", e.Method, width, e.Path, e.Auth, strings.Join(e.Needs, " "))
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " ")); err != nil {
			return err
		}
	}
	return nil
}
