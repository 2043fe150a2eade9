package webauthn

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

var (
	errEmptyName      = apierr.New(400, "empty_webauthn_registration_name", "The name is empty. Send a name of up to 128 characters.")
	errRelatedOrigins = apierr.New(404, "related_origins_not_found", "No related origins are configured for this domain.")
)

// rename gives a registration a new name. A browser may rename those of the
// signed-in user; another user's does not exist for it.
func (s *Service) rename(ctx context.Context, req *renameRequest) (*renameResponse, error) {
	caller := project.CallerFrom(ctx)
	name, err := user.CanonicalName("name", req.Name)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, errEmptyName
	}
	resp := &renameResponse{}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		var signedIn string
		if caller.Browser {
			who, err := s.core.Identify(ctx, tx)
			if err != nil {
				return err
			}
			signedIn = who.User.UserID
		}
		owner, err := user.FindByFactor(tx, caller.Env, user.KindWebAuthn, req.RegistrationID)
		if err != nil {
			return err
		}
		if caller.Browser && owner.UserID != signedIn {
			return errNotFound
		}
		_, err = s.users.Change(tx, caller.Env, owner.UserID, func(u *user.User) error {
			at := slices.IndexFunc(u.WebAuthnRegistrations, func(r user.WebAuthnRegistration) bool { return r.WebAuthnRegistrationID == req.RegistrationID })
			if at < 0 {
				return errNotFound
			}
			u.WebAuthnRegistrations[at].Name = name
			renamed := u.WebAuthnRegistrations[at]
			resp.Registration = &renamed
			return nil
		})
		return err
	})
	return resp, err
}

// listCredentials shows the public half of a user's credentials for a domain,
// for servers that tell browsers which passkeys are still accepted.
func (s *Service) listCredentials(ctx context.Context, req *listCredentialsRequest) (*listCredentialsResponse, error) {
	env := project.CallerFrom(ctx).Env
	resp := &listCredentialsResponse{Credentials: []listedCredential{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		row, err := user.Get(tx, env, req.UserID)
		if err != nil {
			return err
		}
		list, err := credentialsOf(tx, env.ID, row.UserID, strings.ToLower(req.Domain))
		for _, c := range list {
			resp.Credentials = append(resp.Credentials, listedCredential{
				CredentialID: base64.RawURLEncoding.EncodeToString(c.CredentialID), RegistrationID: c.ID,
				Type: "public-key", PublicKey: base64.StdEncoding.EncodeToString(c.PublicKey),
			})
		}
		return err
	})
	return resp, err
}

// relatedOrigins serves the document a browser asks an RP ID for when a page
// of another site wants to use its passkeys (WebAuthn L3, section 5.11). The
// host of the request is the RP ID, and the environments that authorise that
// host answer together. Whoever passes the request on from a host of their own
// names the environment instead.
func (s *Service) relatedOrigins(ctx context.Context, req *relatedOriginsRequest) (*relatedOriginsResponse, error) {
	host, _, _ := strings.Cut(strings.ToLower(wire.CallFrom(ctx).Host), ":")
	resp := &relatedOriginsResponse{}
	for _, env := range s.projects.Environments() {
		if req.ProjectID != env.ID && (req.ProjectID != "" || !env.AllowsHost(host)) {
			continue
		}
		for _, origin := range env.Config.WebAuthn.RelatedOrigins {
			if !slices.Contains(resp.Origins, origin) {
				resp.Origins = append(resp.Origins, origin)
			}
		}
	}
	if len(resp.Origins) == 0 {
		return nil, errRelatedOrigins
	}
	return resp, nil
}
