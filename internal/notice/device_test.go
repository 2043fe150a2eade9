package notice_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"gatehouse/internal/authtest"
	"gatehouse/internal/notice"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
)

const (
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	chrome  = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
	iphone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)

// signIn starts a session for a user, as a server tells of the client.
func signIn(s *authtest.Server, userID, ip, userAgent string) *authtest.Answer {
	link := s.Call(http.MethodPost, "/v1/magic_links", body{"user_id": userID}).OK().String("token")
	more := body{"session_duration_minutes": 60}
	if ip != "" || userAgent != "" {
		more["attributes"] = body{"ip_address": ip, "user_agent": userAgent}
	}
	return enter(s, link, more)
}

func devices(t *testing.T, s *authtest.Server, userID string) int {
	t.Helper()
	return len(kept(t, s, userID))
}

func kept(t *testing.T, s *authtest.Server, userID string) (macs [][]byte) {
	t.Helper()
	err := s.DB.View(t.Context(), func(tx *store.Tx) (err error) {
		macs, err = notice.Devices(tx, s.Env.ID, userID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return macs
}

func TestNewDevice(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("notices.new_device", "true")
		userID := owner(t, s, "a@example.com")
		for _, step := range []struct {
			what, ip, userAgent string
			isNew               bool
		}{
			{"the first", "192.0.2.1", firefox, false},
			{"the same", "192.0.2.1", firefox, false},
			{"the same network", "192.0.77.9", firefox, false},
			{"the same, written in IPv6", "::ffff:192.0.2.1", firefox, false},
			{"an update", "192.0.2.1", "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0.2", false},
			{"another network", "198.51.100.1", firefox, true},
			{"it again", "198.51.100.2", firefox, false},
			{"another browser", "192.0.2.1", chrome, true},
			{"IPv6", "2001:db8:1:2::3", firefox, true},
			{"the same household", "2001:db8:1:ffff::9", firefox, false},
			{"another household", "2001:db8:2::1", firefox, true},
			{"no user agent", "192.0.2.1", "", true},
			{"no address", "", firefox, true},
			{"a server that says nothing", "", "", false},
		} {
			before := len(notices(s, "a@example.com"))
			signIn(s, userID, step.ip, step.userAgent).OK()
			if got := len(notices(s, "a@example.com")) - before; (got == 1) != step.isNew || got > 1 {
				t.Errorf("%s: %d notices, new is %v", step.what, got, step.isNew)
			}
		}
		signIn(s, userID, "203.0.113.7", chrome).OK()
		if got := notices(s, "a@example.com")[0]; got != "NOTICE_NEW_DEVICE Chrome, Windows" {
			t.Errorf("the notice is %q", got)
		}
		if n := devices(t, s, userID); n != 8 {
			t.Errorf("%d devices are kept, want 8", n)
		}
		s.Call(http.MethodDelete, "/v1/users/"+userID, nil).OK()
		if n := devices(t, s, userID); n != 0 {
			t.Errorf("%d devices of a deleted user are kept", n)
		}
	})
}

// Joining a session starts none, and neither does signing in without one.
func TestOnlyNewSessionsAreJudged(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("notices.new_device", "true")
		userID := owner(t, s, "a@example.com")
		token := signIn(s, userID, "192.0.2.1", firefox).OK().String("session_token")
		link := func() string {
			return s.Call(http.MethodPost, "/v1/magic_links", body{"user_id": userID}).OK().String("token")
		}
		elsewhere := body{"ip_address": "198.51.100.1", "user_agent": chrome}
		enter(s, link(), body{"session_token": token, "attributes": elsewhere}).OK()
		enter(s, link(), body{"attributes": elsewhere}).OK()
		used := link()
		enter(s, used, nil).OK()
		enter(s, used, body{"session_duration_minutes": 60, "attributes": elsewhere}).Refused(401, "unable_to_auth_magic_link")
		told(t, s, "a@example.com")
		enter(s, link(), body{"session_duration_minutes": 60, "attributes": elsewhere}).OK()
		told(t, s, "a@example.com", "NOTICE_NEW_DEVICE Chrome, Windows")
	})
}

// What a browser says of itself counts at its door.
func TestBrowsersAreJudged(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("notices.new_device", "true")
		userID := owner(t, s, "a@example.com")
		signIn(s, userID, "192.0.2.1", firefox).OK()
		link := s.Call(http.MethodPost, "/v1/magic_links", body{"user_id": userID}).OK().String("token")
		s.Browser().Call(http.MethodPost, "/sdk/v1/magic_links/authenticate", body{"token": link, "session_duration_minutes": 30}).OK()
		told(t, s, "a@example.com", "NOTICE_NEW_DEVICE")
	})
}

func TestNewDeviceIsOffByDefault(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		userID := owner(t, s, "a@example.com")
		signIn(s, userID, "192.0.2.1", firefox).OK()
		signIn(s, userID, "198.51.100.1", chrome).OK()
		told(t, s, "a@example.com")
		if n := devices(t, s, userID); n != 0 {
			t.Errorf("%d devices are kept though nobody asked", n)
		}
	})
}

func TestDevicesAreBounded(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("notices.new_device", "true")
		userID := owner(t, s, "a@example.com")
		for i := range notice.MaxDevices + 3 {
			s.Clock.Advance(time.Minute)
			signIn(s, userID, fmt.Sprintf("10.%d.0.1", i), firefox).OK()
		}
		if n := devices(t, s, userID); n != notice.MaxDevices {
			t.Errorf("%d devices are kept, want %d", n, notice.MaxDevices)
		}
		s.Clock.Advance(time.Hour)
		before := len(notices(s, "a@example.com"))
		signIn(s, userID, "10.52.0.1", firefox).OK() // the newest
		signIn(s, userID, "10.3.0.1", firefox).OK()  // the oldest that is kept
		if got := len(notices(s, "a@example.com")) - before; got != 0 {
			t.Errorf("devices that are kept are new %d times", got)
		}
		signIn(s, userID, "10.2.0.1", firefox).OK() // forgotten
		if got := len(notices(s, "a@example.com")) - before; got != 1 {
			t.Errorf("a forgotten device: %d notices, want 1", got)
		}
	})
}

func TestDevicesAgeFromWhenTheyWereSeen(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("notices.new_device", "true")
		userID := owner(t, s, "a@example.com")
		signIn(s, userID, "192.0.2.1", firefox).OK()
		signIn(s, userID, "198.51.100.1", firefox).OK()
		s.Clock.Advance(200 * 24 * time.Hour)
		signIn(s, userID, "192.0.2.1", firefox).OK()
		s.Clock.Advance(165 * 24 * time.Hour)
		purged, err := s.App.Purge(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if n := devices(t, s, userID); n != 1 || purged.Devices != 1 {
			t.Errorf("%d devices are left and %d went, want one of each", n, purged.Devices)
		}
		before := len(notices(s, "a@example.com"))
		signIn(s, userID, "192.0.2.1", firefox).OK()
		if got := len(notices(s, "a@example.com")) - before; got != 0 {
			t.Errorf("a device seen half a year ago is new")
		}
	})
}

// A new master key makes no device new while the old one is in the ring.
func TestDevicesOutliveAMasterKey(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("notices.new_device", "true")
		userID := owner(t, s, "a@example.com")
		signIn(s, userID, "192.0.2.1", firefox).OK()
		other := s.With(secret.NewMasterKey() + "," + s.MasterKey())
		row, err := s.Users.Get(t.Context(), s.Env, userID)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err := other.DB.Update(t.Context(), func(tx *store.Tx) error {
				return other.Notices.Started(tx, s.Env, row, session.Attributes{IPAddress: "192.0.2.1", UserAgent: firefox})
			})
			if err != nil {
				t.Fatal(err)
			}
			s.Clock.Advance(48 * time.Hour)
		}
		if n := devices(t, s, userID); n != 1 {
			t.Errorf("%d devices are kept, want 1", n)
		}
		told(t, s, "a@example.com")
	})
}

// Nobody learns from the table whether two people use the same device.
func TestDevicesOfPeopleDiffer(t *testing.T) {
	each(t, func(t *testing.T, s *authtest.Server) {
		s.Configure("notices.new_device", "true")
		seen := map[string]bool{}
		for _, email := range []string{"a@example.com", "b@example.com"} {
			userID := owner(t, s, email)
			signIn(s, userID, "192.0.2.1", firefox).OK()
			for _, mac := range kept(t, s, userID) {
				seen[string(mac)] = true
			}
		}
		if len(seen) != 2 {
			t.Errorf("two people have %d devices", len(seen))
		}
	})
}

func TestFamily(t *testing.T) {
	for _, same := range [][2]string{
		{chrome, "Mozilla/5.0 (Windows NT 11.0; Win64; x64) AppleWebKit/540.1 (KHTML, like Gecko) Chrome/131.0.6778.86 Safari/540.1"},
		{iphone, "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/22A3370 Safari/604.1"},
		{"Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041) Chrome/126.0", "Mozilla/5.0 (Linux; Android 15; Pixel 8 Build/AP3A.241005.015) Chrome/130.0"},
		{"Acme/1.2.3 (iPhone; iOS 17.4; Scale/3.00)", "Acme/2.0 (iPhone; iOS 18.1.1; Scale/3.00)"},
		{"okhttp/4.9.0", "okhttp/5.0.0-alpha.2"},
	} {
		if a, b := notice.Family(same[0]), notice.Family(same[1]); a != b || a == "" {
			t.Errorf("%q and %q differ", a, b)
		}
	}
	seen := map[string]string{"": ""}
	for _, ua := range []string{firefox, chrome, iphone, chrome + " Edg/126.0", "Acme/1.0 (iPhone)", "Acme/1.0 (iPad)"} {
		f := notice.Family(ua)
		if other, dup := seen[f]; dup {
			t.Errorf("%q and %q are both %q", ua, other, f)
		}
		seen[f] = ua
	}
}

func TestNetworkOf(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1": "192.0.0.0/16", "::ffff:192.0.2.1": "192.0.0.0/16", "2001:db8:1:2::3": "2001:db8:1::/48",
		"fe80::1%eth0": "fe80::/48", "": "", "nonsense": "", "192.0.2.1:80": "",
	} {
		if got := notice.NetworkOf(address); got != want {
			t.Errorf("%q is in %q, want %q", address, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	for userAgent, want := range map[string]string{
		firefox: "Firefox, Linux", chrome: "Chrome, Windows", iphone: "Safari, iPhone", chrome + " Edg/126.0": "Edge, Windows",
		"Mozilla/5.0 (Linux; Android 14; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0 Mobile Safari/537.36": "Samsung Internet, Android",
		"Acme/1.0 (iPhone; iOS 17.4)": "iPhone", "curl/8.0": "", "": "", "<b>evil.example</b>": "",
	} {
		if got := notice.Describe(userAgent); got != want {
			t.Errorf("%q is %q, want %q", userAgent, got, want)
		}
	}
}
