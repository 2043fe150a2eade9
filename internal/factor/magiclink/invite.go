package magiclink

import (
	"context"
	"errors"

	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// invite mails an invitation and makes the pending user that it is for. Who is
// still pending is invited again, as lost mails want it; what the request says
// of the user then replaces what an earlier one said.
func (s *Service) invite(ctx context.Context, req *inviteRequest) (*sentResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	env := r.caller.Env
	return s.deliver(ctx, r, func(tx *store.Tx) (*user.Reached, error) {
		to, err := s.users.FindOrCreate(tx, env, r.contact, true)
		if err != nil {
			return nil, err
		}
		if to.Row.Status != user.Pending {
			return nil, errInvited
		}
		return to, s.users.Apply(tx, env, to.Row, req.Apply(env))
	})
}

// understood is a request whose mail is the same for everybody.
func (req *inviteRequest) understood(ctx context.Context) (*request, error) {
	caller := project.CallerFrom(ctx)
	r := &request{
		caller: caller, contact: user.Contact{Kind: user.KindEmail, Value: req.Email}, attributes: session.Started(ctx, req.Attributes),
	}
	invite := leg{kind: delivery.Invite, templateID: req.InviteTemplateID}
	var err error
	if r.locale, err = template.EmailLocale(req.Locale); err != nil {
		return nil, err
	}
	if invite.lifetime, err = emaillink.Lifetime(req.InviteExpirationMinutes, inviteMinutes); err != nil {
		return nil, err
	}
	if invite.destination, err = caller.Env.Destination(project.RedirectInvite, req.InviteMagicLinkURL); err != nil {
		return nil, err
	}
	r.login, r.signup = invite, invite
	return r, emaillink.CheckChallenge(caller, false, "", invite.destination)
}

// revokeInvite takes an invitation back: its links are dead, and the user who
// was never more than invited is gone.
func (s *Service) revokeInvite(ctx context.Context, req *revokeInviteRequest) (*revokeInviteResponse, error) {
	caller := project.CallerFrom(ctx)
	env, contact := caller.Env, user.Contact{Kind: user.KindEmail, Value: req.Email}
	if contact.InSandbox(caller) {
		return &revokeInviteResponse{}, nil
	}
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		row, err := user.FindByEmail(tx, env, contact.Value)
		if errors.Is(err, errNoInvitation) { // the same type, in other words
			return errNoInvitation
		}
		if err != nil {
			return err
		}
		if row, err = user.ForUpdate(tx, env, row.UserID); err != nil {
			return err
		}
		if row.Status != user.Pending {
			return errNoInvitation
		}
		_, err = s.users.Delete(tx, env, row.UserID)
		return err
	})
	return &revokeInviteResponse{}, err
}
