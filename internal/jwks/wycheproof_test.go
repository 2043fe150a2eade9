package jwks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
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

// The vectors sign texts that are no claims, so what is tried is what judges
// the token's form, its header and its signature.
func TestWycheproof(t *testing.T) {
	valid, refused := 0, 0
	for _, name := range []string{"json_web_signature_test.json", "json_web_key_test.json"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "vectors", "wycheproof", name))
		if os.IsNotExist(err) {
			t.Skip("the Wycheproof vectors are not beside this clone")
		}
		var w wycheproof
		if err != nil || json.Unmarshal(text, &w) != nil {
			t.Fatal(name, err)
		}
		for _, g := range w.Groups {
			text := g.Public
			var one Claims
			if json.Unmarshal(text, &one) == nil && one["keys"] == nil {
				text, _ = json.Marshal(map[string]any{"keys": []any{one}})
			}
			set, err := ParseSet(text)
			if err != nil {
				set = &Set{} // nothing is verified without a key
			}
			for _, test := range g.Tests {
				tok, _, err := open(test.JWS, Expect{})
				if err == nil {
					_, err = set.verify(tok)
				}
				usable := slices.ContainsFunc(set.keys, func(k *key) bool { return tok != nil && k.fits(tok.algorithm) })
				switch {
				case err == nil && test.Result == "invalid":
					t.Errorf("%s %d (%s) was accepted", g.Comment, test.ID, test.Comment)
				case err != nil && test.Result == "valid" && usable:
					t.Errorf("%s %d (%s): %v", g.Comment, test.ID, test.Comment, err)
				case err == nil:
					valid++
				default:
					refused++
				}
			}
		}
	}
	t.Logf("%d accepted, %d refused", valid, refused)
	if valid < 10 || refused < 100 {
		t.Error("too few to prove anything")
	}
}
