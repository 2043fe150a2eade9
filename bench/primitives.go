package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"golang.org/x/crypto/argon2"

	"gatehouse/internal/secret/passhash"
)

// The primitives: what a request cannot do without.
const (
	signRS256       = "RS256"
	signES256       = "ES256"
	verifyAssertion = "assertion"
	signIn          = "RS256 and assertion"
	hashArgon2id    = "argon2id"
)

// primitives makes what runs each primitive once.
func primitives() (map[string]func() error, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	verify, err := assertion()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte("a token"))
	sign := func() error { _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); return err }
	return map[string]func() error{
		signRS256:       sign,
		signIn:          func() error { return errors.Join(sign(), verify()) },
		signES256:       func() error { _, err := ecdsa.SignASN1(rand.Reader, curve, sum[:]); return err },
		verifyAssertion: verify,
		hashArgon2id: func() error {
			p := passhash.Default
			argon2.IDKey([]byte(goodPassword), []byte("0123456789abcdef"), p.Iterations, p.MemoryKiB, p.Parallelism, 32)
			return nil
		},
	}, nil
}

const primitivePath = "/primitives/"

// servePrimitive runs the primitive that the path names for a while, and answers
// how long one run takes.
func servePrimitive(all map[string]func() error, w http.ResponseWriter, r *http.Request) {
	run, known := all[strings.TrimPrefix(r.URL.Path, primitivePath)]
	if !known {
		return
	}
	d, err := time.ParseDuration(r.URL.Query().Get("for"))
	n, begin := 0, time.Now()
	for ; err == nil && (n == 0 || time.Since(begin) < d); n++ {
		err = run()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = fmt.Fprint(w, time.Since(begin)/time.Duration(n)) // the client is the bench
}

// primitive measures how often a core can run a primitive, in the process of H:
// on the server's core, which may be faster or slower than the load's.
func (b *bench) primitive(name string) yardstick {
	return func(d time.Duration) (measured, error) {
		resp, err := http.Get("http://" + b.base + primitivePath + url.PathEscape(name) + "?for=" + d.String())
		if err != nil {
			return measured{}, err
		}
		defer func() { _ = resp.Body.Close() }() // it has been read
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", name, text)
		}
		if err != nil {
			return measured{}, err
		}
		once, err := time.ParseDuration(string(text))
		return measured{Rate: 1 / once.Seconds()}, err
	}
}

// assertion is the part of a sign-in that the library verifies: an ES256
// signature by a COSE key.
func assertion() (func() error, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, err
	}
	public := webauthncose.EC2PublicKeyData{
		PublicKeyData: webauthncose.PublicKeyData{KeyType: int64(webauthncose.EllipticKey), Algorithm: int64(webauthncose.AlgES256)},
		Curve:         int64(webauthncose.P256), XCoord: point[1:33], YCoord: point[33:65],
	}
	message := make([]byte, 69)
	sum := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		return nil, err
	}
	return func() error {
		ok, err := public.Verify(message, signature)
		if err == nil && !ok {
			err = fmt.Errorf("the signature does not verify")
		}
		return err
	}, nil
}
