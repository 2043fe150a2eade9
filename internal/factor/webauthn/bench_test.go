package webauthn

import (
	"context"
	"encoding/base64"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"gatehouse/internal/factor/webauthn/virtualkey"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/internal/user"
)

// BenchmarkAssertion is everything a finish does outside of the database:
// reading the credential, the challenge's MAC, the signature.
func BenchmarkAssertion(b *testing.B) {
	for name, algorithm := range map[string]int{"ES256": virtualkey.ES256, "EdDSA": virtualkey.EdDSA, "RS256": virtualkey.RS256} {
		b.Run(name, func(b *testing.B) {
			keys, now := newKeyring(b), time.Unix(1767323045, 0)
			device := virtualkey.New()
			device.Algorithm = algorithm
			public := created(b, device).Key.COSE()
			challenge, err := newAnonymousChallenge(keys, "project-test-1", "example.com", now, false, false)
			if err != nil {
				b.Fatal(err)
			}
			o := &requestOptions{rpID: "example.com", challenge: challenge, userVerification: verificationPreferred}
			g, err := device.Get(examplePage, o.json(base64URL))
			if err != nil {
				b.Fatal(err)
			}
			text := g.JSON(base64.RawURLEncoding)
			b.ReportAllocs()
			for b.Loop() {
				a, err := parseAssertion(text)
				if err != nil {
					b.Fatal(err)
				}
				if _, ok, err := openAnonymousChallenge(keys, "project-test-1", "example.com", a.ClientData.Challenge); err != nil || !ok {
					b.Fatal(ok, err)
				}
				if _, err := exampleCeremony().verifyAssertion(a, public); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseAssertion(b *testing.B) {
	device := virtualkey.New()
	created(b, device)
	text := got(b, device).JSON(base64.RawURLEncoding)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parseAssertion(text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnonymousStart is a start without its HTTP.
func BenchmarkAnonymousStart(b *testing.B) {
	for name, inURL := range map[string]bool{"base64": false, "base64url": true} {
		b.Run(name, func(b *testing.B) {
			keys, now := newKeyring(b), time.Unix(1767323045, 0)
			b.ReportAllocs()
			for b.Loop() {
				challenge, err := newAnonymousChallenge(keys, "project-test-1", "example.com", now, false, !inURL)
				if err != nil {
					b.Fatal(err)
				}
				o := &requestOptions{rpID: "example.com", challenge: challenge, userVerification: verificationPreferred}
				if o.json(encodingFor(inURL)) == "" {
					b.Fatal()
				}
			}
		})
	}
}

// BenchmarkSignIn is a whole sign-in without HTTP: start, finish, a durable
// session and its ES256 JWT. The authenticator's own signature is in it too.
func BenchmarkSignIn(b *testing.B) {
	for _, engine := range storetest.Engines() {
		for _, callers := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/%d callers per core", engine, callers), func(b *testing.B) {
				h := newHouse(b, engine)
				people := make(chan *virtualkey.Authenticator, callers*runtime.GOMAXPROCS(0))
				for range cap(people) {
					people <- h.newPerson(b)
				}
				b.ReportAllocs()
				b.SetParallelism(callers)
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					device := <-people
					for pb.Next() {
						h.signIn(b, device)
					}
				})
			})
		}
	}
}

// house is the part of the server that a sign-in passes through.
type house struct {
	*Service
	ctx          context.Context
	authenticate func(context.Context, *authenticateRequest) (*proofResponse, error)
	register     func(context.Context, *registerRequest) (*proofResponse, error)
	people       atomic.Int64
}

func newHouse(b *testing.B, engine store.Engine) *house {
	b.Helper()
	db, clock := storetest.Open(b, engine)
	keys := newKeyring(b)
	projects := project.New(db)
	if err := projects.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	env, _, err := projects.CreateProject(b.Context(), "Acme")
	if err != nil {
		b.Fatal(err)
	}
	err = projects.ChangeConfig(b.Context(), env.ID, func(_ id.Env, c *project.Config) error { return c.Set("session.algorithm", project.ES256) })
	if err != nil {
		b.Fatal(err)
	}
	if env, err = projects.Environment(b.Context(), env.ID); err != nil {
		b.Fatal(err)
	}
	users := user.New(db, keys)
	core := session.New(session.Config{DB: db, Keyring: keys, Users: users, Projects: projects, PublicURL: func() string { return "http://localhost" }})
	s := New(db, keys, users, core, projects)
	clock.Advance(time.Second)
	return &house{
		Service: s, ctx: project.WithCaller(b.Context(), &project.Caller{Env: env}),
		authenticate: session.LoginAfter(core, s.prepareAuthentication, s.proveAuthentication),
		register:     session.LoginAfter(core, s.prepareRegistration, s.proveRegistration),
	}
}

func (h *house) newPerson(b *testing.B) *virtualkey.Authenticator {
	b.Helper()
	env := project.CallerFrom(h.ctx).Env
	var userID string
	err := h.db.Update(h.ctx, func(tx *store.Tx) error {
		row, err := h.users.Create(tx, env, user.NewUser{Email: fmt.Sprintf("p%d@example.com", h.people.Add(1))})
		if err == nil {
			userID = row.UserID
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	start, err := h.startRegistration(h.ctx, &startRegistrationRequest{UserID: userID, Domain: "example.com", ReturnPasskey: true, UseBase64URL: true})
	if err != nil {
		b.Fatal(err)
	}
	device := virtualkey.New()
	c, err := device.Create(examplePage, start.Options)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := h.register(h.ctx, &registerRequest{UserID: userID, Credential: c.JSON(base64.RawURLEncoding)}); err != nil {
		b.Fatal(err)
	}
	return device
}

func (h *house) signIn(b *testing.B, device *virtualkey.Authenticator) {
	start, err := h.startPrimary(h.ctx, &startAuthenticationRequest{Domain: "example.com", ReturnPasskey: true, UseBase64URL: true})
	if err != nil {
		b.Error(err)
		return
	}
	g, err := device.Get(examplePage, start.Options)
	if err != nil {
		b.Error(err)
		return
	}
	hour := 60
	req := &authenticateRequest{Credential: g.JSON(base64.RawURLEncoding)}
	req.SessionDurationMinutes = &hour
	if _, err := h.authenticate(h.ctx, req); err != nil {
		b.Error(err)
	}
}
