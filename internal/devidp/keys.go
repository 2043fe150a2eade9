package devidp

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"sync"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// signer signs ID tokens with RS256, the algorithm that every client of OpenID Connect knows.
type signer struct {
	public jose.JSONWebKey
	with   jose.Signer
	err    error
}

// newSigner makes the key when it is first needed, since most runs need none. It ends with the process, so a client
// meets keys it has not seen as it does at any provider that changes its keys.
func newSigner() func() *signer {
	return sync.OnceValue(func() *signer {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return &signer{err: err}
		}
		s := &signer{public: jose.JSONWebKey{Key: private.Public(), Algorithm: string(jose.RS256), Use: "sig"}}
		thumbprint, err := s.public.Thumbprint(crypto.SHA256)
		if err != nil {
			return &signer{err: err}
		}
		s.public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
		key := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: s.public.KeyID}}
		s.with, s.err = jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
		return s
	})
}

func (s *signer) sign(claims map[string]any) (string, error) {
	if s.err != nil {
		return "", s.err
	}
	return jwt.Signed(s.with).Claims(claims).Serialize()
}

// jwks publishes the key.
func (p *Provider) jwks(w http.ResponseWriter, _ *http.Request, _ StandIn) {
	s := p.keys()
	if s.err != nil {
		refuse(w, http.StatusInternalServerError, "server_error", "The key could not be made.")
		return
	}
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.public}})
}
