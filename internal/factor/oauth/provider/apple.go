package provider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const appleIssuer = "https://appleid.apple.com"

// apple: https://developer.apple.com/documentation/signinwithapplerestapi
var apple = &Provider{
	Name: "apple", Type: "Apple", Scopes: []string{"name", "email"},
	Nonce: true, FormPost: true, Email: IfClaimed,
	endpoints: Endpoints{
		Issuer:        appleIssuer,
		Authorization: "https://appleid.apple.com/auth/authorize",
		Token:         "https://appleid.apple.com/auth/token",
		JWKS:          "https://appleid.apple.com/auth/keys",
	},
	openID: true, native: true,
	params: []string{"locale"},
	check: func(c *Credentials) error {
		if c.TeamID == "" || c.KeyID == "" {
			return faultOf("Apple", "the team id or the key id is missing; give them with --team-id and --key-id")
		}
		_, err := appleKey(c)
		return err
	},
	secret:  appleSecret,
	account: appleAccount,
}

// appleSecretAge is how long a secret that we sign holds. Apple takes six
// months; each is used once.
const appleSecretAge = 5 * time.Minute

// appleSecret signs what Apple takes for a client secret: a JWT by the key that
// the team has registered.
func appleSecret(s *Service, c *Credentials) (string, error) {
	key, err := appleKey(c)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithHeader("kid", c.KeyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		return "", err
	}
	now := s.now()
	claims, err := json.Marshal(map[string]any{
		"iss": c.TeamID, "sub": c.ClientID, "aud": appleIssuer, "iat": now.Unix(), "exp": now.Add(appleSecretAge).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

var errAppleKey = faultOf("Apple", "the private key is missing or is not the .p8 file that Apple hands out; give that with --private-key-file")

func appleKey(c *Credentials) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(c.PrivateKey))
	if block == nil {
		return nil, errAppleKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errAppleKey // the text of err may tell of the key
	}
	key, is := parsed.(*ecdsa.PrivateKey)
	if !is || key.Curve != elliptic.P256() {
		return nil, errAppleKey
	}
	return key, nil
}

// maxAppleUser bounds the parameter user, in bytes.
const maxAppleUser = 4 << 10

// appleAccount reads the account from the id_token, and the name from the form,
// where Apple says it with the first consent and never again. The form comes by
// way of the browser, so it may say what the person is called and nothing else.
func appleAccount(_ context.Context, v *visit) (*Identity, error) {
	who := v.fromClaims(v.claims)
	who.Name = appleName(v.answer.Form.Get("user"))
	return who, nil
}

func appleName(user string) Name {
	if len(user) > maxAppleUser {
		return Name{}
	}
	said, err := readObject([]byte(user))
	if err != nil {
		return Name{}
	}
	return Name{First: said.Text("name.firstName"), Middle: said.Text("name.middleName"), Last: said.Text("name.lastName")}
}
