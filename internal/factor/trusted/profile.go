package trusted

import (
	"context"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/jwks"
	"gatehouse/internal/outbound"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errNotFound    = apierr.New(404, "trusted_token_profile_not_found", "There is no such trusted token profile. `gatehouse trusted-token-profile list` shows those there are.")
	errRequest     = apierr.New(400, "trusted_token_profile_invalid_request", "The trusted token profile is not valid.")
	errTooMany     = apierr.New(400, "too_many_trusted_token_profiles_for_project", "An environment may have at most 50 trusted token profiles.")
	errTooManyPEM  = apierr.New(400, "too_many_pem_files_for_trusted_token_profile", "A trusted token profile may have at most 5 PEM files. Remove one first.")
	errNotPEM      = apierr.New(400, "cannot_add_pem_file_to_non_pem_trusted_token_profile", "The profile reads the issuer's keys from an address. PEM files are for profiles without one.")
	errNeedsURL    = apierr.New(400, "must_have_jwks_url_for_trusted_token_profile_with_type_jwk", "The profile needs the address of the issuer's keys, or PEM files in place of it.")
	errNeedsPEM    = apierr.New(400, "must_have_pem_files_for_trusted_token_profile_with_type_pem", "The profile has no other PEM file. Add one before you remove this one.")
	errPEMNotFound = apierr.New(404, "trusted_token_profile_pem_file_not_found", "The profile has no such PEM file.")
)

const (
	maxProfiles = 50
	maxPEMFiles = 5
	maxText     = 512 // characters of a name, an issuer, an audience or a path
)

// The attributes of a mapping: what of a token is read, and from which claim.
const (
	mapEmail      = "email"
	mapVerified   = "email_verified" // where it is mapped, it must be true
	mapTokenID    = "token_id"
	mapExternalID = "external_user_id"
	mapRoles      = "role_ids"
)

// Profile is an issuer whose tokens sign people in.
type Profile struct {
	ID               string            `json:"profile_id"`
	Name             string            `json:"name"`
	Issuer           string            `json:"issuer"`
	Audience         string            `json:"audience"`
	JWKSURL          string            `json:"jwks_url,omitempty"`
	PEMFiles         []PEMFile         `json:"pem_files"`
	AttributeMapping map[string]string `json:"attribute_mapping"`
	CanJITProvision  bool              `json:"can_jit_provision"`
	CreatedAt        time.Time         `json:"created_at"`
}

// PEMFile is one public key of an issuer that publishes none.
type PEMFile struct {
	ID        string `json:"pem_file_id"`
	PublicKey string `json:"public_key"`
}

// check refuses what a profile cannot be.
func (p *Profile) check(env *project.Environment) error {
	for _, field := range []struct{ name, value string }{{"name", p.Name}, {"issuer", p.Issuer}, {"audience", p.Audience}} {
		if strings.TrimSpace(field.value) != field.value || field.value == "" || len(field.value) > maxText {
			return errRequest.WithMessage("The profile's %s must have 1 to %d characters.", field.name, maxText)
		}
	}
	for name, path := range p.AttributeMapping {
		if !slices.Contains([]string{mapEmail, mapVerified, mapTokenID, mapExternalID, mapRoles}, name) {
			return errRequest.WithMessage("The mapping has %q. It can have email, email_verified, token_id, external_user_id and role_ids.", name)
		}
		if path == "" || len(path) > maxText {
			return errRequest.WithMessage("The mapping of %s must name a claim, such as sub or user.id.", name)
		}
	}
	if p.AttributeMapping[mapEmail] == "" || p.AttributeMapping[mapTokenID] == "" {
		return errRequest.WithMessage("The mapping must say which claims hold the email and the token_id.")
	}
	switch {
	case p.JWKSURL == "" && len(p.PEMFiles) == 0:
		return errNeedsURL
	case p.JWKSURL != "" && len(p.PEMFiles) > 0:
		return errRequest.WithMessage("Give the address of the issuer's keys or PEM files, not both.")
	case len(p.PEMFiles) > maxPEMFiles:
		return errTooManyPEM
	case p.JWKSURL == "":
		_, err := p.set()
		return err
	}
	u, err := outbound.ParseURL(p.JWKSURL)
	if err != nil {
		return errRequest.WithMessage("The address of the issuer's keys: %s", apierr.From(err).Message)
	}
	if u.Scheme != "https" && env.Live() {
		return errRequest.WithMessage("The address of the issuer's keys must begin with https://.")
	}
	return nil
}

// set reads the PEM files.
func (p *Profile) set() (*jwks.Set, error) {
	var files [][]byte
	for _, f := range p.PEMFiles {
		files = append(files, []byte(f.PublicKey))
	}
	set, err := jwks.ParsePEM(files...)
	if err != nil {
		return nil, errRequest.WithMessage("A PEM file must hold one public key or certificate: %s.", reason(err)).Because(err)
	}
	if set.Len() != len(files) {
		return nil, errRequest.WithMessage("A PEM file must hold one public key or certificate, not several.")
	}
	return set, nil
}

// reason is what is wrong with keys, without the words in front of it.
func reason(err error) string {
	return strings.TrimPrefix(err.Error(), jwks.ErrKeys.Error()+": ")
}

// addPEM adds a file under the first name that is free.
func (p *Profile) addPEM(text string) string {
	name := ""
	for n := 1; name == "" || p.hasPEM(name); n++ {
		name = fmt.Sprintf("pem-%d", n)
	}
	if block, _ := pem.Decode([]byte(text)); block != nil {
		text = strings.TrimSpace(text) + "\n"
	}
	p.PEMFiles = append(p.PEMFiles, PEMFile{ID: name, PublicKey: text})
	return name
}

func (p *Profile) hasPEM(name string) bool {
	return slices.ContainsFunc(p.PEMFiles, func(f PEMFile) bool { return f.ID == name })
}

// Create adds a profile; its id and PEMFiles are made here, from the text of
// the files.
func (s *Service) Create(ctx context.Context, env *project.Environment, p Profile, files ...string) (*Profile, error) {
	p.ID, p.CreatedAt, p.PEMFiles = id.New(id.TokenProfile, env.Kind, s.db.Now()), s.db.Now(), []PEMFile{}
	for _, text := range files {
		p.addPEM(text)
	}
	if err := p.check(env); err != nil {
		return nil, err
	}
	return &p, s.db.Update(ctx, func(tx *store.Tx) error {
		list, err := readProfiles(tx, env.ID)
		if err != nil {
			return err
		}
		if len(list) >= maxProfiles {
			return errTooMany
		}
		if err := writeProfile(tx, env.ID, &p); err != nil {
			return err
		}
		return emit(tx, env, "trusted_token_profile.create", &p, nil)
	})
}

// List returns the profiles, oldest first.
func (s *Service) List(ctx context.Context, env *project.Environment) (list []*Profile, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, err = readProfiles(tx, env.ID)
		return err
	})
	return list, err
}

// Get returns a profile, or trusted_token_profile_not_found.
func (s *Service) Get(ctx context.Context, env *project.Environment, profileID string) (p *Profile, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		p, err = readProfile(tx, env.ID, profileID, "")
		return err
	})
	return p, err
}

// Update changes a profile and returns it as changed. What edit does to its id
// or to the instant it was made has no effect.
func (s *Service) Update(ctx context.Context, env *project.Environment, profileID string, edit func(*Profile) error) (p *Profile, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		if p, err = readProfile(tx, env.ID, profileID, tx.ForUpdate()); err != nil {
			return err
		}
		was := *p
		was.PEMFiles, was.AttributeMapping = slices.Clone(p.PEMFiles), maps.Clone(p.AttributeMapping)
		if err := edit(p); err != nil {
			return err
		}
		p.ID, p.CreatedAt = was.ID, was.CreatedAt
		if err := p.check(env); err != nil {
			return err
		}
		changed, err := event.Changed(was, p)
		if err != nil || len(changed) == 0 {
			return err
		}
		if err := writeProfile(tx, env.ID, p); err != nil {
			return err
		}
		return emit(tx, env, "trusted_token_profile.update", p, changed)
	})
	return p, err
}

// AddKey adds a PEM file to a profile and returns its id.
func (s *Service) AddKey(ctx context.Context, env *project.Environment, profileID, text string) (name string, err error) {
	_, err = s.Update(ctx, env, profileID, func(p *Profile) error {
		if p.JWKSURL != "" {
			return errNotPEM
		}
		name = p.addPEM(text)
		return nil
	})
	return name, err
}

// RemoveKey takes a PEM file away. Tokens signed with its key are refused from
// then on.
func (s *Service) RemoveKey(ctx context.Context, env *project.Environment, profileID, name string) error {
	_, err := s.Update(ctx, env, profileID, func(p *Profile) error {
		switch {
		case !p.hasPEM(name):
			return errPEMNotFound
		case len(p.PEMFiles) == 1:
			return errNeedsPEM
		}
		p.PEMFiles = slices.DeleteFunc(p.PEMFiles, func(f PEMFile) bool { return f.ID == name })
		return nil
	})
	return err
}

// Delete removes a profile. Its tokens are refused from then on; sessions that
// they have started go on.
func (s *Service) Delete(ctx context.Context, env *project.Environment, profileID string) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		p, err := readProfile(tx, env.ID, profileID, tx.ForUpdate())
		if err != nil {
			return err
		}
		if err := deleteProfile(tx, env.ID, profileID); err != nil {
			return err
		}
		return emit(tx, env, "trusted_token_profile.delete", p, nil)
	})
}

// emit writes an event about a profile, which it also names by its issuer: whom
// an id stood for, nobody knows any more once it is deleted.
func emit(tx *store.Tx, env *project.Environment, what string, p *Profile, changed []string) error {
	details := map[string]any{"issuer": p.Issuer}
	if changed != nil {
		details["changed"] = changed
	}
	return event.Emit(tx, env.Kind, event.Event{EnvironmentID: env.ID, Type: what, ObjectID: p.ID, Details: details})
}
