package bulk

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"gatehouse/internal/project"
	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// exportPage is how many users one transaction of an export reads. Between two
// of them a SQLite database can shorten its log.
const exportPage = 500

// Exported counts what an export wrote.
type Exported struct {
	Users  int64 `json:"users"`
	Hashes int64 `json:"hashes"` // of passwords
	Bytes  int64 `json:"bytes"`  // before they are compressed
	// TOTPs counts authenticator apps, whose seeds stay behind.
	TOTPs int64 `json:"totps_left_out"`
}

// Export writes the users of an environment in the order of their ids, a line of
// JSON each, as Import reads them. Users who come and go meanwhile may be there
// or not; all others are there once. Without hashes, passwords are left out.
// It ends with ctx's error when ctx does.
func (s *Service) Export(ctx context.Context, env *project.Environment, to io.Writer, hashes bool, progress func(Exported)) (Exported, error) {
	var done Exported
	w := bufio.NewWriterSize(to, peekBytes)
	for last := ""; ; {
		var page []*Record
		err := s.DB.View(ctx, func(tx *store.Tx) error {
			page = page[:0]
			rows, err := user.After(tx, env, last, exportPage)
			if err != nil {
				return err
			}
			for _, row := range rows {
				r, err := s.record(tx, env, row, hashes)
				if err != nil {
					return fmt.Errorf("user %s: %w", row.UserID, err)
				}
				page = append(page, r)
			}
			return nil
		})
		if err != nil {
			return done, err
		}
		for _, r := range page {
			if err := done.write(w, r); err != nil {
				return done, err
			}
			last = r.UserID
		}
		if progress != nil {
			progress(done)
		}
		if len(page) < exportPage {
			return done, w.Flush()
		}
	}
}

func (e *Exported) write(w io.Writer, r *Record) error {
	line := counted{to: w}
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return err
	}
	e.Users++
	e.Bytes += line.n
	if r.Password != nil && r.Password.Hash != "" {
		e.Hashes++
	}
	e.TOTPs += int64(len(r.leftOut))
	return nil
}

type counted struct {
	to io.Writer
	n  int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

// record is a user in our own format. What passes by itself is left out: locks,
// and addresses that were added a moment ago and wait for their proof.
func (s *Service) record(tx *store.Tx, env *project.Environment, row *user.Row, hashes bool) (*Record, error) {
	u, err := row.User()
	if err != nil {
		return nil, err
	}
	r := &Record{UserID: u.UserID, Status: u.Status, CreatedAt: &u.CreatedAt, Providers: u.Providers, Roles: u.Roles}
	if u.ExternalID != nil {
		r.ExternalID = *u.ExternalID
	}
	if u.Name != (user.Name{}) {
		r.Name = &u.Name
	}
	for _, e := range u.Emails {
		if e.Verified || e.ExpiresAt.IsZero() {
			r.Emails = append(r.Emails, e)
		}
	}
	for _, p := range u.PhoneNumbers {
		if p.Verified || p.ExpiresAt.IsZero() {
			r.PhoneNumbers = append(r.PhoneNumbers, p)
		}
	}
	for _, t := range u.TOTPs {
		if t.Verified {
			r.leftOut = append(r.leftOut, t.TOTPID)
		}
	}
	for _, m := range []struct {
		from user.Metadata
		to   *json.RawMessage
	}{{u.TrustedMetadata, &r.TrustedMetadata}, {u.UntrustedMetadata, &r.UntrustedMetadata}} {
		if len(m.from) == 0 {
			continue
		}
		if *m.to, err = json.Marshal(m.from); err != nil {
			return nil, err
		}
	}
	if err := s.exportKeys(tx, env, u, r); err != nil || !hashes || u.Password == nil {
		return r, err
	}
	r.Password, err = s.exportPassword(tx, env, u)
	return r, err
}

func (s *Service) exportKeys(tx *store.Tx, env *project.Environment, u *user.User, r *Record) error {
	keys := map[string]json.RawMessage{}
	for kind, n := range map[string]int{
		user.KindWebAuthn: len(u.WebAuthnRegistrations), user.KindWallet: len(u.CryptoWallets), user.KindBiometric: len(u.BiometricRegistrations),
	} {
		if n == 0 {
			continue
		}
		found, err := s.Keepers[kind].KeysOf(tx, env, u.UserID)
		if err != nil {
			return err
		}
		for factorID, key := range found {
			keys[factorID] = key
		}
	}
	for _, w := range u.WebAuthnRegistrations {
		r.WebAuthnRegistrations = append(r.WebAuthnRegistrations, WebAuthnRegistration{w, keys[w.WebAuthnRegistrationID]})
	}
	for _, w := range u.CryptoWallets {
		if w.Verified || w.ExpiresAt.IsZero() {
			r.CryptoWallets = append(r.CryptoWallets, CryptoWallet{w, keys[w.CryptoWalletID]})
		}
	}
	for _, b := range u.BiometricRegistrations {
		r.BiometricRegistrations = append(r.BiometricRegistrations, BiometricRegistration{b, keys[b.BiometricRegistrationID]})
	}
	return nil
}

func (s *Service) exportPassword(tx *store.Tx, env *project.Environment, u *user.User) (*Password, error) {
	encoded, err := s.Passwords.HashOf(tx, env, u.UserID)
	if err != nil {
		return nil, err
	}
	p := &Password{PasswordID: u.Password.PasswordID, RequiresReset: u.Password.RequiresReset}
	p.HashType, p.Hash, p.Configs, err = passhash.Split(encoded)
	return p, err
}
