package password

import (
	"context"
	"errors"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var errNoSearch = apierr.New(401, "endpoint_not_authorized_for_sdk", "Pages cannot ask here how somebody signs in, which the pre-built login does first: passwords.search_disabled is set. Ask for address and password in one form.")

// perNetwork bounds how many addresses one network can ask about.
var perNetwork = ratelimit.Rule{Name: "account lookups per network", Limit: 100, Per: 10 * time.Minute}

// The kinds of people whom a page can meet.
const (
	newcomer     = "new"          // nobody has the address
	passwordless = "passwordless" // a user without a password
	hasPassword  = "password"
)

// search tells a page how whoever has an address signs in, which the official
// pre-built UI asks before it shows a form.
func (s *Service) search(ctx context.Context, req *searchRequest) (*searchResponse, error) {
	caller := project.CallerFrom(ctx)
	if caller.Env.Config.SDK.Passwords.SearchDisabled {
		return nil, errNoSearch
	}
	if ok, wait := s.lookups.Take(perNetwork, ratelimit.Network(caller.IP)); !ok {
		return nil, perNetwork.Refused(wait)
	}
	contact := user.Contact{Kind: user.KindEmail, Value: req.Email}
	resp := &searchResponse{UserType: newcomer}
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		to, err := contact.Find(tx, caller.Env)
		if errors.Is(err, user.ErrEmailNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		u, err := to.Row.User()
		if resp.UserType = passwordless; err == nil && u.Password != nil {
			resp.UserType = hasPassword
		}
		return err
	})
	return resp, err
}

// strengthCheck tells what a password is worth before it is chosen. Whether it is
// in a breach is only looked up with an address, as the contract says: a page
// that asks at every key calls no other server that often.
func (s *Service) strengthCheck(ctx context.Context, req *strengthRequest) (*strengthResponse, error) {
	env := project.CallerFrom(ctx).Env
	if err := readable(req.Password); err != nil {
		return nil, err
	}
	j := judge(env, req.Password, req.Email)
	checks := env.Config.ChecksBreachOnCreation()
	if checks && req.Email != "" {
		j.breached = s.Breaches.Check(ctx, req.Password)
	}
	return j.response(checks), nil
}
