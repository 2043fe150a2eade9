package webauthn

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

var (
	errAuthenticatorType = apierr.New(400, "invalid_authenticator_type", "authenticator_type must be platform or cross-platform.")
	errPendingUser       = apierr.New(400, "cannot_use_webauthn_with_pending_user", "The user is pending. Let them sign in once before they use a passkey.")
	errNoPending         = apierr.New(400, "no_pending_webauthn_registration", "No registration of this passkey is under way: it was not started, took longer than five minutes, or is finished. Start it again.")
	errDuplicate         = apierr.New(400, "duplicate_webauthn_registration", "This passkey is already registered.")
	errTooMany           = apierr.New(400, "too_many_user_registrations_for_domain", "The user has as many registrations for this domain as are allowed. Delete one first.")
)

const (
	// maxRegistrations is how many credentials a user may have for a domain.
	// The contract leaves the number open; options list them all.
	maxRegistrations = 100
	// maxUserHandle is the longest user.id (WebAuthn L3, section 5.4.3).
	maxUserHandle = 64
	// maxUserAgent bounds what a registration keeps of the browser's name.
	maxUserAgent = 512
)

// subject is the user a call is about: at the server's door the one it names,
// at the browser's door whoever is signed in.
type subject struct {
	*user.User
	identity *session.Identity // nil at the server's door
}

func (s *subject) sessionID() string {
	if s.identity == nil {
		return ""
	}
	return s.identity.Session.ID
}

func (s *Service) subject(ctx context.Context, tx *store.Tx, userID string) (*subject, error) {
	caller := project.CallerFrom(ctx)
	if caller.Browser {
		who, err := s.core.Identify(ctx, tx)
		if err != nil {
			return nil, err
		}
		u, err := who.User.User()
		return &subject{User: u, identity: who}, err
	}
	row, err := user.Get(tx, caller.Env, userID)
	if err != nil {
		return nil, err
	}
	u, err := row.User()
	return &subject{User: u}, err
}

func (s *Service) startRegistration(ctx context.Context, req *startRegistrationRequest) (*startRegistrationResponse, error) {
	caller := project.CallerFrom(ctx)
	rpID, err := checkDomain(caller, req.Domain)
	if err != nil {
		return nil, err
	}
	if req.AuthenticatorType != "" && req.AuthenticatorType != attachmentPlatform && req.AuthenticatorType != attachmentCrossPlatform {
		return nil, errAuthenticatorType
	}
	if len(req.OverrideID) > maxUserHandle {
		return nil, wire.BadRequest("The field \"override_id\" is longer than %d bytes.", maxUserHandle)
	}
	challenge := newStoredChallenge()
	resp := &startRegistrationResponse{}
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		who, err := s.subject(ctx, tx, req.UserID)
		if err != nil {
			return err
		}
		if err := mayRegister(caller.Env, tx, who); err != nil {
			return err
		}
		existing, err := credentialsOf(tx, caller.Env.ID, who.UserID, rpID)
		if err != nil {
			return err
		}
		if len(existing) >= maxRegistrations {
			return errTooMany
		}
		p := &pendingChallenge{
			ID: challengeID(challenge), Ceremony: ceremonyCreate, UserID: who.UserID, SessionID: who.sessionID(), Domain: rpID,
			VerifyUser: caller.Env.Config.RequiresUserVerification(), UserHandle: []byte(either(req.OverrideID, who.UserID)),
			AuthenticatorType: req.AuthenticatorType, UserAgent: userAgent(caller, req.UserAgent), ExpiresAt: tx.Now.Add(challengeLifetime),
		}
		resp.UserID = who.UserID
		resp.Options = registrationOptions(caller, req, who.User, p, challenge, existing).json(encodingFor(caller.Browser || req.UseBase64URL))
		return insertChallenge(tx, caller.Env.ID, p)
	})
	return resp, err
}

// mayRegister decides whether a user may get a passkey: the person's session
// must have earned it at the browser's door, and at both the user is active
// and, where the environment wants that, known by a verified address.
func mayRegister(env *project.Environment, tx *store.Tx, who *subject) error {
	if who.Status != user.Active {
		return errPendingUser
	}
	if who.identity != nil {
		if err := who.identity.StepUp(tx.Now); err != nil {
			return err
		}
	}
	if env.Config.WebAuthn.RequiresVerifiedFactor && !hasVerifiedFactor(who.User) {
		return errRegister.WithMessage("The user needs a verified e-mail address or phone number before a passkey can be registered.")
	}
	return nil
}

func hasVerifiedFactor(u *user.User) bool {
	return len(u.Providers) > 0 ||
		slices.ContainsFunc(u.Emails, func(e user.Email) bool { return e.Verified }) ||
		slices.ContainsFunc(u.PhoneNumbers, func(p user.PhoneNumber) bool { return p.Verified })
}

func registrationOptions(caller *project.Caller, req *startRegistrationRequest, u *user.User, p *pendingChallenge, challenge []byte, existing []*credentialRecord) *creationOptions {
	name := defaultName(u)
	o := &creationOptions{
		rpID: p.Domain, rpName: either(caller.Env.ProjectName, p.Domain), userHandle: p.UserHandle,
		userName: either(req.OverrideName, name), displayName: either(req.OverrideDisplay, name), challenge: challenge,
		exclude: descriptors(existing), attachment: req.AuthenticatorType,
		residentKey: residentKeyDiscouraged, userVerification: verification(caller.Env, req.ReturnPasskey),
	}
	if req.ReturnPasskey {
		o.residentKey = residentKeyRequired
	}
	return o
}

// verification is the userVerification that options ask for.
func verification(env *project.Environment, passkey bool) string {
	switch {
	case env.Config.RequiresUserVerification():
		return verificationRequired
	case passkey:
		return verificationPreferred
	default:
		return verificationDiscouraged
	}
}

func descriptors(list []*credentialRecord) []descriptor {
	out := make([]descriptor, len(list))
	for i, c := range list {
		out[i] = descriptor{id: c.CredentialID, transports: c.Transports}
	}
	return out
}

// defaultName is what a password manager shows beside the passkey.
func defaultName(u *user.User) string {
	name := strings.Join(strings.Fields(u.Name.FirstName+" "+u.Name.MiddleName+" "+u.Name.LastName), " ")
	switch {
	case name != "":
		return name
	case len(u.Emails) > 0:
		return u.Emails[0].Email
	case len(u.PhoneNumbers) > 0:
		return u.PhoneNumbers[0].PhoneNumber
	default:
		return u.UserID
	}
}

// userAgent is what the request names; a browser that names nothing is taken
// from its header.
func userAgent(caller *project.Caller, named string) string {
	if named == "" && caller.Browser {
		named = caller.UserAgent
	}
	if len(named) > maxUserAgent {
		named = named[:maxUserAgent]
	}
	return strings.ToValidUTF8(named, "")
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// registering is a registration whose cryptography is done: what is left needs
// the transaction.
type registering struct {
	sent    *registration
	pending *pendingChallenge
	who     *subject
	result  *attested
	verdict error // of the verification
}

// prepareRegistration verifies what the authenticator sent, outside of any
// transaction: attestations can hold several signatures.
func (s *Service) prepareRegistration(ctx context.Context, req *registerRequest) (*registering, error) {
	caller := project.CallerFrom(ctx)
	sent, err := parseRegistration(req.Credential)
	if err != nil {
		return nil, err
	}
	r := &registering{sent: sent}
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		if r.who, err = s.subject(ctx, tx, req.UserID); err != nil {
			return err
		}
		r.pending, err = challengeByID(tx, caller.Env.ID, challengeID(sent.ClientData.Challenge))
		return err
	})
	if err != nil {
		return nil, err
	}
	p := r.pending
	if p == nil || p.Ceremony != ceremonyCreate || p.UserID != r.who.UserID || p.SessionID != r.who.sessionID() {
		return nil, errNoPending
	}
	c := &ceremony{rules: rulesFor(caller, p.Domain), verifyUser: p.VerifyUser, algorithms: algorithms}
	r.result, r.verdict = c.verifyRegistration(sent)
	return r, nil
}

// proveRegistration ends the ceremony and adds the credential. A refusal ends
// it too, but does not count towards the user's lock: nothing can be guessed
// by registering.
func (s *Service) proveRegistration(ctx context.Context, tx *store.Tx, _ *registerRequest, r *registering, resp *proofResponse) (session.Proof, error) {
	env := project.CallerFrom(ctx).Env
	proof := session.Proof{Factor: factorOf("", r.pending.Domain, r.pending.UserAgent)}
	if err := user.Hold(tx, env, r.pending.UserID); err != nil {
		return proof, err
	}
	// What held when the ceremony began must still hold: the session may have
	// been revoked since, or have grown too old.
	proof.SessionID = r.pending.SessionID
	who, err := s.subject(ctx, tx, r.pending.UserID)
	if err != nil {
		return proof, err
	}
	if err := mayRegister(env, tx, who); err != nil {
		return proof, err
	}
	first, err := takeChallenge(tx, env.ID, r.pending.ID)
	if err != nil {
		return proof, err
	}
	if !first || !tx.Now.Before(r.pending.ExpiresAt) {
		return proof, errNoPending
	}
	if r.verdict != nil {
		return proof, store.Keep(r.verdict)
	}
	c := newRecord(id.New(id.WebAuthn, env.Kind, tx.Now), r)
	c.CreatedAt = tx.Now
	added, err := insertCredential(tx, env.ID, c)
	if err != nil {
		return proof, err
	}
	if !added {
		return proof, store.Keep(errDuplicate)
	}
	if err := s.report(ctx, tx, eventRegistered, c, nil); err != nil {
		return proof, err
	}
	resp.RegistrationID = c.ID
	proof.UserID, proof.Factor = c.UserID, factorOf(c.ID, c.Domain, c.UserAgent)
	proof.Apply = func(u *user.User) error { return addRegistration(u, c, r.result) }
	return proof, nil
}

func newRecord(registrationID string, r *registering) *credentialRecord {
	a := r.result
	return &credentialRecord{
		ID: registrationID, CredentialID: a.CredentialID, UserID: r.pending.UserID, Domain: r.pending.Domain,
		UserHandle: r.pending.UserHandle, PublicKey: a.PublicKey, Algorithm: a.Algorithm, AAGUID: bytes.Clone(a.AAGUID),
		AttestationFormat: a.Format, Transports: r.sent.Transports, AuthenticatorType: either(r.sent.Attachment, r.pending.AuthenticatorType),
		UserAgent: r.pending.UserAgent, Discoverable: r.sent.Discoverable, UserVerified: a.Flags.HasUserVerified(),
		BackupEligible: a.Flags.HasBackupEligible(), BackupState: a.Flags.HasBackupState(), SignCount: int64(a.SignCount),
	}
}

// addRegistration shows the credential on the user. It is verified from the
// start: making it took the authenticator and, with it, the person. This runs
// while the user's row is held, so the rules about the user are final here.
func addRegistration(u *user.User, c *credentialRecord, a *attested) error {
	if u.Status != user.Active {
		return errPendingUser
	}
	forDomain := 0
	for _, r := range u.WebAuthnRegistrations {
		if r.Domain == c.Domain {
			forDomain++
		}
	}
	if forDomain >= maxRegistrations {
		return errTooMany
	}
	name := registrationName(a, c.AuthenticatorType, func(name string) bool {
		return slices.ContainsFunc(u.WebAuthnRegistrations, func(r user.WebAuthnRegistration) bool { return r.Name == name })
	})
	u.WebAuthnRegistrations = append(u.WebAuthnRegistrations, user.WebAuthnRegistration{
		WebAuthnRegistrationID: c.ID, Domain: c.Domain, UserAgent: c.UserAgent, Verified: true, AuthenticatorType: c.AuthenticatorType, Name: name,
	})
	return nil
}

// factorOf is the factor as a session shows it.
func factorOf(registrationID, domain, userAgent string) session.Factor {
	return session.Factor{
		Type: "webauthn", DeliveryMethod: "webauthn_registration",
		WebAuthnFactor: &session.WebAuthnFactor{WebAuthnRegistrationID: registrationID, Domain: domain, UserAgent: userAgent},
	}
}

// The events of this package, beside the logins that the session core reports.
const (
	eventRegistered     = "webauthn.register"
	eventSignCount      = "webauthn.sign_count_regressed"
	eventBackupEligible = "webauthn.backup_eligibility_changed"
)

func (s *Service) report(ctx context.Context, tx *store.Tx, eventType string, c *credentialRecord, details map[string]any) error {
	caller := project.CallerFrom(ctx)
	e := event.Event{
		EnvironmentID: caller.Env.ID, Type: eventType, Factor: "webauthn", UserID: c.UserID, ObjectID: c.ID,
		RequestID: caller.RequestID, Details: details,
	}
	// At the server's door the address is the customer's own server's.
	if caller.Browser {
		e.UserAgent = caller.UserAgent
	}
	if caller.Browser && caller.IP.IsValid() {
		e.IP = caller.IP.String()
	}
	return event.Emit(tx, caller.Env.Kind, e)
}
