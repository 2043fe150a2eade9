package project

import (
	"context"
	"sync"
	"sync/atomic"

	"gatehouse/internal/secret"
	"gatehouse/internal/store"
)

// Service keeps the configuration of all environments in memory and changes it
// in the database. All nodes on one database see a change within one poll.
type Service struct {
	db       *store.DB
	snapshot atomic.Pointer[snapshot]
	reload   sync.Mutex
}

// snapshot is everything configured, at one version. It is never changed.
type snapshot struct {
	version      int64
	environments []*Environment
	byID         map[string]*Environment
	byToken      map[string]*Environment
	bySecret     map[string]*Environment // key: the hash's bytes
}

// New returns a service that has read nothing yet; call Load before use.
func New(db *store.DB) *Service {
	s := &Service{db: db}
	s.snapshot.Store(&snapshot{})
	return s
}

// Load reads the whole configuration.
func (s *Service) Load(ctx context.Context) error {
	s.reload.Lock()
	defer s.reload.Unlock()
	return s.read(ctx)
}

// Refresh reads the configuration again if its version has moved. Nodes call
// it on a timer, and before they refuse something they do not know.
func (s *Service) Refresh(ctx context.Context) error {
	s.reload.Lock()
	defer s.reload.Unlock()
	var version int64
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		version, err = readVersion(tx)
		return err
	})
	if err != nil || version == s.snapshot.Load().version {
		return err
	}
	return s.read(ctx)
}

func (s *Service) read(ctx context.Context) error {
	var next *snapshot
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		next, err = readSnapshot(tx)
		return err
	})
	if err != nil {
		return err
	}
	s.snapshot.Store(next)
	return nil
}

// Version is the version of the configuration in memory.
func (s *Service) Version() int64 { return s.snapshot.Load().version }

// Environments returns all environments in order of creation.
func (s *Service) Environments() []*Environment { return s.snapshot.Load().environments }

// Environment finds an environment by its project_id; nil if there is none.
func (s *Service) Environment(ctx context.Context, envID string) (*Environment, error) {
	return s.find(ctx, func(snap *snapshot) *Environment { return snap.byID[envID] })
}

func (s *Service) byPublicToken(ctx context.Context, token string) (*Environment, error) {
	return s.find(ctx, func(snap *snapshot) *Environment { return snap.byToken[token] })
}

// bySecret finds the environment a secret opens, whatever project the caller
// named beside it. Look-up by hash leaks nothing about the secret's bytes.
func (s *Service) bySecret(ctx context.Context, value string) (*Environment, error) {
	key := string(secret.Hash(value))
	return s.find(ctx, func(snap *snapshot) *Environment { return snap.bySecret[key] })
}

// find looks in the snapshot and, before it gives up, makes sure that the
// snapshot is the newest.
func (s *Service) find(ctx context.Context, pick func(*snapshot) *Environment) (*Environment, error) {
	if e := pick(s.snapshot.Load()); e != nil {
		return e, nil
	}
	if err := s.Refresh(ctx); err != nil {
		return nil, err
	}
	return pick(s.snapshot.Load()), nil
}
