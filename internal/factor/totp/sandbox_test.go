package totp_test

import (
	"net/http"
	"net/url"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/factor/totp"
)

func TestSandbox(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		const userID, code, recoveryCode = "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd", "000000", "a1b2-c3d4-e5f6"
		const token = "WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY"
		who := body{"user_id": userID}
		made := s.Call(http.MethodPost, create, who).OK()
		u, err := url.Parse(totp.Scan(t, made.String("qr_code")))
		if err != nil || u.Path != "/Acme:sandbox@stytch.com" || u.Query().Get("secret") != made.String("secret") || texts(made.Get("recovery_codes"))[0] != recoveryCode {
			t.Errorf("added: %s", made.Text)
		}
		s.Call(http.MethodPost, create, with(who, body{"expiration_minutes": 4})).Refused(400, "invalid_expiration")
		listed := s.Call(http.MethodPost, recoveryCodes, who).OK()
		if listed.Get("totps", 0, "totp_id") != made.Get("totp_id") || texts(listed.Get("totps", 0, "recovery_codes"))[0] != recoveryCode {
			t.Errorf("the recovery codes are %s", listed.Text)
		}
		for path, try := range map[string]struct {
			field, right, wrong, factor string
			status                      int
			refused                     string
		}{
			authenticate: {"totp_code", code, "000001", "totp", 401, "unable_to_authenticate_totp"},
			recovery:     {"recovery_code", recoveryCode, "a1b2-c3d4-e5f7", "recovery_codes", 401, "unable_to_authenticate_recovery_code"},
		} {
			for range 3 { // nothing is used up
				in := s.Call(http.MethodPost, path, with(who, body{try.field: try.right, "session_duration_minutes": 60})).OK()
				if in.String("user_id") != userID || in.String("session_token") != token || in.Get("totp_id") != made.Get("totp_id") || factors(in) != try.factor {
					t.Errorf("%s answered %s", path, in.Text)
				}
			}
			if in := s.Call(http.MethodPost, path, with(who, body{try.field: try.right})).OK(); in.String("session_token") != "" {
				t.Errorf("without a duration: %s", in.Text)
			}
			s.Call(http.MethodPost, path, with(who, body{try.field: try.wrong})).Refused(try.status, try.refused)
		}
		s.Call(http.MethodPost, authenticate, with(who, body{"totp_code": recoveryCode})).Refused(400, "recovery_code_used_as_totp_code")
		s.Call(http.MethodPost, recovery, with(who, body{"recovery_code": code})).Refused(400, "totp_code_used_as_recovery_code")

		// They mean nothing in a live environment, in a browser, and for anybody else.
		live := s.LiveServer()
		for path, fields := range map[string]body{create: who, recoveryCodes: who, authenticate: with(who, body{"totp_code": code}), recovery: with(who, body{"recovery_code": recoveryCode})} {
			live.Call(http.MethodPost, path, fields).Refused(400, "test_id_used_in_live_environment")
			s.Browser().Call(http.MethodPost, sdk+path, fields).Refused(401, "user_unauthenticated")
		}
		d := owner(s, "ada@example.com")
		if code != d.code(0) {
			d.enter(code, nil).Refused(401, "unable_to_authenticate_totp")
		}
		d.recover(recoveryCode, nil).Refused(401, "unable_to_authenticate_recovery_code")
	})
}
