package wallet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var (
	errUnable  = apierr.New(401, "unable_to_authenticate_crypto_wallet", "The wallet could not be authenticated: this is not its signature of the message that it was last asked to sign, or the message was used already or is older than five minutes. Start again.")
	errEarly   = apierr.New(401, "siwe_message_not_valid_yet", "The message that the wallet signed is not valid yet: its Not Before lies in the future. Try again then.")
	errExpired = apierr.New(401, "siwe_message_expired", "The message that the wallet signed has expired. Start again.")
)

// contractChecks bounds the calls that the pages of one network cause.
var contractChecks = ratelimit.Rule{Name: "wallet contract checks per network", Limit: 60, Per: time.Minute}

// attempt is a signature that was looked at: what is left needs the transaction.
type attempt struct {
	wallet    wallet
	challenge *challenge // that it signs; nil when there is none
	contract  string     // the chain whose contract took it for its own, "" when a key made it
	verdict   error      // nil when there is a challenge
}

// undeployed ends a signature by a contract that is not there yet (ERC-6492).
var undeployed = bytes.Repeat([]byte{0x64, 0x92}, 16)

// prepare finds the message that was signed, outside of any transaction. A
// wrong signature is nobody's failure: there is nothing to guess, an address is
// public, and whoever knows it could lock its user out. For the same reason it
// uses up nothing.
func (s *Service) prepare(ctx context.Context, req *authenticateRequest) (*attempt, error) {
	w, err := parseWallet(req.CryptoWalletType, req.CryptoWalletAddress)
	if err != nil {
		return nil, err
	}
	signature, err := parseSignature(w.chain, req.Signature)
	if err != nil {
		return nil, err
	}
	caller := project.CallerFrom(ctx)
	if _, ok := compactSignature(signature); w.chain == ethereumChain && !ok && len(caller.Env.Config.CryptoWallets.EthereumRPCURLs) == 0 {
		return nil, errSignature
	}
	var list []*challenge
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		list, err = challengesOf(tx, caller.Env.ID, w, asker(caller), tx.Now.Add(-keepFor))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if w.signed(c.message, signature) {
			return &attempt{wallet: w, challenge: c}, nil
		}
	}
	a := &attempt{wallet: w, verdict: errUnable}
	if w.chain == ethereumChain {
		err = s.askContract(ctx, caller, a, list, signature)
	}
	return a, err
}

// askContract asks the contract at the wallet's address about the one message
// that is most likely meant.
func (s *Service) askContract(ctx context.Context, caller *project.Caller, a *attempt, list []*challenge, signature []byte) error {
	if len(list) == 0 || !s.db.Now().Before(list[0].expires) {
		return nil
	}
	c, asked := list[0], ""
	if c.siwe != nil {
		asked = c.siwe.ChainID
	}
	chainID, url := caller.Env.Config.ContractChain(asked)
	switch {
	case url == "":
		return nil
	case bytes.HasSuffix(signature, undeployed):
		a.verdict = errUnable.WithMessage("The wallet is a contract that is not on its chain yet. Make a first transaction with it, then try again.")
		return nil
	}
	if caller.Browser {
		err := s.db.Update(ctx, func(tx *store.Tx) error {
			return ratelimit.Spend(tx, contractChecks, caller.Env.ID, ratelimit.Of(asker(caller)))
		})
		if err != nil {
			return err
		}
	}
	ok, err := s.contracts.Accepts(ctx, url, a.wallet.address, messageHash(c.message), signature)
	switch {
	case err != nil:
		a.verdict = errUnable.WithMessage("The wallet's chain could not be asked about the signature. Try again in a moment.").Because(err)
	case ok:
		a.challenge, a.contract, a.verdict = c, chainID, nil
	}
	return nil
}

// prove finishes with a signature: it uses the message up, and names whom that
// signs in.
func (s *Service) prove(ctx context.Context, tx *store.Tx, _ *authenticateRequest, a *attempt, resp *authenticateResponse) (session.Proof, error) {
	proof := session.Proof{Factor: session.Factor{Type: "crypto", DeliveryMethod: "crypto_wallet"}}
	if a.verdict != nil {
		return proof, a.verdict
	}
	env, c := project.CallerFrom(ctx).Env, a.challenge
	if err := c.open(tx.Now); err != nil {
		return proof, err
	}
	if !c.creates {
		// The user before anything else of the user, the order that everybody keeps.
		if err := user.Hold(tx, env, c.userID); apierr.From(err) != nil {
			return proof, errUnable.Because(err) // the user is gone, and the message with them
		} else if err != nil {
			return proof, err
		}
	}
	first, err := take(tx, env.ID, a.wallet, c)
	if err != nil {
		return proof, err
	}
	if !first {
		return proof, errUnable // another request was faster, or another message took its place
	}
	row, held, err := s.signsIn(tx, env, a.wallet, c)
	if err != nil {
		return proof, err
	}
	if err := a.checkContract(tx, env, row, held); err != nil {
		return proof, err
	}
	proof.UserID, proof.SessionID = row.UserID, c.sessionID
	proof.Factor.CryptoWalletFactor = &session.CryptoWalletFactor{
		CryptoWalletID: held.CryptoWalletID, CryptoWalletAddress: held.CryptoWalletAddress, CryptoWalletType: held.CryptoWalletType,
	}
	proof.Apply = func(u *user.User) error {
		mine := a.wallet.of(u)
		if mine == nil {
			return errNotOfUser
		}
		mine.Verified = true
		return nil
	}
	resp.SIWEParams = c.siwe.response(project.CallerFrom(ctx).RequestID)
	return proof, nil
}

// open says why a message cannot be used now, though it was signed.
func (c *challenge) open(now time.Time) error {
	switch {
	case !now.Before(c.expires) && c.siwe != nil:
		return errExpired
	case !now.Before(c.expires):
		return errUnable
	case now.Before(c.validFrom):
		return errEarly
	}
	return nil
}

// signsIn returns the user whom a message signs in, with the wallet: the one it
// was made for, or whoever has the wallet by now, or somebody new.
func (s *Service) signsIn(tx *store.Tx, env *project.Environment, w wallet, c *challenge) (*user.Row, *user.CryptoWallet, error) {
	if !c.creates {
		row, err := user.Get(tx, env, c.userID)
		if err != nil {
			return nil, nil, err
		}
		u, err := row.User()
		if err != nil {
			return nil, nil, err
		}
		if held := w.of(u); held != nil {
			return row, held, nil
		}
		return nil, nil, errNotOfUser
	}
	row, held, err := s.owner(tx, env, w)
	if row != nil || err != nil {
		return row, held, err
	}
	made := w.added(env, tx.Now)
	row, err = s.users.Create(tx, env, user.NewUser{ID: c.userID, Fill: func(u *user.User) error {
		u.CryptoWallets = []user.CryptoWallet{made}
		return nil
	}})
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errRaced, err)
	}
	return row, &made, nil
}

// errRaced means that another login may have made a user of the same wallet at
// the same moment: once it has, the wallet is found.
var errRaced = errors.New("making a user of a wallet")

// checkContract holds a wallet that is a contract to the chain on which it was
// first proven: on another one its address can belong to somebody else, who
// would choose that chain. So can that of a key, at which no contract was.
func (a *attempt) checkContract(tx *store.Tx, env *project.Environment, row *user.Row, held *user.CryptoWallet) error {
	if a.contract == "" {
		return nil
	}
	pinned, err := contractChain(tx, env.ID, held.CryptoWalletID)
	switch {
	case err != nil:
		return err
	case pinned == a.contract:
		return nil
	case pinned != "" || held.Verified:
		return errUnable.Because(errors.New("the contract is on another chain than the wallet was first proven on"))
	}
	return insertContract(tx, env.ID, held.CryptoWalletID, row.UserID, a.contract)
}
