package app

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"gatehouse/internal/delivery"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/password"
	"gatehouse/internal/factor/totp"
	"gatehouse/internal/m2m"
	"gatehouse/internal/reseal"
	"gatehouse/internal/secret"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
)

// ErrNoMasterKey means that there is no master key, without which nothing can
// be sealed.
var ErrNoMasterKey = errors.New("there is no master key: set GATEHOUSE_MASTER_KEY to 32 random bytes, and keep a copy somewhere safe. Make them with: openssl rand -base64 32")

// ErrMasterKey means that what is sealed in the database was sealed with
// another master key.
var ErrMasterKey = errors.New("the master key does not fit this database: its secrets were sealed with another one. Start with that key, or with both, separated by a comma, the new one first")

// The database keeps one value sealed, by which a master key is tried at the
// start rather than at somebody's login.
const (
	keyCheckName    = "master_key_check"
	keyCheckPurpose = "master key check"
	keyCheckText    = "gatehouse"
)

// pledgeMasterKey makes sure that the master keys open what is in the
// database, and that the first of them sealed the value by which the next
// start will know.
func (a *App) pledgeMasterKey(ctx context.Context) error {
	first, _, _ := strings.Cut(a.options.Database.MasterKey, ",")
	newest, err := secret.ParseKeyring(first)
	if err != nil {
		return err
	}
	var sealed string
	err = a.DB.View(ctx, func(tx *store.Tx) (err error) {
		sealed, err = readSetting(tx, keyCheckName)
		return err
	})
	if err != nil || sealed != "" && tryCheck(newest, sealed) == nil {
		return err
	}
	b, err := newest.Seal(keyCheckPurpose, "", []byte(keyCheckText))
	if err != nil {
		return err
	}
	fresh := base64.StdEncoding.EncodeToString(b)
	return a.DB.Update(ctx, func(tx *store.Tx) error {
		was, err := remember(tx, keyCheckName, fresh)
		if err != nil {
			return err
		}
		if err := tryCheck(a.Keyring, was); err != nil {
			return err
		}
		return writeSetting(tx, keyCheckName, fresh)
	})
}

// CheckMasterKey tries the master keys without writing anything. A database
// that no server has opened yet takes any key.
func (a *App) CheckMasterKey(ctx context.Context) error {
	return a.DB.View(ctx, func(tx *store.Tx) error {
		sealed, err := readSetting(tx, keyCheckName)
		if err != nil || sealed == "" {
			return err
		}
		return tryCheck(a.Keyring, sealed)
	})
}

// sealedColumns are all that hold sealed values for longer than a new master key
// waits for.
func sealedColumns() []reseal.Column {
	return slices.Concat(session.Sealed(), password.Sealed(), totp.Sealed(), oauth.Sealed(), m2m.Sealed(), delivery.Sealed())
}

func tryCheck(k *secret.Keyring, sealed string) error {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return err
	}
	if _, err := k.Open(keyCheckPurpose, "", b); err != nil {
		return ErrMasterKey
	}
	return nil
}
