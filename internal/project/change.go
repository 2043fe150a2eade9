package project

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"

	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/store"
)

// ChangeConfig changes an environment's configuration; it is checked as a
// whole before it is written.
func (s *Service) ChangeConfig(ctx context.Context, envID string, f func(id.Env, *Config) error) error {
	return s.change(ctx, envID, func(tx *store.Tx, env *Environment) (*event.Event, error) {
		c := &env.Config
		was, err := c.Settings()
		if err != nil {
			return nil, err
		}
		if err := f(env.Kind, c); err != nil {
			return nil, err
		}
		if err := c.check(env.Kind); err != nil {
			return nil, err
		}
		if err := writeConfig(tx, envID, c); err != nil {
			return nil, err
		}
		is, err := c.Settings()
		return settingsEvent(was, is), err
	})
}

// change runs f on an environment as it stands in the transaction, under the
// lock on its row, so that changes follow one another. What f returns goes into
// the audit log beside the change; nil says that it has changed nothing.
func (s *Service) change(ctx context.Context, envID string, f func(*store.Tx, *Environment) (*event.Event, error)) error {
	return s.Configure(ctx, func(tx *store.Tx) error {
		if _, _, err := readConfig(tx, envID); errors.Is(err, store.ErrNoRows) {
			return errEnvironmentNotFound
		} else if err != nil {
			return err
		}
		snap, err := readSnapshot(tx)
		if err != nil {
			return err
		}
		env := snap.byID[envID]
		what, err := f(tx, env)
		if err != nil || what == nil {
			return err
		}
		what.EnvironmentID = envID
		return event.Emit(tx, env.Kind, *what)
	})
}

// Configure commits a change of configuration, also of what another package
// keeps, and makes this node see it before it returns. Other nodes see it within
// a moment. Whoever calls it writes the change into the audit log.
func (s *Service) Configure(ctx context.Context, f func(*store.Tx) error) error {
	err := s.db.Update(ctx, func(tx *store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return BumpVersion(tx)
	})
	if err != nil {
		return err
	}
	return s.Refresh(ctx)
}

// settingChange is what was in force of a setting and what is, nothing of one
// that may hold a key.
type settingChange struct {
	From json.RawMessage `json:"from,omitempty"`
	To   json.RawMessage `json:"to,omitempty"`
}

// settingsEvent says which settings differ, by their paths; nil when none does.
// A default that somebody wrote down is one that will not change with the next
// version, and so differs.
func settingsEvent(was, is []Setting) *event.Event {
	changed := map[string]settingChange{}
	for i := range is {
		switch {
		case is[i].IsDefault == was[i].IsDefault && bytes.Equal(is[i].Value, was[i].Value):
		case is[i].unlogged:
			changed[is[i].Path] = settingChange{}
		default:
			changed[is[i].Path] = settingChange{was[i].Value, is[i].Value}
		}
	}
	if len(changed) == 0 {
		return nil
	}
	return &event.Event{Type: "config.change", Details: map[string]any{"settings": changed}}
}

// policyEvent names the roles, resources and scopes in which two policies
// differ. There may be none where only their order does.
func policyEvent(was, is *Policy) *event.Event {
	details := map[string]any{}
	differences(details, "roles", was.Roles, is.Roles, func(r PolicyRole) string { return r.RoleID })
	differences(details, "resources", was.Resources, is.Resources, func(r PolicyResource) string { return r.ResourceID })
	differences(details, "scopes", was.Scopes, is.Scopes, func(s PolicyScope) string { return s.Scope })
	return &event.Event{Type: "policy.change", Details: details}
}

// differences adds to details what is added, removed and changed in a list.
func differences[T any](details map[string]any, what string, was, is []T, name func(T) string) {
	before := map[string]T{}
	for _, entry := range was {
		before[name(entry)] = entry
	}
	var added, changed, removed []string
	for _, entry := range is {
		old, known := before[name(entry)]
		delete(before, name(entry))
		switch {
		case !known:
			added = append(added, name(entry))
		case !reflect.DeepEqual(old, entry):
			changed = append(changed, name(entry))
		}
	}
	for _, entry := range was {
		if _, gone := before[name(entry)]; gone {
			removed = append(removed, name(entry))
		}
	}
	for suffix, names := range map[string][]string{"_added": added, "_changed": changed, "_removed": removed} {
		if len(names) > 0 {
			details[what+suffix] = names
		}
	}
}
