package otp_test

import (
	"net/http"
	"testing"

	"gatehouse/internal/authtest"
)

func TestSandbox(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		const userID = "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"
		type fields = map[string]any
		live := s.LiveServer()
		for _, c := range []struct{ path, field, value, id, refused string }{
			{"email", "email", "sandbox@stytch.com", "email_id", "invalid_email_sandbox"},
			{"sms", "phone_number", "+10000000000", "phone_id", "invalid_phone_number_sandbox"},
			{"whatsapp", "phone_number", "+10000000000", "phone_id", "invalid_phone_number_sandbox"},
		} {
			to := fields{c.field: c.value}
			for _, operation := range []string{"send", "login_or_create"} {
				path := "/v1/otps/" + c.path + "/" + operation
				a := s.Call(http.MethodPost, path, to).OK()
				if a.String("user_id") != userID {
					t.Errorf("%s answered %s", path, a.Text)
				}
				method := a.String(c.id)
				in := s.Call(http.MethodPost, "/v1/otps/authenticate", fields{"method_id": method, "code": "000000", "session_duration_minutes": 60}).OK()
				if in.String("user_id") != userID || in.String("method_id") != method || in.String("session_token") != "WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY" {
					t.Errorf("the code answered %s", in.Text)
				}
				s.Call(http.MethodPost, "/v1/otps/authenticate", fields{"method_id": method, "code": "000001"}).Refused(404, "otp_code_not_found")
				s.Browser().Call(http.MethodPost, "/sdk/v1/otps/authenticate", fields{"method_id": method, "token": "000000", "session_duration_minutes": 60}).Refused(404, "otp_code_not_found")
				live.Call(http.MethodPost, path, to).Refused(400, c.refused)
			}
			s.Browser().Call(http.MethodPost, "/sdk/v1/otps/"+c.path+"/login_or_create", to).Refused(400, c.refused)
			if got := s.Messages(c.value); len(got) != 0 {
				t.Errorf("sent %d messages", len(got))
			}
		}
	})
}
