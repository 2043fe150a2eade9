package user

import (
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

// A cursor is the UUID of the last user of the page and the total, stamped for
// the query it belongs to.
const (
	cursorPurpose = "user search cursor"
	cursorPayload = 16 + 8
)

func (s *Service) sealCursor(env *project.Environment, query []byte, at position) (string, error) {
	uuid := strings.ReplaceAll(at.after[len(at.after)-36:], "-", "")
	cursor, err := hex.DecodeString(uuid)
	if err != nil {
		return "", err
	}
	return s.keys.Stamp(cursorPurpose, env.ID, binary.BigEndian.AppendUint64(cursor, uint64(at.total)), query)
}

func (s *Service) openCursor(env *project.Environment, query []byte, cursor string) (position, error) {
	payload, ok, err := s.keys.Stamped(cursorPurpose, env.ID, cursor, query)
	if err != nil {
		return position{}, err
	}
	if !ok || len(payload) != cursorPayload {
		return position{}, errCursor
	}
	u := hex.EncodeToString(payload[:16])
	uuid := strings.Join([]string{u[:8], u[8:12], u[12:16], u[16:20], u[20:]}, "-")
	return position{
		after: strings.Join([]string{string(id.User), string(env.Kind), uuid}, "-"),
		total: int64(binary.BigEndian.Uint64(payload[16:])),
	}, nil
}
