package app

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/wire"
)

// doorKey is what the browser's door counts by: where a call comes from, and
// nothing that its sender can vary.
type doorKey struct {
	environmentID string
	network       netip.Prefix
}

// limitedGate counts calls behind the browser's door per address and group of
// routes. It counts in memory: refusing a flood must not cost a write.
func (a *App) limitedGate(gate wire.Gate, limit int) wire.Gate {
	if limit <= 0 {
		return gate
	}
	local := ratelimit.NewLocal(a.DB.Now)
	return func(ctx context.Context, in *wire.Incoming) (context.Context, error) {
		entered, err := gate(ctx, in)
		rule, limited := doorRule(in.Endpoint, limit)
		if err != nil || !limited {
			return entered, err
		}
		key := doorKey{project.CallerFrom(entered).Env.ID, ratelimit.Network(in.IP)}
		ok, wait := local.Take(rule, key)
		if ok {
			return entered, nil
		}
		a.suspectProxy(local, in.IP)
		refused := rule.Refused(wait).Because(fmt.Errorf("%s from %s", rule.Name, key.network))
		a.refusals.limited(entered, refused)
		return nil, refused
	}
}

// doorRule is the limit on an endpoint of the browser's door: every one that
// does more than read has one, together with those that share the first two
// words of its path, as the steps and variants of one ceremony do.
func doorRule(e *wire.Endpoint, limit int) (rule ratelimit.Rule, limited bool) {
	if e.Method == http.MethodGet {
		return rule, false
	}
	words := strings.Split(strings.TrimPrefix(e.Path, "/sdk/v1/"), "/")
	group := strings.Join(words[:min(2, len(words))], "/")
	return ratelimit.Rule{Name: "sdk " + group, Limit: limit, Per: time.Minute}, true
}

// suspectProxy says, once an hour, what a limit that is reached from a private
// address most often means.
func (a *App) suspectProxy(local *ratelimit.Local, ip netip.Addr) {
	if !ip.IsPrivate() && !ip.IsLoopback() || len(a.options.Server.TrustedProxies) > 0 {
		return
	}
	if ok, _ := local.Take(ratelimit.Rule{Name: "warning", Limit: 1, Per: time.Hour}, ip); ok {
		a.Logger.Warn("a private address has reached the rate limit of the browser's door: if it is a proxy, name it in --trusted-proxies, or all clients share one limit", "ip", ip)
	}
}
