package webauthn

import (
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"gatehouse/internal/secret"
)

func newKeyring(t testing.TB) *secret.Keyring {
	t.Helper()
	keys, err := secret.ParseKeyring(secret.NewMasterKey())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestAnonymousChallengeIsBound(t *testing.T) {
	keys := newKeyring(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	challenge, err := newAnonymousChallenge(keys, "project-test-1", "example.com", now, true, false)
	if err != nil {
		t.Fatal(err)
	}
	open := func(k *secret.Keyring, env, domain string, challenge []byte) (*anonymousChallenge, bool) {
		t.Helper()
		got, ok, err := openAnonymousChallenge(k, env, domain, challenge)
		if err != nil {
			t.Fatal(err)
		}
		return got, ok
	}
	got, ok := open(keys, "project-test-1", "example.com", challenge)
	if !ok || !got.Expires.Equal(now.Add(5*time.Minute)) || !got.VerifyUser || len(got.UsedID) != usedIDSize {
		t.Fatalf("%t %+v", ok, got)
	}
	if _, ok := open(keys, "project-live-1", "example.com", challenge); ok {
		t.Error("accepted in another environment")
	}
	if _, ok := open(keys, "project-test-1", "example.org", challenge); ok {
		t.Error("accepted for another domain")
	}
	if _, ok := open(newKeyring(t), "project-test-1", "example.com", challenge); ok {
		t.Error("accepted under another key")
	}
	for i := range challenge {
		changed := append([]byte(nil), challenge...)
		changed[i] ^= 0x10
		if _, ok := open(keys, "project-test-1", "example.com", changed); ok {
			t.Errorf("accepted with byte %d changed", i)
		}
	}
	for _, changed := range [][]byte{nil, challenge[:47], append(challenge[:48:48], 0), newStoredChallenge()} {
		if _, ok := open(keys, "project-test-1", "example.com", changed); ok {
			t.Errorf("accepted %d bytes", len(changed))
		}
	}
}

func TestChallengesReadTheSameInBothAlphabets(t *testing.T) {
	keys := newKeyring(t)
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	seen := map[string]bool{}
	for i := range 200 {
		anonymous, err := newAnonymousChallenge(keys, "project-test-1", "example.com", now.Add(time.Duration(i)*7919*time.Second), false, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, challenge := range [][]byte{anonymous, newStoredChallenge()} {
			standard, url := base64.StdEncoding.EncodeToString(challenge), base64.RawURLEncoding.EncodeToString(challenge)
			if standard != url {
				t.Fatalf("%s and %s", standard, url)
			}
			if seen[url] {
				t.Fatal("a challenge came twice")
			}
			seen[url] = true
		}
	}
}

func TestOptionsAreTheInnerObject(t *testing.T) {
	challenge := newStoredChallenge()
	creation := &creationOptions{
		rpID: "example.com", rpName: `Ada's "Shop" <é>`, userHandle: []byte{0xfb, 0xff, 0xfe}, userName: "ada@example.com", displayName: "Ada",
		challenge: challenge, exclude: []descriptor{{id: []byte{0xff, 0xef}, transports: []string{"usb"}}},
		attachment: attachmentPlatform, residentKey: residentKeyRequired, userVerification: verificationPreferred,
	}
	for name, want := range map[string]struct {
		enc        binaryEncoding
		user, cred string
	}{
		"standard": {standardBase64, "+//+", "/+8="},
		"url":      {base64URL, "-__-", "_-8"},
	} {
		t.Run(name, func(t *testing.T) {
			var o struct {
				RP                 struct{ ID, Name string }
				User               struct{ ID, Name, DisplayName string }
				Challenge          string
				PubKeyCredParams   []struct{ Alg int }
				Timeout            int
				ExcludeCredentials []struct {
					ID, Type   string
					Transports []string
				}
				AuthenticatorSelection struct {
					AuthenticatorAttachment, ResidentKey, UserVerification string
					RequireResidentKey                                     bool
				}
				Attestation string
				Extensions  struct{ CredProps bool }
			}
			if err := json.Unmarshal([]byte(creation.json(want.enc)), &o); err != nil {
				t.Fatal(err)
			}
			if o.RP.ID != "example.com" || o.RP.Name != creation.rpName || o.User.ID != want.user || o.User.Name != "ada@example.com" || o.User.DisplayName != "Ada" {
				t.Errorf("%+v %+v", o.RP, o.User)
			}
			if o.Challenge != base64.StdEncoding.EncodeToString(challenge) || o.Timeout != 300000 || o.Attestation != "none" || !o.Extensions.CredProps {
				t.Errorf("%+v", o)
			}
			if len(o.PubKeyCredParams) != 3 || o.PubKeyCredParams[0].Alg != -7 || o.PubKeyCredParams[1].Alg != -8 || o.PubKeyCredParams[2].Alg != -257 {
				t.Errorf("%+v", o.PubKeyCredParams)
			}
			if x := o.ExcludeCredentials; len(x) != 1 || x[0].ID != want.cred || x[0].Type != "public-key" || len(x[0].Transports) != 1 {
				t.Errorf("%+v", x)
			}
			if s := o.AuthenticatorSelection; s.AuthenticatorAttachment != "platform" || s.ResidentKey != "required" || !s.RequireResidentKey || s.UserVerification != "preferred" {
				t.Errorf("%+v", s)
			}
			request := &requestOptions{rpID: "example.com", challenge: challenge, allow: creation.exclude, userVerification: verificationDiscouraged}
			wantRequest := `{"allowCredentials":[{"id":"` + want.cred + `","type":"public-key","transports":["usb"]}],"challenge":"` + o.Challenge + `","rpId":"example.com","timeout":300000,"userVerification":"discouraged"}`
			if got := request.json(want.enc); got != wantRequest {
				t.Errorf("got  %s\nwant %s", got, wantRequest)
			}
		})
	}
	empty := &requestOptions{rpID: "example.com", challenge: challenge, userVerification: verificationPreferred}
	if got := empty.json(base64URL); got[:len(`{"allowCredentials":[],`)] != `{"allowCredentials":[],` {
		t.Error(got)
	}
}
