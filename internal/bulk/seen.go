package bulk

import "hash/maphash"

// seen remembers which users a dry run would have created, so that it finds
// those a file has twice: 8 bytes of hash for each value that is one user's.
type seen struct {
	seed   maphash.Seed
	values map[uint64]struct{}
}

func newSeen() *seen { return &seen{maphash.MakeSeed(), map[uint64]struct{}{}} }

// add notes a user, and tells whether an earlier row was about the same one.
func (s *seen) add(d *draft) outcome {
	result := created
	note := func(kind, value string) {
		h := maphash.String(s.seed, kind+"\x00"+value)
		if _, known := s.values[h]; known {
			result = existing
		}
		s.values[h] = struct{}{}
	}
	if d.user.UserID != "" {
		note("user", d.user.UserID)
	}
	if d.user.ExternalID != nil {
		note("external", *d.user.ExternalID)
	}
	for _, f := range d.user.Factors() {
		if f.Value != "" {
			note(f.Kind, f.Value)
		}
	}
	return result
}
