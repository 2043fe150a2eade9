// Package app is the composition root: it opens the database, builds every
// feature with exactly what it needs, mounts the routes and runs the server.
// It holds no rule of its own.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"gatehouse/internal/account"
	"gatehouse/internal/breach"
	"gatehouse/internal/config"
	"gatehouse/internal/delivery"
	"gatehouse/internal/delivery/mailbox"
	"gatehouse/internal/delivery/template"
	"gatehouse/internal/emaillink"
	"gatehouse/internal/factor/biometric"
	"gatehouse/internal/factor/impersonation"
	"gatehouse/internal/factor/magiclink"
	"gatehouse/internal/factor/migration"
	"gatehouse/internal/factor/oauth"
	"gatehouse/internal/factor/otp"
	"gatehouse/internal/factor/password"
	"gatehouse/internal/factor/totp"
	"gatehouse/internal/factor/trusted"
	"gatehouse/internal/factor/wallet"
	"gatehouse/internal/factor/webauthn"
	"gatehouse/internal/m2m"
	"gatehouse/internal/notice"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/reseal"
	"gatehouse/internal/secret"
	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
	"gatehouse/internal/ui"
	"gatehouse/internal/user"
	"gatehouse/internal/wire"
)

// Version is the release; builds of a release set it.
var Version = "dev"

// Options are what an App is built from.
type Options struct {
	Database config.Database
	Server   config.Server
	Logger   *slog.Logger
	// Now is the clock of everything; nil means the system's.
	Now func() time.Time
	// Development opens /metrics to the machine itself.
	Development bool
	// Extra gives further endpoints, such as the pages of development mode. It
	// is called when all services are ready and before the first request.
	Extra func(context.Context, *App) ([]wire.Endpoint, error)
}

// App is the whole server, ready to serve.
type App struct {
	DB            *store.DB
	Keyring       *secret.Keyring
	Projects      *project.Service
	Users         *user.Service
	Sessions      *session.Core
	WebAuthn      *webauthn.Service
	Links         *emaillink.Service
	MagicLinks    *magiclink.Service
	Passcodes     *otp.Service
	Passwords     *password.Service
	TOTPs         *totp.Service
	Biometrics    *biometric.Service
	Wallets       *wallet.Service
	TrustedTokens *trusted.Service
	Migration     *migration.Service
	OAuth         *oauth.Service
	M2M           *m2m.Service
	Impersonation *impersonation.Service
	Messages      *delivery.Service
	Mailbox       *mailbox.Service
	Templates     *template.Service
	Notices       *notice.Service
	Breach        *breach.Checker
	Reseal        *reseal.Service
	Outbox        *outbox.Queue
	Pages         *ui.UI
	Server        *wire.Server
	Logger        *slog.Logger

	options   Options
	oversized oversized
	metrics   *metrics
	refusals  *refusals
	tracing   *tracing // nil when off
	publicURL atomic.Pointer[string]
	leaving   atomic.Bool // asked to stop, still serving
	broken    chan error  // told once when the database can no longer be trusted
}

// Open opens the database, migrates it, and builds the server. Close it when
// done.
func Open(ctx context.Context, o Options) (*App, error) {
	keyring, err := parseKeyring(o.Database.MasterKey)
	if err != nil {
		return nil, err
	}
	a, err := open(ctx, o, keyring)
	if err != nil {
		return nil, err
	}
	if err := a.prepare(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func parseKeyring(keys string) (*secret.Keyring, error) {
	if keys == "" {
		return nil, ErrNoMasterKey
	}
	keyring, err := secret.ParseKeyring(keys)
	if err != nil {
		return nil, fmt.Errorf("--master-key (GATEHOUSE_MASTER_KEY): %w. Make one with: openssl rand -base64 32", err)
	}
	return keyring, nil
}

func open(ctx context.Context, o Options, keyring *secret.Keyring) (*App, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &App{Keyring: keyring, Logger: o.Logger, options: o, metrics: newMetrics(), refusals: newRefusals(o.Now), broken: make(chan error, 1)}
	a.SetPublicURL(o.Server.Base())
	var err error
	if a.tracing, err = newTracing(ctx, o.Server.TraceEndpoint, o.Server.TraceHeaders, o.Logger); err != nil {
		return nil, err
	}
	database := store.Options{
		URL: o.Database.DatabaseURL, Now: o.Now, Logger: o.Logger, Observe: a.metrics.databaseTime,
		Fatal: func(err error) { a.broken <- err },
	}
	if a.tracing != nil {
		database.Trace = a.tracing.database
	}
	if a.DB, err = store.Open(ctx, database); err != nil {
		a.tracing.close()
		return nil, err
	}
	return a, nil
}

func (a *App) prepare(ctx context.Context) error {
	if err := a.DB.Migrate(ctx); err != nil {
		return err
	}
	if err := a.pledgeMasterKey(ctx); err != nil {
		return err
	}
	if err := a.build(); err != nil {
		return err
	}
	if err := a.Projects.Load(ctx); err != nil {
		return err
	}
	for _, env := range a.Projects.Environments() {
		if err := a.Sessions.CheckKeys(ctx, env); errors.Is(err, secret.ErrSealed) {
			return ErrMasterKey
		} else if err != nil {
			return err
		}
	}
	proxies, err := a.options.Server.Proxies()
	if err != nil {
		return err
	}
	a.Pages = ui.New()
	endpoints := a.routes()
	if a.options.Extra != nil {
		extra, err := a.options.Extra(ctx, a)
		if err != nil {
			return err
		}
		endpoints = append(endpoints, extra...)
	}
	a.Server = a.mount(proxies, endpoints)
	return nil
}

// build makes the features, lowest first.
func (a *App) build() error {
	a.Projects = project.New(a.DB)
	a.Users = user.New(a.DB, a.Keyring)
	var err error
	if a.Breach, err = a.newBreach(); err != nil {
		return err
	}
	a.Sessions = session.New(session.Config{
		DB: a.DB, Keyring: a.Keyring, Users: a.Users, Projects: a.Projects, PublicURL: a.PublicURL,
		Observe: a.metrics.login, Locked: a.locked, Oversized: a.oversizedClaims,
		Started: func(tx *store.Tx, env *project.Environment, row *user.Row, seen session.Attributes) error {
			return a.Notices.Started(tx, env, row, seen)
		},
	})
	a.Mailbox = mailbox.New(a.DB, a.Keyring)
	a.Templates = template.New(a.DB, a.Projects)
	kinds, err := a.senderKinds()
	if err != nil {
		return err
	}
	a.Messages = delivery.New(delivery.Config{
		DB: a.DB, Keyring: a.Keyring, Projects: a.Projects, Renderer: a.Templates, Mailbox: a.Mailbox, Kinds: kinds,
		Observe: a.metrics.message,
	})
	a.Notices = notice.New(a.Keyring, a.Messages)
	a.Links = emaillink.New(a.DB, a.Keyring, a.Projects)
	a.MagicLinks = magiclink.New(a.DB, a.Users, a.Sessions, a.Messages, a.Templates, a.PublicURL)
	a.Passcodes = otp.New(a.DB, a.Keyring, a.Users, a.Sessions, a.Messages, a.Templates)
	a.TOTPs = totp.New(a.DB, a.Keyring, a.Users, a.Sessions, a.Notices.Recovered)
	a.Passwords = password.New(password.Config{
		DB: a.DB, Keyring: a.Keyring, Users: a.Users, Core: a.Sessions, Hasher: passhash.New(passhash.Limits{}), Breaches: a.Breach,
		Messages: a.Messages, Templates: a.Templates, PublicURL: a.PublicURL, Replaced: a.Notices.PasswordChanged,
	})
	a.WebAuthn = webauthn.New(a.DB, a.Keyring, a.Users, a.Sessions, a.Projects)
	a.Biometrics = biometric.New(a.DB, a.Sessions)
	if a.Wallets, err = a.newWallets(); err != nil {
		return err
	}
	if a.OAuth, err = a.newOAuth(); err != nil {
		return err
	}
	if err := a.newTrusted(); err != nil {
		return err
	}
	a.Impersonation = impersonation.New(a.DB, a.Sessions)
	if a.M2M, err = m2m.New(m2m.Config{DB: a.DB, Keyring: a.Keyring, Projects: a.Projects, Sign: a.Sessions.Sign, Now: a.options.Now, Oversized: a.oversizedClaims}); err != nil {
		return err
	}
	a.Users.ShowMetrics(user.Metric{Type: "M2M_CLIENT_COUNT", Count: m2m.Count})
	a.Users.SetHooks(a.Sessions.Hooks(), a.WebAuthn.Hooks(), a.Links.Hooks(), a.Passcodes.Hooks(), a.Passwords.Hooks(), a.TOTPs.Hooks(), a.Biometrics.Hooks(), a.Wallets.Hooks(), a.OAuth.Hooks(), a.Impersonation.Hooks(), a.Notices.Hooks())
	a.Reseal = reseal.New(a.DB, a.Keyring, a.Logger, sealedColumns())
	a.Outbox = a.newQueue()
	a.metrics.watch(a.Projects, a.Messages, a.Outbox)
	return nil
}

// locked mails a user who was just locked a link that ends the lock, or else
// tells them of it.
func (a *App) locked(tx *store.Tx, env *project.Environment, row *user.Row) error {
	sent, err := a.MagicLinks.MailUnlock(tx, env, row)
	if err != nil || sent {
		return err
	}
	return a.Notices.Locked(tx, env, row)
}

func (a *App) mount(proxies []netip.Prefix, endpoints []wire.Endpoint) *wire.Server {
	c := wire.Config{
		Gates: map[wire.Auth]wire.Gate{
			wire.Secret: a.Projects.SecretGate,
			wire.Public: a.Sessions.Gate(a.limitedGate(a.Projects.PublicGate, a.options.Server.SDKRateLimit)),
		},
		Logger:         a.Logger,
		TrustedProxies: proxies,
		Now:            a.options.Now,
		Observe:        a.metrics.request,
		Limited:        a.refusals.limited,
	}
	if a.tracing != nil {
		c.Trace = a.tracing.request
	}
	return wire.NewServer(c, endpoints...)
}

// PublicURL is where clients reach the server, without a trailing slash.
func (a *App) PublicURL() string { return *a.publicURL.Load() }

// SetPublicURL is for a server that learns its port when it listens.
func (a *App) SetPublicURL(url string) { a.publicURL.Store(&url) }

// Close releases the database and sends the last traces.
func (a *App) Close() error {
	a.tracing.close()
	var err error
	if a.Messages != nil {
		err = a.Messages.Close()
	}
	if a.Breach != nil {
		err = errors.Join(err, a.Breach.Close())
	}
	return errors.Join(err, a.DB.Close())
}

func (a *App) account() *account.Service { return account.New(a.DB, a.Users, a.Sessions) }

// newBreach makes what knows breached passwords. Commands beside a server leave
// it off: they have no setting that says otherwise.
func (a *App) newBreach() (*breach.Checker, error) {
	c := a.options.Server.Breach
	return breach.New(breach.Config{
		Source: c.BreachSource, URL: c.BreachURL, Timeout: c.BreachTimeout, Bundle: c.Bundle(&a.options.Database),
		Now: a.options.Now, Logger: a.Logger, Observe: a.metrics.breachCheck,
	})
}
