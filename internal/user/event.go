package user

import (
	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// emit writes an event about a user into the audit log. Who caused it is the
// caller of the transaction; commands have none.
func emit(tx *store.Tx, env *project.Environment, e event.Event) error {
	e.EnvironmentID = env.ID
	if caller := project.CallerFrom(tx.Context()); caller != nil {
		e.UserAgent, e.RequestID = caller.UserAgent, caller.RequestID
		// Behind the secret door the address is the customer's server.
		if caller.Browser && caller.IP.IsValid() {
			e.IP = caller.IP.String()
		}
	}
	return event.Emit(tx, env.Kind, e)
}
