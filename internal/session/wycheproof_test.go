package session

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"gatehouse/internal/project"
)

type wycheproof struct {
	Groups []struct {
		Comment string          `json:"comment"`
		Public  json.RawMessage `json:"public"`
		Private json.RawMessage `json:"private"`
		Tests   []struct {
			ID      int    `json:"tcId"`
			Comment string `json:"comment"`
			JWS     string `json:"jws"`
			Result  string `json:"result"`
		} `json:"tests"`
	} `json:"testGroups"`
}

func vectors(t *testing.T, name string) *wycheproof {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "vectors", "wycheproof", name))
	if os.IsNotExist(err) {
		t.Skip("the Wycheproof vectors are not beside this clone")
	}
	if err != nil {
		t.Fatal(err)
	}
	var w wycheproof
	if err := json.Unmarshal(text, &w); err != nil {
		t.Fatal(err)
	}
	return &w
}

// TestWycheproofJWS runs every vector against what JWTs are verified with. A
// valid one in an algorithm of ours is accepted, everything else is refused.
func TestWycheproofJWS(t *testing.T) {
	accepted, refused := 0, 0
	for _, g := range vectors(t, "json_web_signature_test.json").Groups {
		var key jose.JSONWebKey
		usable := len(g.Public) > 0 && json.Unmarshal(g.Public, &key) == nil && (key.Algorithm == project.RS256 || key.Algorithm == project.ES256)
		for _, test := range g.Tests {
			_, err := verifySignature(test.JWS, func(kid string) (*Key, error) {
				if !usable || key.KeyID != "" && kid != key.KeyID {
					return nil, nil
				}
				return &Key{Algorithm: key.Algorithm, public: key.Public()}, nil
			})
			want := usable && test.Result == "valid"
			if (err == nil) != want {
				t.Errorf("%s %d (%s): %v, want valid: %v", g.Comment, test.ID, test.Comment, err, want)
			}
			if err == nil {
				accepted++
			} else {
				refused++
			}
		}
	}
	if accepted < 10 || refused < 100 {
		t.Errorf("%d vectors were accepted and %d refused: too few to prove anything", accepted, refused)
	}
}

// TestWycheproofKeySets: no vector of a key set that mixes symmetric with
// asymmetric keys, or is ambiguous, gets a token accepted that it should not.
func TestWycheproofKeySets(t *testing.T) {
	// Weak keys are a matter for whoever takes keys from others. The keys of
	// sessions are made here, in one size, for one use.
	madeByOthers := map[string]bool{"jws_rsa_roca_key": true, "keysize_too_small": true, "invalid_use": true}
	for _, g := range vectors(t, "json_web_key_test.json").Groups {
		text := g.Public
		if len(text) == 0 {
			text = g.Private
		}
		var set jose.JSONWebKeySet
		if json.Unmarshal(text, &set) != nil {
			continue // a set that cannot be read verifies nothing
		}
		for _, test := range g.Tests {
			_, err := verifySignature(test.JWS, func(kid string) (*Key, error) {
				for _, key := range set.Key(kid) {
					if public := key.Public(); public.Valid() && (key.Algorithm == project.RS256 || key.Algorithm == project.ES256) {
						return &Key{Algorithm: key.Algorithm, public: public}, nil
					}
				}
				return nil, nil
			})
			if err == nil && test.Result != "valid" && !madeByOthers[g.Comment] {
				t.Errorf("%s %d (%s) was accepted", g.Comment, test.ID, test.Comment)
			}
		}
	}
}
