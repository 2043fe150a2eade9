package delivery

import (
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
// numbers, and in a day. It returns too_many_requests when one of these is used
// up; let the transaction fail with it, and nothing is counted or sent. Call it
// before any user is looked up: every caller takes the counters first and rows
// of users later. to is an address as user.ASCIIEmail gives it, or a number in
// E.164, so that spellings share a counter.
func Budget(tx *store.Tx, env *project.Environment, c Channel, to string) error {
	for _, b := range budgets(&env.Config, c, to) {
		ok, wait, err := ratelimit.Take(tx, b.rule, env.ID, ratelimit.Of(b.of...))
		if err != nil {
			return err
		}
		if !ok {
			return b.rule.Refused(wait)
		}
	}
	return nil
}

type budget struct {
	rule ratelimit.Rule
	of   []string
}

// budgets lists the narrow ones first: their counters are contended least.
func budgets(c *project.Config, via Channel, to string) []budget {
	if via == Email {
		return []budget{{ratelimit.Rule{Name: "e-mails per address", Limit: c.EmailBudget(), Per: time.Hour}, []string{to}}}
	}
	daily := ratelimit.Rule{Name: "SMS per environment", Limit: c.SMSBudget(), Per: day}
	if via == WhatsApp {
		daily = ratelimit.Rule{Name: "WhatsApp messages per environment", Limit: c.WhatsAppBudget(), Per: day}
	}
	return []budget{
		{ratelimit.Rule{Name: "texts per number", Limit: c.NumberBudget(), Per: 10 * time.Minute}, []string{to}},
		{ratelimit.Rule{Name: "texts per prefix", Limit: c.PrefixBudget(), Per: time.Hour}, []string{to[:max(len(to)-lastDigits, 0)]}},
		{daily, nil},
	}
}
