package user

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"gatehouse/internal/id"
	"gatehouse/internal/project"
)

// position is where a page begins: after the user with that id ("": at the
// beginning), with the total that the first page counted.
type position struct {
	after string
	total int64
}

// A cursor is the UUID of the last user of the page, the total, and a MAC of
// both and the query under a key of the environment, in base64url. It stays
// valid however long it is kept.
const (
	cursorPurpose = "user search cursor"
	cursorPayload = 16 + 8
	cursorLength  = cursorPayload + 32
)

func (s *Service) sealCursor(env *project.Environment, query []byte, at position) (string, error) {
	uuid := strings.ReplaceAll(at.after[len(at.after)-36:], "-", "")
	cursor, err := hex.DecodeString(uuid)
	if err != nil {
		return "", err
	}
	cursor = binary.BigEndian.AppendUint64(cursor, uint64(at.total))
	mac, err := s.keys.MAC(cursorPurpose, env.ID, cursor, query)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(cursor, mac...)), nil
}

func (s *Service) openCursor(env *project.Environment, query []byte, cursor string) (position, error) {
	if len(cursor) != base64.RawURLEncoding.EncodedLen(cursorLength) {
		return position{}, errCursor
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return position{}, errCursor.Because(err)
	}
	payload, mac := b[:cursorPayload], b[cursorPayload:]
	ok, err := s.keys.VerifyMAC(cursorPurpose, env.ID, mac, payload, query)
	if err != nil {
		return position{}, err
	}
	if !ok {
		return position{}, errCursor
	}
	u := hex.EncodeToString(payload[:16])
	uuid := strings.Join([]string{u[:8], u[8:12], u[12:16], u[16:20], u[20:]}, "-")
	return position{
		after: strings.Join([]string{string(id.User), string(env.Kind), uuid}, "-"),
		total: int64(binary.BigEndian.Uint64(payload[16:])),
	}, nil
}
