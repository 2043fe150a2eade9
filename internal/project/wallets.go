package project

import (
	"encoding/json"
	"strconv"

	"gatehouse/internal/apierr"
	"gatehouse/internal/outbound"
)

// CryptoWalletsConfig says how wallets are checked that are contracts and not
// keys (EIP-1271). Without a node nobody signs in with one.
type CryptoWalletsConfig struct {
	EthereumRPCURLs RPCURLs `json:"ethereum_rpc_urls" log:"-"` // nodes that are asked whether a contract signed, by chain id: {"1":"https://..."}
}

// RPCURLs are addresses of nodes by chain id.
type RPCURLs map[string]string

// UnmarshalJSON makes a new map: configurations share what they hold.
func (r *RPCURLs) UnmarshalJSON(b []byte) error {
	var list map[string]string
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*r = list
	return nil
}

// ContractChain returns the chain on which a wallet is looked for as a contract,
// and the node to ask, "" when there is none: the chain that is asked for, or
// else the only one there is a node for, or else Ethereum's own.
func (c *Config) ContractChain(asked string) (chainID, url string) {
	urls := c.CryptoWallets.EthereumRPCURLs
	if asked != "" {
		return asked, urls[asked]
	}
	if len(urls) == 1 {
		for chainID, url := range urls {
			return chainID, url
		}
	}
	return "1", urls["1"]
}

func (c *Config) checkWallets() error {
	for chainID, url := range c.CryptoWallets.EthereumRPCURLs {
		n, err := strconv.ParseUint(chainID, 10, 64)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != chainID {
			return errSetting.WithMessage("crypto_wallets.ethereum_rpc_urls has %s for a chain id. Use numbers such as 1 for Ethereum.", quoted(chainID))
		}
		if _, err := outbound.ParseURL(url); err != nil {
			return errSetting.WithMessage("crypto_wallets.ethereum_rpc_urls of chain %s: %s", chainID, apierr.From(err).Message)
		}
	}
	return nil
}

// SDKCryptoWallets switches wallets on for browsers.
type SDKCryptoWallets struct {
	Enabled      bool `json:"enabled"`       // people may sign in with crypto wallets in browsers
	SIWERequired bool `json:"siwe_required"` // Ethereum wallets sign messages by EIP-4361, which name the page they were signed on
}
