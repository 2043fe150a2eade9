package oauth

import (
	"context"
	"errors"
	"sync"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/factor/oauth/provider"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Many providers replace a refresh token when it is used, and some end all
// access where one comes a second time. So of all nodes one shows it: it claims
// the row, asks outside of any transaction, and writes what it got. Everybody
// else waits and reads that.

// working returns what is kept of an account with an access token that still
// lasts, renewed where that is needed.
func (s *Service) working(ctx context.Context, env *project.Environment, req *workingTokenRequest) (*kept, *user.OAuthProvider, error) {
	k, account, err := s.find(ctx, env, req)
	if err != nil {
		return nil, nil, err
	}
	c, err := s.provider(ctx, env, k.provider)
	if err != nil {
		return nil, nil, err
	}
	if done, err := k.settled(c, s.DB.Now()); done {
		return k, account, err
	}
	leave, err := s.renewals.enter(ctx, k.registrationID)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	for {
		if k, account, err = s.find(ctx, env, req); err != nil {
			return nil, nil, err
		}
		if done, err := k.settled(c, s.DB.Now()); done {
			return k, account, err
		}
		claimed, err := s.claim(ctx, k)
		if err != nil {
			return nil, nil, err
		}
		if claimed {
			after, err := s.renew(ctx, env, c, k)
			if errors.Is(err, store.ErrNoRows) {
				continue // it went while the provider was asked
			}
			return after, account, err
		}
		if err := wait(ctx, lookAgain); err != nil {
			return nil, nil, err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// works reports whether the access token has not ended yet.
func (k *kept) works(now time.Time) bool { return k.expires.IsZero() || now.Before(k.expires) }

// settled reports whether nothing is to be asked of the provider, and what that
// comes to. As long as the access token works it is better than an error.
func (k *kept) settled(c *configured, now time.Time) (done bool, err error) {
	switch {
	case k.works(now.Add(renewBefore)):
		return true, nil
	case k.tokens.Refresh == "":
		err = errNothingKept
	case k.tokens.Client != clientOf(c.credentials):
		err = errNotRenewed.Because(errors.New("the refresh token was issued to another client"))
	case now.Before(k.refusedUntil):
		err = errNotRenewed.Because(errors.New("the provider refused less than a minute ago"))
	default:
		return false, nil
	}
	if k.works(now) {
		err = nil
	}
	return true, err
}

// claim makes this node the one that renews.
func (s *Service) claim(ctx context.Context, k *kept) (claimed bool, err error) {
	err = s.DB.Update(ctx, func(tx *store.Tx) error {
		claimed, err = claimKept(tx, k, tx.Now.Add(busyFor))
		return err
	})
	return claimed, err
}

// renew asks the provider and writes what it says. It goes on when the caller
// has left: the old refresh token may be worth nothing by then.
func (s *Service) renew(ctx context.Context, env *project.Environment, c *configured, k *kept) (*kept, error) {
	ctx = context.WithoutCancel(ctx)
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	tokens, refusal := s.Providers.Refresh(asking, c.Provider, c.credentials, k.tokens.Refresh)
	var after *kept
	err := s.DB.Update(ctx, func(tx *store.Tx) (err error) {
		after, err = keptByID(tx, env.ID, k.registrationID, tx.ForUpdate())
		if err != nil {
			return err
		}
		if err := s.openKept(after); err != nil {
			return err
		}
		if after.tokens.Refresh != k.tokens.Refresh {
			return nil // the person signed in meanwhile, or another node was faster: that is newer
		}
		return s.writeRenewal(tx, env, after, tokens, refusal)
	})
	if err != nil {
		return nil, err
	}
	if refusal != nil && !after.works(s.DB.Now()) {
		return nil, refused(refusal)
	}
	return after, nil
}

// refused is the verdict on a renewal that did not come about.
func refused(refusal error) error {
	if verdict := apierr.From(refusal); verdict != nil && verdict.Type == errNotRenewed.Type {
		return errNotRenewed.Because(verdict.Unwrap())
	}
	return refusal
}

func (s *Service) writeRenewal(tx *store.Tx, env *project.Environment, k *kept, t *provider.Tokens, refusal error) error {
	k.busyUntil = time.Time{}
	if refusal != nil {
		first := k.refusedUntil.IsZero()
		k.refusedUntil = tx.Now.Add(refusedFor)
		if err := writeKept(tx, k); err != nil || !first {
			return err // a provider that goes on refusing is noted once
		}
		return k.emit(tx, env, "oauth.tokens.refresh", errNotRenewed.Type)
	}
	k.refusedUntil, k.expires = time.Time{}, t.ExpiresAt
	k.tokens.Access, k.tokens.Refresh = t.Access, t.Refresh
	if len(t.Scopes) > 0 {
		k.tokens.Scopes = t.Scopes // none are said where they are as before (RFC 6749, section 5.1)
	}
	if err := s.sealKept(k); err != nil {
		return err
	}
	return writeKept(tx, k)
}

// turns lets one at a time in for each key.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{}
}

func (t *turns) enter(ctx context.Context, key string) (leave func(), err error) {
	for {
		t.mu.Lock()
		busy := t.taken[key]
		if busy == nil {
			mine := make(chan struct{})
			if t.taken == nil {
				t.taken = map[string]chan struct{}{}
			}
			t.taken[key] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.taken, key)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
