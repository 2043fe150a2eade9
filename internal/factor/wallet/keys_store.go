package wallet

import "gatehouse/internal/store"

// chainsOf returns the chains of a user's wallets that are contracts, by their
// ids.
func chainsOf(tx *store.Tx, envID, userID string) (map[string]string, error) {
	rows, err := tx.Query(`SELECT wallet_id, chain_id FROM wallet_contracts WHERE environment_id = $1 AND user_id = $2`, envID, userID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	chains := map[string]string{}
	for rows.Next() {
		var walletID, chainID string
		if err := rows.Scan(&walletID, &chainID); err != nil {
			return nil, err
		}
		chains[walletID] = chainID
	}
	return chains, rows.Err()
}
