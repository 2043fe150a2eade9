package wallet

import (
	"encoding/json"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var errKey = apierr.New(400, "invalid_crypto_wallet_credential", "The credential of the crypto wallet is not one that an export has written.")

// exported is what is kept of a wallet beside its address: the chain of one that
// is a contract, as a decimal number.
type exported struct {
	ChainID string `json:"chain_id"`
}

// KeysOf returns what is kept of a user's wallets by their ids, so that RestoreKey
// makes the same of it elsewhere. Nothing in it is secret.
func (s *Service) KeysOf(tx *store.Tx, env *project.Environment, userID string) (map[string]json.RawMessage, error) {
	chains, err := chainsOf(tx, env.ID, userID)
	if err != nil {
		return nil, err
	}
	keys := make(map[string]json.RawMessage, len(chains))
	for walletID, chainID := range chains {
		if keys[walletID], err = json.Marshal(exported{chainID}); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// RestoreKey keeps what KeysOf returned.
func (s *Service) RestoreKey(tx *store.Tx, env *project.Environment, userID, walletID string, key json.RawMessage) error {
	var e exported
	if err := json.Unmarshal(key, &e); err != nil || e.ChainID == "" || len(e.ChainID) > 32 {
		return errKey.Because(err)
	}
	for _, digit := range e.ChainID {
		if digit < '0' || digit > '9' {
			return errKey
		}
	}
	return insertContract(tx, env.ID, walletID, userID, e.ChainID)
}
