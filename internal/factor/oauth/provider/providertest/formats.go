package providertest

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
)

// issued are the tokens of one answer.
type issued struct {
	access, refresh, id string
	first               bool // for a code, not for a refresh token
}

// format is how one provider speaks.
type format struct {
	scopes      []string // that a request must ask for
	separator   string   // between them, where it is no space
	clientID    string   // what the parameter is called, where it is called otherwise
	denied      string   // what it says when the person says no, where it is not access_denied
	basic       bool     // the client authenticates in a header
	needsPKCE   bool
	refreshes   bool // it issues refresh tokens,
	rotates     bool // and replaces them when they are used
	openID      bool
	issuer      string
	namesIssuer bool // the answer to the browser has iss
	reply       func(f *fake, g *grant, t issued) map[string]any
	claims      func(f *fake, g *grant) map[string]any
	account     func(f *fake, g *grant, r *http.Request) any
	emails      func(f *fake, g *grant, r *http.Request) any
	refusal     func(f *fake, code string) (int, any)
}

func (f *format) idName() string         { return cmp.Or(f.clientID, "client_id") }
func (f *format) scopeSeparator() string { return cmp.Or(f.separator, " ") }
func (f *format) deniedWord() string     { return cmp.Or(f.denied, "access_denied") }

// reply is an answer as RFC 6749 has it; more adds to it.
func reply(seconds int, more map[string]any) func(*fake, *grant, issued) map[string]any {
	return func(f *fake, g *grant, t issued) map[string]any {
		m := map[string]any{"access_token": t.access, "token_type": "Bearer", "expires_in": seconds, "scope": strings.Join(g.scopes, " ")}
		if t.refresh != "" {
			m["refresh_token"] = t.refresh
		}
		if t.id != "" {
			m["id_token"] = t.id
		}
		return edited(m, more)
	}
}

// profile are the claims of OpenID Connect.
func profile(_ *fake, g *grant) map[string]any {
	p := g.person
	m := map[string]any{
		"name": p.First + " " + p.Last, "given_name": p.First, "family_name": p.Last, "picture": p.Picture, "locale": p.Locale,
		"email": p.Email, "email_verified": p.Verified,
	}
	if p.Email == "" {
		delete(m, "email")
		delete(m, "email_verified")
	}
	return m
}

func userinfo(f *fake, g *grant, _ *http.Request) any {
	return edited(profile(f, g), map[string]any{"sub": g.person.Subject})
}

// numeric is the id of an account where accounts are counted.
func numeric(p Person) json.Number { return json.Number(p.Subject) }

// orNull is a text, or null where there is none.
func orNull(s string) any {
	if s == "" {
		return json.RawMessage("null")
	}
	return s
}

var formats = map[string]format{
	OpenID: {
		scopes: []string{"openid", "email", "profile"}, basic: true, refreshes: true, rotates: true, openID: true, namesIssuer: true,
		reply: reply(3600, nil), account: userinfo,
	},
	"google": {
		scopes: []string{"openid", "email", "profile"}, refreshes: true, openID: true, issuer: "https://accounts.google.com", namesIssuer: true,
		reply: func(f *fake, g *grant, t issued) map[string]any {
			return reply(3599, map[string]any{"scope": "openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile"})(f, g, t)
		},
		claims: func(f *fake, g *grant) map[string]any {
			return edited(profile(f, g), map[string]any{"azp": g.audience, "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q"})
		},
	},
	"microsoft": {
		scopes: []string{"openid", "email", "profile"}, openID: true,
		reply: reply(3736, map[string]any{"ext_expires_in": 3736}),
		claims: func(f *fake, g *grant) map[string]any {
			p := g.person
			return edited(map[string]any{
				"ver": "2.0", "tid": p.Tenant, "oid": "00000000-0000-0000-66f3-3332eca7ea81", "name": p.First + " " + p.Last,
				"preferred_username": p.Email, "email": p.Email, "xms_edov": p.Owned,
			}, nil)
		},
		refusal: func(f *fake, code string) (int, any) {
			status := http.StatusBadRequest
			if code == "invalid_client" {
				status = http.StatusUnauthorized
			}
			return status, map[string]any{
				"error": code, "error_description": "AADSTS: Bad secret.", "error_codes": []int{cmp.Or(f.mood.ErrorCode, 70008)},
				"timestamp": "2026-01-02 03:04:05Z", "trace_id": "0000aaaa-11bb-cccc-dd22-eeeeee333333", "correlation_id": "aaaa0000-bb11-2222-33cc-444444dddddd",
			}
		},
	},
	"apple": {
		scopes: []string{"name", "email"}, denied: "user_cancelled_authorize", refreshes: true, openID: true, issuer: "https://appleid.apple.com",
		reply: reply(3600, map[string]any{"scope": nil}),
		claims: func(f *fake, g *grant) map[string]any {
			m := map[string]any{"nonce_supported": true, "auth_time": f.server.now().Unix()}
			if g.person.Email != "" {
				m["email"], m["email_verified"] = g.person.Email, map[bool]any{true: "true", false: "false"}[g.person.Verified]
				m["is_private_email"] = map[bool]any{true: "true", false: nil}[g.person.Private]
			}
			return edited(m, nil)
		},
		refusal: func(_ *fake, code string) (int, any) { return http.StatusBadRequest, map[string]any{"error": code} },
	},
	"github": {
		scopes: []string{"read:user", "user:email"},
		reply: func(f *fake, g *grant, t issued) map[string]any {
			return map[string]any{"access_token": t.access, "token_type": "bearer", "scope": strings.Join(g.scopes, ",")}
		},
		account: func(_ *fake, g *grant, _ *http.Request) any {
			return map[string]any{
				"login": "ada", "id": numeric(g.person), "node_id": "MDQ6VXNlcjE=", "avatar_url": g.person.Picture, "name": g.person.First + " " + g.person.Last,
				"email": "public@example.org", "type": "User",
			}
		},
		emails: func(_ *fake, g *grant, _ *http.Request) any {
			list := []any{
				map[string]any{"email": "other@example.org", "verified": true, "primary": false, "visibility": nil},
				map[string]any{"email": "10815+ada@users.noreply.github.com", "verified": true, "primary": false, "visibility": nil},
			}
			if g.person.Email != "" {
				list = append(list, map[string]any{"email": g.person.Email, "verified": g.person.Verified, "primary": true, "visibility": "private"})
			}
			return list
		},
		refusal: func(_ *fake, code string) (int, any) {
			own := map[string]string{"invalid_client": "incorrect_client_credentials", "invalid_grant": "bad_verification_code"}
			return http.StatusOK, map[string]any{"error": cmp.Or(own[code], code), "error_description": "The code passed is incorrect or expired.", "error_uri": "https://docs.github.com/"}
		},
	},
	"gitlab": {
		scopes: []string{"openid", "email", "profile"}, refreshes: true, rotates: true, openID: true, issuer: "https://gitlab.com",
		reply:   reply(7200, map[string]any{"created_at": 1767323045}),
		account: userinfo,
	},
	"facebook": {
		scopes: []string{"email", "public_profile"}, separator: ",",
		reply: func(_ *fake, _ *grant, t issued) map[string]any {
			return map[string]any{"access_token": t.access, "token_type": "bearer", "expires_in": 5183944}
		},
		account: facebookAccount,
		refusal: func(_ *fake, code string) (int, any) {
			fault := map[string]any{"message": "This authorization code has been used.", "type": "OAuthException", "code": 100, "error_subcode": 36009, "fbtrace_id": "A"}
			switch code {
			case "invalid_client":
				fault = map[string]any{"message": "Error validating client secret.", "type": "OAuthException", "code": 1, "fbtrace_id": "A"}
			case "invalid_request":
				fault = map[string]any{"message": "Missing redirect_uri parameter.", "type": "OAuthException", "code": 100, "fbtrace_id": "A"}
			}
			return http.StatusBadRequest, map[string]any{"error": fault}
		},
	},
	"discord": {
		scopes: []string{"identify", "email"}, refreshes: true, rotates: true,
		reply: reply(604800, nil),
		account: func(_ *fake, g *grant, _ *http.Request) any {
			p := g.person
			return map[string]any{
				"id": p.Subject, "username": "ada", "discriminator": "0", "global_name": p.First + " " + p.Last, "avatar": "a_8342729096ea3675442027381ff50dfe",
				"locale": p.Locale, "mfa_enabled": true, "email": orNull(p.Email), "verified": p.Verified, "flags": 64,
			}
		},
	},
	"salesforce": {
		scopes: []string{"openid", "email", "profile"}, openID: true, issuer: "https://login.salesforce.com",
		reply: func(f *fake, g *grant, t issued) map[string]any {
			return reply(0, map[string]any{
				"expires_in": nil, "signature": "c2lnbmF0dXJl", "instance_url": "https://acme.my.salesforce.com", "id": g.person.Subject, "issued_at": "1767323045000",
			})(f, g, t)
		},
		account: func(f *fake, g *grant, r *http.Request) any {
			return edited(profile(f, g), map[string]any{"sub": g.person.Subject, "user_id": "005", "organization_id": "00D", "photos": map[string]any{"picture": g.person.Picture}})
		},
	},
	"slack": {
		scopes: []string{"openid", "email", "profile"}, openID: true, issuer: "https://slack.com",
		reply: func(_ *fake, _ *grant, t issued) map[string]any {
			return map[string]any{"ok": true, "access_token": t.access, "token_type": "Bearer", "id_token": t.id}
		},
		claims: func(f *fake, g *grant) map[string]any {
			return edited(profile(f, g), map[string]any{
				"https://slack.com/team_id": "T0R7GR", "https://slack.com/user_id": g.person.Subject, "picture": nil,
				"https://slack.com/user_image_512": g.person.Picture, "date_email_verified": 1622128723,
			})
		},
		refusal: func(_ *fake, code string) (int, any) {
			own := map[string]string{"invalid_client": "bad_client_secret", "invalid_grant": "invalid_code", "invalid_request": "bad_redirect_uri"}
			return http.StatusOK, map[string]any{"ok": false, "error": cmp.Or(own[code], code)}
		},
	},
	"amazon": {
		scopes: []string{"profile"}, refreshes: true,
		reply: reply(3600, map[string]any{"token_type": "bearer", "scope": nil}),
		account: func(_ *fake, g *grant, _ *http.Request) any {
			return edited(map[string]any{"user_id": "amzn1.account." + g.person.Subject, "name": g.person.First + " " + g.person.Last, "postal_code": "98052", "email": g.person.Email}, nil)
		},
	},
	"bitbucket": {
		scopes: []string{"account", "email"}, basic: true, refreshes: true,
		reply: func(_ *fake, g *grant, t issued) map[string]any {
			return edited(map[string]any{
				"access_token": t.access, "scopes": strings.Join(g.scopes, " "), "expires_in": 7200, "refresh_token": t.refresh, "token_type": "bearer", "state": "authorization_code",
			}, map[bool]map[string]any{true: {"refresh_token": nil}}[t.refresh == ""])
		},
		account: func(_ *fake, g *grant, _ *http.Request) any {
			return map[string]any{
				"type": "user", "uuid": "{" + g.person.Subject + "}", "account_id": "557058:1", "nickname": "ada", "display_name": g.person.First + " " + g.person.Last,
				"links": map[string]any{"avatar": map[string]any{"href": g.person.Picture}},
			}
		},
		emails: func(_ *fake, g *grant, _ *http.Request) any {
			list := []any{map[string]any{"type": "email", "email": "other@example.org", "is_primary": false, "is_confirmed": true}}
			if g.person.Email != "" {
				list = append(list, map[string]any{"type": "email", "email": g.person.Email, "is_primary": true, "is_confirmed": g.person.Verified})
			}
			return map[string]any{"pagelen": 10, "page": 1, "size": len(list), "values": list}
		},
	},
	"linkedin": {
		scopes: []string{"openid", "email", "profile"}, denied: "user_cancelled_authorize", openID: true, issuer: "https://www.linkedin.com/oauth",
		reply: func(f *fake, g *grant, t issued) map[string]any {
			return reply(5183999, map[string]any{"scope": "email,openid,profile"})(f, g, t)
		},
		account: func(f *fake, g *grant, _ *http.Request) any {
			m := edited(profile(f, g), map[string]any{"sub": g.person.Subject})
			if language, country, ok := strings.Cut(g.person.Locale, "-"); ok {
				m["locale"] = map[string]any{"language": language, "country": country}
			}
			return m
		},
	},
	"coinbase": {
		scopes: []string{"wallet:user:read", "wallet:user:email"}, separator: ",", refreshes: true, rotates: true,
		reply: reply(7200, map[string]any{"token_type": "bearer"}),
		account: func(_ *fake, g *grant, _ *http.Request) any {
			return map[string]any{"data": edited(map[string]any{
				"id": g.person.Subject, "name": g.person.First + " " + g.person.Last, "avatar_url": g.person.Picture, "resource": "user",
				"resource_path": "/v2/user", "email": g.person.Email,
			}, nil)}
		},
	},
	"twitch": {
		scopes: []string{"openid", "user:read:email"}, refreshes: true, openID: true, issuer: "https://id.twitch.tv/oauth2",
		reply: func(f *fake, g *grant, t issued) map[string]any {
			return reply(14124, map[string]any{"scope": g.scopes, "token_type": "bearer"})(f, g, t)
		},
		claims: func(f *fake, g *grant) map[string]any {
			m := map[string]any{"azp": g.audience}
			if strings.Contains(f.asked.Get("claims"), `"email_verified"`) && g.person.Email != "" {
				m["email"], m["email_verified"] = g.person.Email, g.person.Verified
			}
			if strings.Contains(f.asked.Get("claims"), `"picture"`) {
				m["picture"], m["preferred_username"] = g.person.Picture, g.person.First
			}
			return m
		},
		refusal: func(_ *fake, code string) (int, any) {
			switch code {
			case "invalid_client":
				return http.StatusForbidden, map[string]any{"status": 403, "message": "invalid client secret"}
			case "invalid_request":
				return http.StatusBadRequest, map[string]any{"status": 400, "message": "Parameter redirect_uri does not match registered URI"}
			}
			return http.StatusBadRequest, map[string]any{"status": 400, "message": "Invalid authorization code"}
		},
	},
	"twitter": {
		scopes: []string{"users.read", "tweet.read"}, basic: true, needsPKCE: true, refreshes: true, rotates: true,
		reply: reply(7200, map[string]any{"token_type": "bearer"}),
		account: func(_ *fake, g *grant, r *http.Request) any {
			data := map[string]any{"id": g.person.Subject, "name": g.person.First + " " + g.person.Last, "username": "ada"}
			if strings.Contains(r.URL.Query().Get("user.fields"), "profile_image_url") {
				data["profile_image_url"] = g.person.Picture
			}
			return map[string]any{"data": data}
		},
	},
	"tiktok": {
		scopes: []string{"user.info.basic"}, separator: ",", clientID: "client_key", refreshes: true, rotates: true,
		reply: func(f *fake, g *grant, t issued) map[string]any {
			return reply(86400, map[string]any{"open_id": g.person.Subject, "refresh_expires_in": 31536000, "scope": strings.Join(g.scopes, ",")})(f, g, t)
		},
		account: func(_ *fake, g *grant, r *http.Request) any {
			all := map[string]any{"open_id": g.person.Subject, "avatar_url": g.person.Picture, "display_name": g.person.First + " " + g.person.Last}
			user := map[string]any{}
			for name := range strings.SplitSeq(r.URL.Query().Get("fields"), ",") {
				user[name] = all[name]
			}
			return map[string]any{"data": map[string]any{"user": user}, "error": map[string]any{"code": "ok", "message": "", "log_id": "2026"}}
		},
		refusal: func(_ *fake, code string) (int, any) {
			return http.StatusOK, map[string]any{"error": code, "error_description": "Authorization code is expired.", "log_id": "2026"}
		},
	},
	"snapchat": {
		scopes: []string{"https://auth.snapchat.com/oauth2/api/user.external_id", "https://auth.snapchat.com/oauth2/api/user.display_name"}, basic: true, refreshes: true,
		reply: reply(3600, nil),
		account: func(_ *fake, g *grant, r *http.Request) any {
			me, query := map[string]any{}, r.URL.Query().Get("query")
			for name, v := range map[string]any{"externalId": g.person.Subject, "displayName": g.person.First + " " + g.person.Last, "bitmoji": map[string]any{"avatar": g.person.Picture}} {
				if strings.Contains(query, name) {
					me[name] = v
				}
			}
			return map[string]any{"data": map[string]any{"me": me}, "errors": []any{}}
		},
	},
	"figma": {
		scopes: []string{"current_user:read"}, basic: true, refreshes: true,
		reply: func(_ *fake, g *grant, t issued) map[string]any {
			if !t.first {
				return map[string]any{"access_token": t.access, "token_type": "bearer", "expires_in": 7776000}
			}
			return map[string]any{"user_id_string": g.person.Subject, "access_token": t.access, "token_type": "bearer", "expires_in": 7776000, "refresh_token": t.refresh}
		},
		account: func(_ *fake, g *grant, _ *http.Request) any {
			return edited(map[string]any{"id": g.person.Subject, "email": g.person.Email, "handle": g.person.First + " " + g.person.Last, "img_url": g.person.Picture}, nil)
		},
	},
	"yahoo": {
		scopes: []string{"openid", "email", "profile"}, basic: true, refreshes: true, openID: true, issuer: "https://api.login.yahoo.com",
		reply:   reply(3600, map[string]any{"token_type": "bearer", "scope": nil}),
		account: userinfo,
	},
}

// facebookAccount answers whoever proves to be the app, as apps can demand.
func facebookAccount(f *fake, g *grant, r *http.Request) any {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	mac := hmac.New(sha256.New, []byte(f.clientSecret()))
	mac.Write([]byte(token))
	if r.URL.Query().Get("appsecret_proof") != hex.EncodeToString(mac.Sum(nil)) {
		return map[string]any{"error": map[string]any{"message": "API calls from the server require an appsecret_proof argument", "code": 100}}
	}
	p := g.person
	return edited(map[string]any{
		"id": p.Subject, "name": p.First + " " + p.Last, "first_name": p.First, "last_name": p.Last, "email": p.Email,
		"picture": map[string]any{"data": map[string]any{"url": p.Picture, "is_silhouette": false}},
	}, map[bool]map[string]any{true: {"email": nil}}[p.Email == ""])
}
