package app

import (
	"time"

	"gatehouse/internal/factor/wallet"
	"gatehouse/internal/factor/wallet/ethereum"
	"gatehouse/internal/outbound"
)

// newWallets makes the factor with the one client that asks nodes of chains.
func (a *App) newWallets() (*wallet.Service, error) {
	private, err := a.options.Server.Outbound()
	if err != nil {
		return nil, err
	}
	nodes := outbound.New(outbound.Policy{AllowPrivate: private, AllowHTTP: len(private) > 0, Timeout: 5 * time.Second, MaxBody: 64 << 10})
	return wallet.New(a.DB, a.Users, a.Sessions, ethereum.New(nodes)), nil
}
