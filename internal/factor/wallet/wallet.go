// Package wallet is the factor that a signature by a crypto wallet proves, of
// Ethereum and of Solana: whoever signs the message that the wallet was asked
// to sign holds its key. It owns the messages (tables wallet_challenges and
// wallet_contracts), the forms of addresses and signatures, and what a message
// by EIP-4361 may say. It never learns a key that signs, never takes a wallet
// for an e-mail address, and never mints a session.
package wallet

import (
	"context"
	"errors"
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/factor/wallet/ethereum"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// errNotOfUser is for a wallet that its user lost before it was proven.
var errNotOfUser = apierr.New(400, "invalid_wallet_address_user", "The wallet does not belong to the user any more. Start again.")

// Service serves wallets at both doors.
type Service struct {
	db        *store.DB
	users     *user.Service
	core      *session.Core
	contracts *ethereum.Client
}

// New returns the service. List Hooks among the hooks of the users.
func New(db *store.DB, users *user.Service, core *session.Core, contracts *ethereum.Client) *Service {
	return &Service{db, users, core, contracts}
}

// Hooks end messages with the wallets and users they are for.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnFactorRemoved: func(tx *store.Tx, env *project.Environment, u *user.User, kind, id string) error {
			if kind != user.KindWallet {
				return nil
			}
			return deleteOfWallet(tx, env.ID, u.UserID, id)
		},
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return deleteOfUser(tx, env.ID, userID)
		},
	}
}

// Purge removes up to budget messages that nobody is told about any more.
func Purge(tx *store.Tx, budget int) (int64, error) {
	return purgeChallenges(tx, tx.Now.Add(-keepFor), budget)
}

// The budgets of starting. Each asker has its own, so that a stranger who knows
// an address keeps nobody from signing in with it.
var (
	perAddress = ratelimit.Rule{Name: "wallet challenges per address", Limit: 30, Per: time.Minute}
	perNetwork = ratelimit.Rule{Name: "wallet challenges per network", Limit: 600, Per: time.Hour}
)

// request is a call that asks for a message to sign, understood and checked.
type request struct {
	caller *project.Caller
	wallet wallet
	siwe   *siwe // nil: a plain message
}

// holder is the user whose a wallet is or is to be, and the session in which
// that was asked for.
type holder struct {
	row       *user.Row
	sessionID string
}

// start makes a message for a wallet. find names the user who gets the wallet;
// where it names nobody the message signs in whoever has it, or makes a user.
func (s *Service) start(ctx context.Context, r *request, find func(*store.Tx) (*holder, error)) (*challenge, error) {
	env := r.caller.Env
	var c *challenge
	err := user.Retry(func() error {
		return s.db.Update(ctx, func(tx *store.Tx) error {
			if err := r.limit(tx); err != nil {
				return err
			}
			h, err := find(tx)
			if err != nil {
				return err
			}
			c = r.challenge(tx.Now)
			if h != nil {
				err = s.attach(tx, env, h, r.wallet, c)
			} else {
				err = s.login(tx, env, r.wallet, c)
			}
			if err != nil {
				return err
			}
			return replace(tx, env.ID, r.wallet, c)
		})
	})
	return c, err
}

// limit counts the message before anybody is looked up, so that a refusal says
// nothing about who is a user.
func (r *request) limit(tx *store.Tx) error {
	envID, who := r.caller.Env.ID, asker(r.caller)
	if err := ratelimit.Spend(tx, perAddress, envID, ratelimit.Of(r.wallet.key(), who)); err != nil || !r.caller.Browser {
		return err
	}
	return ratelimit.Spend(tx, perNetwork, envID, ratelimit.Of(who))
}

// login completes a message that signs in whoever has the wallet. If nobody has,
// it reserves the id of the user who will: strangers fill no table of users
// with wallets that nobody proves.
func (s *Service) login(tx *store.Tx, env *project.Environment, w wallet, c *challenge) error {
	row, held, err := s.owner(tx, env, w)
	if err != nil {
		return err
	}
	if row != nil {
		c.userID, c.walletID = row.UserID, held.CryptoWalletID
		return nil
	}
	c.creates = true
	if c.userID, err = reserved(tx, env.ID, w, c.asker); err == nil && c.userID == "" {
		c.userID = id.New(id.User, env.Kind, tx.Now)
	}
	return err
}

// owner reads the user who has proven the wallet, nil when nobody has.
func (s *Service) owner(tx *store.Tx, env *project.Environment, w wallet) (*user.Row, *user.CryptoWallet, error) {
	row, err := user.FindByWallet(tx, env, w.chain, w.address)
	if errors.Is(err, user.ErrWalletNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	u, err := row.User()
	if err != nil {
		return nil, nil, err
	}
	held := w.of(u)
	if held == nil {
		return nil, nil, errors.New("the index has a wallet that its user does not have")
	}
	return row, held, nil
}

// attach completes a message that proves a wallet of a certain user. A wallet
// that is new to the user is added, to be proven within five minutes, after
// which it is gone again; it takes the place of one that is still waiting for
// that. Until then it is nobody's: it is found by no login, and whoever proves
// it has it.
func (s *Service) attach(tx *store.Tx, env *project.Environment, h *holder, w wallet, c *challenge) error {
	err := s.users.Apply(tx, env, h.row, func(u *user.User) error {
		held := w.of(u)
		if held == nil {
			u.CryptoWallets = slices.DeleteFunc(u.CryptoWallets, waiting)
			u.CryptoWallets = append(u.CryptoWallets, w.added(env, tx.Now))
			held = &u.CryptoWallets[len(u.CryptoWallets)-1]
			held.ExpiresAt = c.expires
		}
		if waiting(*held) {
			held.ExpiresAt = c.expires
			c.sessionID = h.sessionID
		}
		c.userID, c.walletID = u.UserID, held.CryptoWalletID
		return nil
	})
	c.asker = "user " + c.userID
	return err
}

// waiting reports whether a wallet was added and is not proven yet.
func waiting(w user.CryptoWallet) bool { return !w.Verified && !w.ExpiresAt.IsZero() }

// of returns the wallet as the user has it, for reading and changing, or nil.
func (w wallet) of(u *user.User) *user.CryptoWallet {
	i := slices.IndexFunc(u.CryptoWallets, func(held user.CryptoWallet) bool {
		return wallet{held.CryptoWalletType, held.CryptoWalletAddress}.key() == w.key()
	})
	if i < 0 {
		return nil
	}
	return &u.CryptoWallets[i]
}

// added is the wallet as a new factor of a user.
func (w wallet) added(env *project.Environment, now time.Time) user.CryptoWallet {
	return user.CryptoWallet{CryptoWalletID: id.New(id.CryptoWallet, env.Kind, now), CryptoWalletAddress: w.address, CryptoWalletType: w.chain}
}
