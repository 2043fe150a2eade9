package jwks

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxToken = 16 << 10 // bytes; what providers issue is a tenth of it
	maxDepth = 32       // of objects and lists inside each other
)

// asymmetric are the algorithms of which only the issuer can hold the key that
// signs. A list of a caller cannot add to them.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// token is a JWT that has been taken apart and not been believed.
type token struct {
	compact   string
	algorithm string
	kid       string
	claims    Claims
}

// take reads a token without any judgement about who made it. Its size is
// looked at before anything else, so that no parser meets more than it should.
func take(compact string, e Expect) (*token, error) {
	t, payload, err := open(compact, e)
	if err != nil {
		return nil, err
	}
	if t.claims, err = object(payload); err != nil {
		return nil, malformed("claims: %w", err)
	}
	return t, nil
}

// open is take without the claims: it answers with what is to become them.
func open(compact string, e Expect) (*token, []byte, error) {
	if len(compact) > maxToken {
		return nil, nil, malformed("the token is too long")
	}
	if strings.Count(compact, ".") != 2 {
		return nil, nil, malformed("a signed token has three parts")
	}
	parts := strings.Split(compact, ".")
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = canonical(part); err != nil || len(decoded[i]) == 0 {
			return nil, nil, malformed("part %d is not base64url", i+1)
		}
	}
	t := &token{compact: compact}
	return t, decoded[1], t.header(decoded[0], e)
}

func (t *token) header(text []byte, e Expect) error {
	h, err := object(text)
	if err != nil {
		return malformed("header: %w", err)
	}
	for _, name := range []string{"crit", "b64", "enc", "zip"} {
		if _, is := h[name]; is {
			return malformed("the header has %s", name)
		}
	}
	t.algorithm = h.String("alg")
	if !slices.Contains(asymmetric, t.algorithm) || len(e.Algorithms) > 0 && !slices.Contains(e.Algorithms, t.algorithm) {
		return fmt.Errorf("%w: the algorithm is not one of those expected", ErrSignature)
	}
	if kid, is := h["kid"]; is {
		if t.kid, is = kid.(string); !is {
			return malformed("kid is not text")
		}
	}
	if typ, is := h["typ"]; is {
		name, _ := typ.(string)
		if !e.takes(name) {
			return malformed("it is a token of another type")
		}
	}
	return nil
}

// takes reports whether a token of a type is one for signing in. Tokens that
// say something else (logout+jwt, secevent+jwt, ...) carry the same issuer and
// audience.
func (e *Expect) takes(typ string) bool {
	types := e.Types
	if len(types) == 0 {
		types = []string{"JWT", "at+jwt", "id_token+jwt"}
	}
	typ = strings.TrimPrefix(strings.ToLower(typ), "application/")
	return slices.ContainsFunc(types, func(one string) bool { return strings.EqualFold(one, typ) })
}

// signedBy reports whether a key made the token's signature.
func (t *token) signedBy(k *key) bool {
	if !k.fits(t.algorithm) {
		return false
	}
	signed, err := jose.ParseSignedCompact(t.compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(t.algorithm)})
	if err != nil {
		return false
	}
	if _, err = signed.Verify(k.public); err != nil {
		return false
	}
	return !strings.HasPrefix(t.algorithm, "PS") || t.saltFits(k)
}

// saltFits asks of a PSS signature a salt as long as the hash (RFC 7518,
// section 3.5), where the library takes any length.
func (t *token) saltFits(k *key) bool {
	hash := map[string]crypto.Hash{"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512}[t.algorithm]
	public, is := k.public.(*rsa.PublicKey)
	dot := strings.LastIndexByte(t.compact, '.')
	signature, err := canonical(t.compact[dot+1:])
	if !is || err != nil {
		return false
	}
	digest := hash.New()
	_, _ = digest.Write([]byte(t.compact[:dot]))
	return rsa.VerifyPSS(public, hash, digest.Sum(nil), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

// canonical decodes base64url in the one spelling it has: without padding,
// line breaks or bits that nobody reads.
func canonical(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, base64.CorruptInputError(0)
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

// object reads a JSON object. A name that stands twice, at any depth, is
// refused, as two readers may see two values; numbers stay what they were.
func object(text []byte) (Claims, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, err
	}
	c, is := v.(map[string]any)
	if !is {
		return nil, errors.New("not an object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return c, nil
}

func value(d *json.Decoder, depth int) (any, error) {
	next, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch {
	case depth > maxDepth:
		return nil, errors.New("too deep")
	case next == json.Delim('{'):
		return members(d, depth)
	case next == json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	return next, nil
}

func members(d *json.Decoder, depth int) (any, error) {
	m := map[string]any{}
	for d.More() {
		next, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := next.(string)
		if _, twice := m[name]; twice {
			return nil, errors.New("a name stands twice")
		}
		if m[name], err = value(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return m, err
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}
