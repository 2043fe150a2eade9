package trusted

import (
	"context"
	"errors"
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/jwks"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

const (
	// leeway is how far the issuer's clock may be from ours.
	leeway = 30 * time.Second
	// maxLife is how long a token may still be good when it is used. It bounds
	// what a stolen one is worth, and how long used ones are remembered.
	maxLife    = 24 * time.Hour
	maxTokenID = 256 // characters
)

// vouched is what a verified token says, in the terms of a profile.
type vouched struct {
	profile    *Profile
	tokenID    string
	email      string
	externalID string // "" where the profile maps none
	roles      []string
	issued     time.Time
	expires    time.Time
}

// prepare verifies the token, which may need the issuer's keys.
func (s *Service) prepare(ctx context.Context, req *attestRequest) (*vouched, error) {
	env := project.CallerFrom(ctx).Env
	p, err := s.Get(ctx, env, req.ProfileID)
	if err != nil {
		return nil, err
	}
	claims, err := s.verify(ctx, p, req.Token)
	if err != nil {
		return nil, err
	}
	return p.read(claims, s.db.Now())
}

func (s *Service) verify(ctx context.Context, p *Profile, token string) (jwks.Claims, error) {
	e := jwks.Expect{Issuers: []string{p.Issuer}, Audience: []string{p.Audience}, Leeway: leeway, RequireExpiry: true}
	var claims jwks.Claims
	var err error
	if p.JWKSURL != "" {
		claims, err = s.keys.Verify(ctx, p.JWKSURL, token, e)
	} else {
		var set *jwks.Set
		if set, err = p.set(); err != nil {
			return nil, err
		}
		claims, err = set.Verify(token, e, s.db.Now())
	}
	switch {
	case err == nil:
		return claims, nil
	case errors.Is(err, jwks.ErrIssuer):
		return nil, errIssuer
	case errors.Is(err, jwks.ErrAudience):
		return nil, errAudience
	case errors.Is(err, jwks.ErrUnavailable):
		return nil, errUnavailable.Because(err)
	}
	return nil, errInvalid.Because(err)
}

// read takes from the claims what the mapping names.
func (p *Profile) read(claims jwks.Claims, now time.Time) (*vouched, error) {
	v := &vouched{profile: p, tokenID: claims.Text(p.AttributeMapping[mapTokenID])}
	exp, _ := claims.Time("exp")
	v.issued, _ = claims.Time("iat")
	v.expires = exp.Add(leeway)
	if exp.Sub(now) > maxLife+leeway {
		return nil, errClaims.WithMessage("The token is good for more than %d hours. Have its issuer make short-lived ones.", int(maxLife/time.Hour))
	}
	if v.tokenID == "" || len(v.tokenID) > maxTokenID {
		return nil, errClaims.WithMessage("The claim %s, which names the token, is missing, empty or too long.", p.AttributeMapping[mapTokenID])
	}
	var err error
	if v.email, err = p.address(claims); err != nil {
		return nil, err
	}
	if v.externalID, err = p.externalID(claims); err != nil {
		return nil, err
	}
	if path := p.AttributeMapping[mapRoles]; path != "" {
		value := claims.Path(path)
		list, isList := value.([]any)
		if v.roles = jwks.Strings(value); v.roles == nil && value != nil && (!isList || len(list) > 0) {
			return nil, errClaims.WithMessage("The claim %s, which names roles, is not a list of texts.", path)
		}
	}
	return v, nil
}

// address is the e-mail address that the issuer vouches for. An issuer that
// says itself that nobody has proven it does not vouch.
func (p *Profile) address(claims jwks.Claims) (string, error) {
	path := p.AttributeMapping[mapEmail]
	given, _ := claims.Path(path).(string)
	address, err := user.Contact{Kind: user.KindEmail, Value: given}.Canonical()
	if err != nil {
		return "", errClaims.WithMessage("The claim %s is not an e-mail address.", path).Because(err)
	}
	// Beside the address, wherever that is, and where OpenID Connect has it.
	beside := claims.Path(path + "_verified")
	own, is := claims["email_verified"]
	mapped := p.AttributeMapping[mapVerified]
	if beside != nil && !jwks.True(beside) || is && !jwks.True(own) || mapped != "" && !jwks.True(claims.Path(mapped)) {
		return "", errClaims.WithMessage("The token's issuer has not verified the e-mail address. Verify it there first.")
	}
	return address, nil
}

func (p *Profile) externalID(claims jwks.Claims) (string, error) {
	path := p.AttributeMapping[mapExternalID]
	if path == "" {
		return "", nil
	}
	if _, several := claims.Path(path).([]any); several {
		return "", errExternalIDs
	}
	externalID := claims.Text(path)
	if !user.CanBeExternalID(externalID) {
		return "", errExternalID.WithMessage("The claim %s is missing, or cannot be an external id: letters, digits and . _ | -, at most 128 characters.", path)
	}
	return externalID, nil
}

// prove uses the token up and says whom it proves. A token that has been used
// is nobody's failure: whoever sends it again need not be whom it names.
func (s *Service) prove(ctx context.Context, tx *store.Tx, _ *attestRequest, v *vouched, _ *attestResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	proof := session.Proof{Factor: session.Factor{
		Type: "trusted_auth_token", DeliveryMethod: "trusted_token_exchange", TrustedAuthTokenFactor: &session.TrustedAuthTokenFactor{TokenID: v.tokenID},
	}}
	// What was verified may have been over, or taken back, by the time this runs.
	if !tx.Now.Before(v.expires) {
		return proof, errInvalid
	}
	if _, err := readProfile(tx, env.ID, v.profile.ID, ""); err != nil {
		return proof, err
	}
	first, err := use(tx, env.ID, v.profile.ID, v.tokenID, v.issued, v.expires)
	if err != nil {
		return proof, err
	}
	if !first {
		return proof, errInvalid.WithMessage("The token was used already. Get a new one from its issuer.")
	}
	row, address, err := user.FindVouched(tx, env, v.email)
	if errors.Is(err, user.ErrEmailNotFound) && v.profile.CanJITProvision {
		row, err = s.provision(tx, env, v)
		if err != nil {
			return proof, err
		}
		proof.UserID = row.UserID
		return proof, nil
	}
	if err != nil {
		return proof, err
	}
	u, err := row.User()
	if err != nil {
		return proof, err
	}
	if v.externalID != "" && u.ExternalID != nil && *u.ExternalID != v.externalID {
		return proof, errExternalID
	}
	proof.UserID = row.UserID
	proof.Apply = func(u *user.User) error {
		if !u.Prove(user.KindEmail, address.EmailID) {
			return user.ErrEmailNotFound
		}
		return nil
	}
	return proof, nil
}

// release takes an address from whoever has it without having proven it: it is
// its owner's, who is about to get it.
func (s *Service) release(tx *store.Tx, env *project.Environment, address string) error {
	has, err := user.Contact{Kind: user.KindEmail, Value: address}.Find(tx, env)
	if errors.Is(err, user.ErrEmailNotFound) {
		return nil
	}
	if err == nil {
		err = user.Hold(tx, env, has.Row.UserID)
	}
	if err != nil {
		return err
	}
	if _, _, err := user.FindVouched(tx, env, address); !errors.Is(err, user.ErrEmailNotFound) {
		return err // proven a moment ago: it is no longer free, and the login is tried again
	}
	_, err = s.users.RemoveFactor(tx, env, has.Row.UserID, user.KindEmail, has.FactorID)
	return err
}

// provision makes the user whom a token names.
func (s *Service) provision(tx *store.Tx, env *project.Environment, v *vouched) (*user.Row, error) {
	if err := s.release(tx, env, v.email); err != nil {
		return nil, err
	}
	n := user.NewUser{Email: v.email, Fill: func(u *user.User) error {
		u.Prove(user.KindEmail, u.Emails[0].EmailID)
		return nil
	}}
	if v.externalID != "" {
		n.Changes.ExternalID = &v.externalID
	}
	if len(v.roles) > 0 {
		roles := slices.Clone(v.roles)
		n.Changes.Roles = &roles
	}
	row, err := s.users.Create(tx, env, n)
	refused := apierr.From(err)
	switch {
	case refused == nil:
		return row, err
	case refused.Type == "duplicate_user_external_id":
		return nil, errExternalID.WithMessage("Another user has the external id in the token. Correct it at the issuer, or change that user's external_id.").Because(err)
	case slices.Contains([]string{"invalid_rbac_role_assignment", "cannot_assign_default_rbac_role_id", "too_many_roles"}, refused.Type):
		return nil, errClaims.WithMessage("The token names roles that cannot be assigned. %s", refused.Message).Because(err)
	}
	return nil, err
}
