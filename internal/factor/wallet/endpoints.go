package wallet

import (
	"context"
	"errors"

	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

// Endpoints are the routes of the crypto_wallets group on both surfaces.
func (s *Service) Endpoints() []wire.Endpoint {
	need := wire.Needs("crypto_wallets")
	authenticate := session.Retried(session.LoginAfter(s.core, s.prepare, s.prove), raced)
	return []wire.Endpoint{
		wire.POST("/v1/crypto_wallets/authenticate/start", wire.Secret, s.startForServer, wire.Summary("Make a message for a wallet to sign; wallets unknown become users")),
		wire.POST("/v1/crypto_wallets/authenticate", wire.Secret, authenticate, wire.Summary("Sign in with a wallet's signature")),
		wire.POST("/sdk/v1/crypto_wallets/authenticate/start/primary", wire.Public, s.startPrimary, need, wire.Summary("Make a message for a wallet to sign; wallets unknown become users")),
		wire.POST("/sdk/v1/crypto_wallets/authenticate/start/secondary", wire.Public, s.startSecondary, need, wire.Summary("Make a message by which the signed-in user proves a wallet, perhaps a new one")),
		wire.POST("/sdk/v1/crypto_wallets/authenticate", wire.Public, authenticate, need, wire.Summary("Sign in with a wallet's signature")),
	}
}

// raced reports whether another login made a user of the same wallet at the same
// moment.
func raced(err error) bool { return errors.Is(err, errRaced) }

// walletFields name a wallet.
type walletFields struct {
	CryptoWalletType    string `json:"crypto_wallet_type" required:"true" enum:"ethereum,solana" description:"ethereum stands for all chains that run the EVM."`
	CryptoWalletAddress string `json:"crypto_wallet_address" required:"true"`
}

type startRequest struct {
	walletFields
	session.Holder
	SIWEParams *siweParams `json:"siwe_params" description:"Makes the message one by EIP-4361 (Sign-In with Ethereum). Ethereum only."`
}

type startResponse struct {
	wire.Meta
	UserID      string `json:"user_id" required:"true" description:"Whom the signature will sign in. With user_created, a user who is made by it."`
	Challenge   string `json:"challenge" required:"true" description:"The text to be signed: with personal_sign, or as a message of Solana."`
	UserCreated bool   `json:"user_created" required:"true"`
}

// startedOnPage is all that a page is told: it would learn who is a user.
type startedOnPage struct {
	wire.Meta
	Challenge string `json:"challenge" required:"true" description:"The text to be signed: with personal_sign, or as a message of Solana."`
}

type startPrimaryResponse struct{ startResponse }

// ForBrowser implements wire.ForBrowser.
func (r startPrimaryResponse) ForBrowser() any { return &startedOnPage{Challenge: r.Challenge} }

type authenticateRequest struct {
	session.Fields
	walletFields
	Signature string `json:"signature" required:"true" description:"Of the challenge: of Ethereum in hexadecimal with 0x, of Solana in base58."`
}

type authenticateResponse struct {
	session.Result
	SIWEParams *siweResponse `json:"siwe_params" description:"What the signed message said; null unless it was one by EIP-4361."`
}

// siweResponse repeats the envelope, which some clients look for here too.
type siweResponse struct {
	Domain           string            `json:"domain" required:"true"`
	URI              string            `json:"uri" required:"true"`
	ChainID          string            `json:"chain_id" required:"true"`
	Resources        []string          `json:"resources" required:"true"`
	IssuedAt         session.Timestamp `json:"issued_at"`
	MessageRequestID string            `json:"message_request_id,omitempty"`
	RequestID        string            `json:"request_id" required:"true"`
	StatusCode       int               `json:"status_code" required:"true"`
}

func (m *siwe) response(requestID string) *siweResponse {
	if m == nil {
		return nil
	}
	return &siweResponse{
		Domain: m.Domain, URI: m.URI, ChainID: m.ChainID, Resources: m.Resources, IssuedAt: session.Timestamp(m.IssuedAt),
		MessageRequestID: m.MessageRequestID, RequestID: requestID, StatusCode: 200,
	}
}

// understood checks what can be checked without the database.
func (req *startRequest) understood(ctx context.Context) (*request, error) {
	r := &request{caller: project.CallerFrom(ctx), wallet: wallet{ethereumChain, sandbox.WalletAddress}}
	var err error
	if !req.inSandbox(r.caller) {
		if r.wallet, err = parseWallet(req.CryptoWalletType, req.CryptoWalletAddress); err != nil {
			return nil, err
		}
	}
	required := r.caller.Browser && r.caller.Env.Config.SDK.CryptoWallets.SIWERequired && r.wallet.chain == ethereumChain
	switch {
	case req.SIWEParams == nil && required:
		return nil, wire.BadRequest("This environment signs people in with messages by EIP-4361 only. Send siwe_params, an empty object at least.")
	case req.SIWEParams == nil:
		return r, nil
	case r.wallet.chain != ethereumChain:
		return nil, errIncompatible
	}
	r.siwe, err = req.SIWEParams.understood(ctx)
	return r, err
}

// startForServer takes the word of a server for who the user is.
func (s *Service) startForServer(ctx context.Context, req *startRequest) (*startResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	if req.inSandbox(r.caller) {
		return &startResponse{UserID: sandbox.UserID, Challenge: r.challenge(s.db.Now()).message}, nil
	}
	held, err := s.core.Holding(ctx, &req.Holder)
	if err != nil {
		return nil, err
	}
	return answer(s.start(ctx, r, func(tx *store.Tx) (*holder, error) {
		row, sessionID, err := held.User(tx)
		if row == nil || err != nil {
			return nil, err
		}
		return &holder{row, sessionID}, nil
	}))
}

func (s *Service) startPrimary(ctx context.Context, req *startRequest) (*startPrimaryResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	done, err := answer(s.start(ctx, r, func(*store.Tx) (*holder, error) { return nil, nil }))
	if err != nil {
		return nil, err
	}
	return &startPrimaryResponse{*done}, nil
}

// startSecondary is for the signed-in person. To prove a wallet once more needs
// no more than the session; to add one is a privileged change.
func (s *Service) startSecondary(ctx context.Context, req *startRequest) (*startResponse, error) {
	r, err := req.understood(ctx)
	if err != nil {
		return nil, err
	}
	return answer(s.start(ctx, r, func(tx *store.Tx) (*holder, error) {
		who, err := s.core.Identify(ctx, tx)
		if err != nil {
			return nil, err
		}
		u, err := who.User.User()
		if err != nil {
			return nil, err
		}
		if r.wallet.of(u) == nil {
			if err := who.StepUp(tx.Now); err != nil {
				return nil, err
			}
		}
		return &holder{who.User, who.Session.ID}, nil
	}))
}

func answer(c *challenge, err error) (*startResponse, error) {
	if err != nil {
		return nil, err
	}
	return &startResponse{UserID: c.userID, Challenge: c.message, UserCreated: c.creates}, nil
}
