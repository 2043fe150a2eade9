package app_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/trusted"
	"gatehouse/internal/jwks/jwkstest"
)

// elsewhere signs the tokens of an issuer that is trusted.
var elsewhere = sync.OnceValue(func() *jwkstest.Key { return jwkstest.NewKey(&testing.T{}, "", "ES256") })

var elsewhereTokens = 0

// byTrustedToken trusts an issuer, once for each server, and comes with a token
// of it.
func byTrustedToken(m *member, more fields) *authtest.Answer {
	m.t.Helper()
	profiles, err := m.s.TrustedTokens.List(m.t.Context(), m.s.Env)
	if err != nil {
		m.t.Fatal(err)
	}
	if len(profiles) == 0 {
		p, err := m.s.TrustedTokens.Create(m.t.Context(), m.s.Env, trusted.Profile{
			Name: "Elsewhere", Issuer: "elsewhere", Audience: "here", AttributeMapping: map[string]string{"email": "email", "token_id": "jti"},
		}, string(elsewhere().PEM(m.t)))
		if err != nil {
			m.t.Fatal(err)
		}
		profiles = append(profiles, p)
	}
	elsewhereTokens++
	token := elsewhere().Sign(m.t, fields{
		"iss": "elsewhere", "aud": "here", "exp": m.s.Clock.Now().Unix() + 300, "jti": fmt.Sprint(elsewhereTokens), "email": m.Email,
	}, nil)
	return m.s.Call(http.MethodPost, "/v1/sessions/attest", with(more, fields{"profile_id": profiles[0].ID, "token": token}))
}
