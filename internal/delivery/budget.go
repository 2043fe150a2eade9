package delivery

import (
	"strings"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/store"
)

// lastDigits are left out of the prefix of a number: numbers that earn money
// for whoever has them called are rented in blocks.
const lastDigits = 4

const day = 24 * time.Hour

// Budget counts a message that somebody asked for, perhaps a stranger, against
// what the environment allows: to one address or number, to its block of
// numbers, in a day, and of each for one network, so that a stranger uses up
// only a share of what somebody else needs. It returns too_many_requests when
// one of these is used up; let the transaction fail with it, and nothing is
// counted or sent. Call it before any user is looked up: every caller takes the
// counters first and rows of users later. to is an address as user.ASCIIEmail
// gives it, or a number in E.164, so that spellings share a counter.
func Budget(tx *store.Tx, caller *project.Caller, c Channel, to string) error {
	for _, b := range budgets(caller, c, to) {
		if err := ratelimit.Spend(tx, b.rule, caller.Env.ID, ratelimit.Of(b.of...)); err != nil {
			return err
		}
	}
	return nil
}

type budget struct {
	rule ratelimit.Rule
	of   []string
}

// budgets lists the narrow ones first: their counters are contended least. What
// a server asks for is its own: it has no network.
func budgets(caller *project.Caller, via Channel, to string) (list []budget) {
	network := ""
	if caller.Browser && caller.IP.IsValid() {
		network = ratelimit.Network(caller.IP).String()
	}
	add := func(name string, limit int, per time.Duration, of ...string) {
		list = append(list, budget{ratelimit.Rule{Name: name, Limit: limit, Per: per}, of})
	}
	share := func(limit, parts int) int { return (limit + parts - 1) / parts }
	c := &caller.Env.Config
	if via == Email {
		to = withoutTag(to)
		if network != "" {
			add("e-mails per address and network", share(c.EmailBudget(), 4), time.Hour, to, network)
		}
		add("e-mails per address", c.EmailBudget(), time.Hour, to)
		add("e-mails per environment", c.EmailDayBudget(), day)
		return list
	}
	if network != "" {
		add("texts per number and network", share(c.NumberBudget(), 2), 10*time.Minute, to, network)
		add("texts per network", c.NetworkBudget(), time.Hour, network)
	}
	add("texts per number", c.NumberBudget(), 10*time.Minute, to)
	add("texts per prefix", c.PrefixBudget(), time.Hour, to[:max(len(to)-lastDigits, 0)])
	if via == WhatsApp {
		add("WhatsApp messages per environment", c.WhatsAppBudget(), day)
	} else {
		add("SMS per environment", c.SMSBudget(), day)
	}
	return list
}

// OnceIn is the rule that there is one of something in a time; 0: any number.
func OnceIn(d time.Duration, name string) ratelimit.Rule {
	if d == 0 {
		return ratelimit.Rule{Name: name}
	}
	return ratelimit.Rule{Name: name, Limit: 1, Per: d}
}

// withoutTag is an address as counters know it: most mail providers put what
// stands behind a plus into the same mailbox.
func withoutTag(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	name, _, _ := strings.Cut(local, "+")
	return name + "@" + domain
}
