package notice

import (
	"net/netip"
	"regexp"
	"strings"
	"time"

	"gatehouse/internal/delivery"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

const (
	devicePurpose = "notice device"
	// maxDevices bounds what is kept of one user; the one unseen for longest goes.
	maxDevices = 50
	// keepDevice is how long a device is known after it was last seen.
	keepDevice = 365 * 24 * time.Hour
	// touchEvery is how stale last_seen may get: most logins then write nothing.
	touchEvery = 24 * time.Hour
)

// device is a place that a user has signed in from, as a keyed hash: the table
// does not say which browsers and networks somebody uses.
type device struct {
	mac      []byte
	lastSeen time.Time
}

// Started tells that a session starts on a device not seen before. The first
// device of a user is no news, nor is anything where a server says nothing of
// the client. Where the notice is switched off, no device is remembered.
func (s *Service) Started(tx *store.Tx, env *project.Environment, row *user.Row, seen session.Attributes) error {
	if !env.Config.Notices.NewDevice {
		return nil
	}
	program, network := family(seen.UserAgent), networkOf(seen.IPAddress)
	if program == "" && network == "" {
		return nil
	}
	known, err := devicesOf(tx, env.ID, row.UserID)
	if err != nil {
		return err
	}
	parts := [][]byte{[]byte(row.UserID), []byte(program), []byte(network)}
	for _, d := range known {
		// Any key of the ring will do: a new master key makes no device new.
		same, err := s.keys.VerifyMAC(devicePurpose, env.ID, d.mac, parts...)
		if err != nil {
			return err
		}
		if same && tx.Now.Sub(d.lastSeen) < touchEvery {
			return nil
		}
		if same {
			return upsertDevice(tx, env.ID, row.UserID, d.mac)
		}
	}
	mac, err := s.keys.MAC(devicePurpose, env.ID, parts...)
	if err != nil {
		return err
	}
	if err := upsertDevice(tx, env.ID, row.UserID, mac); err != nil {
		return err
	}
	for i := maxDevices - 1; i < len(known); i++ {
		if err := deleteDevice(tx, env.ID, row.UserID, known[i].mac); err != nil {
			return err
		}
	}
	if len(known) == 0 {
		return nil
	}
	u, err := row.User()
	if err != nil {
		return err
	}
	return s.tell(tx, env, delivery.NoticeNewDevice, row.UserID, describe(seen.UserAgent), addresses(u))
}

// Purge removes up to budget devices that were not seen for a year.
func Purge(tx *store.Tx, budget int) (int64, error) {
	return purge(tx, tx.Now.Add(-keepDevice), budget)
}

var (
	// productVersion is what follows the name of a product (RFC 9110, section
	// 10.1.5): "/15E148".
	productVersion = regexp.MustCompile(`/[^\s;,()]*`)
	// number is a version anywhere else: "Windows NT 10.0", "iPhone OS 17_5".
	number = regexp.MustCompile(`[0-9][0-9._]*`)
)

// family is a user agent without versions, so that an update makes no new
// device: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)" is "mozilla (x; linux x; rv:)".
func family(userAgent string) string {
	s := productVersion.ReplaceAllString(strings.ToLower(userAgent), "")
	return strings.Join(strings.Fields(number.ReplaceAllString(s, "")), " ")
}

// networkOf is the network an address is in: a /16 of IPv4 or a /48 of IPv6,
// about what one provider gives a town or a household. It is "" for what is no
// address.
func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 16
	if ip.Is6() {
		bits = 48
	}
	return netip.PrefixFrom(ip, bits).Masked().String()
}

// products are what the owner of an account knows a browser and a system by,
// each by what tells it apart in a user agent. The more particular come first:
// nearly all browsers claim to be Safari as well.
var products = [2][][2]string{
	{
		{"Edg", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
		{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"},
	},
	{
		{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
		{"Mac OS X", "macOS"}, {"Linux", "Linux"},
	},
}

// describe names browser and system, as far as they are known. Nothing of what
// a client writes gets into a mail.
func describe(userAgent string) string {
	var names []string
	for _, list := range products {
		for _, p := range list {
			if strings.Contains(userAgent, p[0]) {
				names = append(names, p[1])
				break
			}
		}
	}
	return strings.Join(names, ", ")
}
