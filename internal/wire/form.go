package wire

import (
	"mime"
	"net/http"
	"net/url"
	"reflect"
)

// Form lets an endpoint take its body as application/x-www-form-urlencoded too,
// as the endpoints of OAuth must (RFC 6749, section 3.2). The fields of the
// request are the same, and are texts, numbers or truth values. A parameter
// without a value counts as left out; one that is repeated is refused, whatever
// it is called, for two readers might each believe another of the two.
func Form() Option { return func(e *Endpoint) { e.TakesForm = true } }

const formType = "application/x-www-form-urlencoded"

// Basic is what a request's Authorization header says, for endpoints that are
// open to anybody and whose callers present credentials all the same, such as
// the clients of OAuth. A request struct with a field of this type gets it from
// the header alone, never from the body. Nothing of it has been verified.
type Basic struct {
	Sent           bool // there is such a header, whatever is in it
	User, Password string
	Sound          bool // the header is well formed (RFC 7617)
}

var typeBasic = reflect.TypeFor[Basic]()

func presentedBasic(h http.Header) (b Basic) {
	b.Sent = len(h["Authorization"]) > 0
	b.User, b.Password, b.Sound = basicAuth(h)
	return b
}

func isForm(h http.Header) bool {
	contentType := h.Get("Content-Type")
	if contentType == formType || contentType == "" {
		return contentType != ""
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == formType
}

// planForm lists the fields that a form can set: those of the body.
func (b *binding) planForm(t reflect.Type, browser bool) {
	members, _ := membersOf(t, fromBody)
	for _, m := range members {
		if browser && serversOnly(m.field) {
			continue
		}
		text := textField{name: m.name, index: m.index, required: m.field.Tag.Get("required") == "true"}
		text.build(t, m.field, false)
		b.form = append(b.form, text)
	}
}

func (b *binding) bindForm(v reflect.Value, body []byte, lacking *missing) error {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return BadRequest("The form in the request body is not valid: check its escapes and separators.")
	}
	for i := range b.form {
		f := &b.form[i]
		texts := values[f.name]
		switch {
		case len(texts) > 1:
			return BadRequest("The parameter %q appears more than once.", f.name)
		case len(texts) == 0 || texts[0] == "":
			if f.required {
				*lacking = append(*lacking, f.name)
			}
		case !cleanText(texts[0]) || !f.set(v.FieldByIndex(f.index), texts[0]):
			return BadRequest("The parameter %q must be %s.", f.name, f.want)
		}
		delete(values, f.name)
	}
	for _, texts := range values {
		if len(texts) > 1 {
			return BadRequest("A parameter appears more than once in the request body.")
		}
	}
	return nil
}
