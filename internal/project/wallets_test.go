package project

import (
	"testing"

	"gatehouse/internal/apierr"
	"gatehouse/internal/id"
)

func TestNodesOfChains(t *testing.T) {
	var c Config
	if chain, url := c.ContractChain(""); chain != "1" || url != "" {
		t.Errorf("without a node: %s %s", chain, url)
	}
	set := func(value string) Config {
		t.Helper()
		next := c
		if err := next.Set("crypto_wallets.ethereum_rpc_urls", value); err != nil {
			t.Fatal(err)
		}
		if err := next.check(id.Test); err != nil {
			t.Fatal(err)
		}
		return next
	}
	one := set(`{"10":"https://op.example/rpc?key=x"}`)
	for asked, want := range map[string]string{"": "10 https://op.example/rpc?key=x", "10": "10 https://op.example/rpc?key=x", "1": "1 "} {
		if chain, url := one.ContractChain(asked); chain+" "+url != want {
			t.Errorf("asked for %q: %s %s", asked, chain, url)
		}
	}
	c = one
	two := set(`{"1":"https://eth.example","10":"https://op.example"}`)
	if chain, url := two.ContractChain(""); chain != "1" || url != "https://eth.example" {
		t.Errorf("two nodes: %s %s", chain, url)
	}
	// A configuration is shared: to change a copy leaves the others as they are.
	nested := two
	if err := nested.Set("crypto_wallets.ethereum_rpc_urls.137", "https://polygon.example"); err != nil {
		t.Fatal(err)
	}
	if len(one.CryptoWallets.EthereumRPCURLs) != 1 || len(two.CryptoWallets.EthereumRPCURLs) != 2 {
		t.Errorf("changed: %v, %v", one, two)
	}
	for _, bad := range []string{`{"0":"https://x.example"}`, `{"01":"https://x.example"}`, `{"x":"https://x.example"}`, `{"1":"x"}`, `{"1":"ftp://x.example"}`, `{"1":"https://user:secret@x.example"}`, `[]`, `"x"`, `{"1":1}`} {
		next := c
		err := next.Set("crypto_wallets.ethereum_rpc_urls", bad)
		if err == nil {
			err = next.check(id.Test)
		}
		if e := apierr.From(err); e == nil || e.Type != "invalid_setting" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}
