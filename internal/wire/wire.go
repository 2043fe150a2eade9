// Package wire owns the HTTP edge: how an endpoint is declared, how a request
// is bound, who may call, and the envelopes of answers and errors. Everything
// a handler of the JSON interface needs from HTTP passes through it as plain
// values, so that no other package of the domain sees a ResponseWriter.
//
// A request is a struct whose fields say where they come from:
//
//	UserID string         `path:"user_id"`                     // unescaped, once
//	Limit  *int           `query:"limit" min:"1" max:"1000"`   // repeated only if a slice
//	Code   string         `json:"code" required:"true"`        // a missing one is named
//	Claims map[string]any `json:"claims" door:"server"`        // never bound behind /sdk/v1
//
// Names match exactly, unknown ones are ignored, null is as good as absent
// (except for types with UnmarshalJSON, which are told). Embedded structs
// count as if their fields stood in their place. Validate() error on the
// request is asked last. The tags min, max, enum, example and description are
// for the OpenAPI document: the rule itself, with its own error, is the
// handler's or Validate's.
//
// It knows no domain: what a credential is worth is decided by the gates that
// the composition root passes in, and a path, a field or a product switch is
// an opaque word here. It never touches storage and never reads the clock
// except through Config.Now.
package wire

// Meta is the part of the envelope that every answer carries. Every response
// struct embeds it, directly or through a struct that does; one that does not
// fails to compile where its endpoint is declared. The server fills it in:
// once returned by its handler, a response belongs to wire and is not shared.
type Meta struct {
	RequestID  string `json:"request_id" required:"true" description:"Names this call in logs. Quote it when you ask for help." example:"request-id-test-019b7d5c-1c9d-7b6e-9b57-0f3a6b1f6d7e"`
	StatusCode int    `json:"status_code" required:"true" description:"Equals the HTTP status." example:"200"`
}

func (m *Meta) meta() *Meta { return m }

// carrier is what embedding Meta makes of a response struct's pointer.
type carrier interface{ meta() *Meta }

// ForBrowser may be implemented by a response that has another shape behind
// the browser's door. The value returned replaces the response inside
// {"data": ...}; it embeds Meta too, or copies it. The method is also called
// on a zero value, to learn the shape for the OpenAPI document.
type ForBrowser interface{ ForBrowser() any }

// Auth says who may call an endpoint. Its zero value is no answer: a server
// refuses to mount an endpoint that has none.
type Auth int

const (
	// Secret is the customer's backend on /v1: HTTP Basic, project id and secret.
	Secret Auth = iota + 1
	// Public is the customer's page on /sdk/v1: HTTP Basic, public token and session.
	Public
	// Open is anybody.
	Open
)

// String returns the word used in routes.txt and in logs.
func (a Auth) String() string {
	switch a {
	case Secret:
		return "secret"
	case Public:
		return "public"
	case Open:
		return "open"
	}
	return "none"
}
