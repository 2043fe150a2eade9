package wallet

import (
	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/session"
)

// inSandbox reports whether a server asks for a message to the virtual user's
// wallet, which is kept nowhere.
func (req *startRequest) inSandbox(caller *project.Caller) bool {
	return caller.MaySandbox() && isSandbox(req.CryptoWalletType, req.CryptoWalletAddress)
}

// Sandbox implements session.Sandboxed: the virtual user's wallet has one
// signature, which no key made.
func (req *authenticateRequest) Sandbox() (*session.SandboxProof, error) {
	if !isSandbox(req.CryptoWalletType, req.CryptoWalletAddress) {
		return nil, nil
	}
	if req.Signature != sandbox.WalletSignature {
		return nil, errUnable
	}
	return &session.SandboxProof{Factor: session.Factor{
		Type: "crypto", DeliveryMethod: "crypto_wallet",
		CryptoWalletFactor: &session.CryptoWalletFactor{
			CryptoWalletID: sandbox.WalletID, CryptoWalletAddress: sandbox.WalletAddress, CryptoWalletType: ethereumChain,
		},
	}}, nil
}
