package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"
)

// onceEach is how many people prove themselves once in one measurement: a code
// and a challenge work a single time.
const onceEach = 2000

// factors measures the last step of signing in with an authenticator app and with
// an Ethereum wallet.
func (b *bench) factors(t *target) error {
	apps := fmt.Sprintf("SQLite: totps/authenticate, ES256, %d connections", signInCallers)
	wallets := fmt.Sprintf("SQLite: crypto_wallets/authenticate (SIWE), ES256, %d connections", signInCallers)
	if !slices.ContainsFunc([]string{apps, wallets}, b.wanted) {
		return nil
	}
	if err := t.configure(b.ctx, map[string]string{"session.algorithm": "ES256"}); err != nil {
		return err
	}
	for _, m := range []struct {
		name  string
		ready func(*bench, *target) ([][]byte, error)
	}{{apps, (*bench).enrolledApps}, {wallets, (*bench).signedChallenges}} {
		if err := b.eachOnce(t, m.name, m.ready); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

// eachOnce sends every request once and compares the rate with H.
func (b *bench) eachOnce(t *target, name string, ready func(*bench, *target) ([][]byte, error)) error {
	if !b.wanted(name) {
		return nil
	}
	requests, err := ready(b, t)
	if err != nil {
		return err
	}
	before, err := load(b.ctx, b.base, signInCallers, b.duration/2, ping)
	if err != nil {
		return err
	}
	m, err := times(b.ctx, t.address, signInCallers, len(requests), func(c *connection, _, i int) error {
		status, body, err := c.do(requests[i])
		if err == nil && status != 200 {
			err = fmt.Errorf("answered %d: %.300s", status, body)
		}
		return err
	})
	if err != nil {
		return err
	}
	after, err := load(b.ctx, b.base, signInCallers, b.duration/2, ping)
	if err != nil {
		return err
	}
	b.table.atLeast(name, rate(m), m.Rate/((before.Rate+after.Rate)/2), 0.03, "H")
	return nil
}

// enrolledApps adds an app to users, proves it with the code of the step before,
// and returns the logins with the code of now.
func (b *bench) enrolledApps(t *target) ([][]byte, error) {
	requests := make([][]byte, min(onceEach, t.filled))
	secrets := make([]string, len(requests))
	ids := make([]string, len(requests))
	if _, err := times(b.ctx, t.address, signInCallers, len(requests), func(c *connection, _, i int) error {
		var made struct {
			UserID string `json:"user_id"`
		}
		if err := t.call(c, "/v1/users", map[string]any{"email": fmt.Sprintf("app%06d@example.com", i)}, &made); err != nil {
			return err
		}
		var app struct {
			Secret string `json:"secret"`
		}
		err := t.call(c, "/v1/totps", map[string]any{"user_id": made.UserID}, &app)
		ids[i], secrets[i] = made.UserID, app.Secret
		return err
	}); err != nil {
		return nil, err
	}
	// All codes are of steps that hold for the next half minute at least.
	step := time.Now().Unix() / 30
	if time.Now().Unix()%30 > 15 {
		time.Sleep(time.Until(time.Unix((step+1)*30, 0)))
		step++
	}
	if _, err := times(b.ctx, t.address, signInCallers, len(requests), func(c *connection, _, i int) error {
		key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secrets[i])
		if err != nil {
			return err
		}
		requests[i] = request("POST", "/v1/totps/authenticate", t.basic,
			fmt.Sprintf(`{"user_id":%q,"totp_code":%q,"session_duration_minutes":60}`, ids[i], codeOf(key, step+1)))
		return t.call(c, "/v1/totps/authenticate", map[string]any{"user_id": ids[i], "totp_code": codeOf(key, step)}, &struct{}{})
	}); err != nil {
		return nil, err
	}
	return requests, nil
}

// codeOf is the code that an authenticator app shows in a step (RFC 6238).
func codeOf(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, step) // a hash takes everything
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 15
	return fmt.Sprintf("%06d", (binary.BigEndian.Uint32(sum[at:])&0x7fffffff)%1_000_000)
}

// signedChallenges has challenges made for new wallets and signs them.
func (b *bench) signedChallenges(t *target) ([][]byte, error) {
	requests := make([][]byte, onceEach)
	_, err := times(b.ctx, t.address, signInCallers, len(requests), func(c *connection, _, i int) error {
		key, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			return err
		}
		address := "0x" + hex.EncodeToString(keccak(key.PubKey().SerializeUncompressed()[1:])[12:])
		var started struct {
			Challenge string `json:"challenge"`
		}
		if err := t.call(c, "/v1/crypto_wallets/authenticate/start", map[string]any{
			"crypto_wallet_type": "ethereum", "crypto_wallet_address": address,
			"siwe_params": map[string]string{"domain": "localhost:3000", "uri": "http://localhost:3000"},
		}, &started); err != nil {
			return err
		}
		signed := ecdsa.SignCompact(key, keccak(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d%s", len(started.Challenge), started.Challenge)), false)
		signature := "0x" + hex.EncodeToString(append(signed[1:], signed[0]))
		requests[i] = request("POST", "/v1/crypto_wallets/authenticate", t.basic,
			fmt.Sprintf(`{"crypto_wallet_type":"ethereum","crypto_wallet_address":%q,"signature":%q,"session_duration_minutes":60}`, address, signature))
		return nil
	})
	return requests, err
}

func keccak(b []byte) []byte {
	h := sha3.NewLegacyKeccak256()
	_, _ = h.Write(b) // a hash takes everything
	return h.Sum(nil)
}
