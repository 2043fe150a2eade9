package cli

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"gatehouse/internal/app"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/session"
)

// lateRotation is how long after its time a key may still wait for a server to
// replace it.
const lateRotation = 24 * time.Hour

func (x *examination) signingKeys(ctx context.Context, a *app.App) {
	const check = "signing keys"
	now, before := a.DB.Now(), len(x.findings)
	n := 0
	for _, env := range a.Projects.Environments() {
		keys, err := a.Sessions.Keys(ctx, env)
		if err != nil {
			x.fail(check, "Add the master key that sealed it to the others, at the end of the list.", "A key of %s cannot be opened: %v", title(env), err)
			continue
		}
		signing := session.Signing(env, keys, now)
		switch {
		case len(keys) == 0:
			continue // the first start of a server makes one
		case signing == nil:
			x.fail(check, x.suggest("keys rotate %s --now", env.ID), "No key of %s signs.", title(env))
		case signing.RetiresAt != nil && signing.RetiresAt.Sub(now) < 24*time.Hour:
			x.warn(check, x.suggest("keys rotate %s", env.ID), "The key with which %s signs retires %s, and no other takes its place.", title(env), when(*signing.RetiresAt))
		case now.Sub(keys[0].CreatedAt) > env.Config.KeyRotation()+lateRotation:
			x.warn(check, "A running server does it; or: "+x.suggest("keys rotate %s", env.ID), "The key of %s is from %s and should have been replaced.", title(env), when(keys[0].CreatedAt))
		}
		n += len(keys)
	}
	if len(x.findings) == before {
		x.ok(check, "%s, none of them due.", plural(n, "key", "keys"))
	}
}

// sealed says whether the master keys behind the first are still needed, and
// whether one is missing.
func (x *examination) sealed(ctx context.Context, a *app.App, check string) {
	counts, err := a.Reseal.Count(ctx)
	if err != nil {
		x.fail(check, "", "Counting what is sealed failed: %v", err)
		return
	}
	older := 0
	for _, c := range counts {
		older += c.Older
		if c.Lost > 0 {
			x.warn(check, "Add the master key that sealed them to the others, at the end of the list.", "%s of %s cannot be opened.", plural(c.Lost, "value", "values"), c)
		}
	}
	switch {
	case older > 0:
		x.ok(check, "%s sealed with an older key, which has to stay until a server has sealed them anew.", plural(older, "value is", "values are"))
	case a.Keyring.Several():
		x.ok(check, "What lasts is sealed with the first key, and needs no other.")
	}
}

// stuckAfter is how long a job may wait past its time before something is
// wrong: servers look every second.
const stuckAfter = 5 * time.Minute

func (x *examination) outbox(ctx context.Context, a *app.App) {
	const check = "outbox"
	s, err := a.Outbox.Stats(ctx)
	switch {
	case err != nil:
		x.fail(check, "", "Counting the jobs failed: %v", err)
	case s.OldestDue > stuckAfter:
		x.fail(check, "Is a server running? Its log says why jobs fail.", "%s waiting, the first for %s.", plural(int(s.Due), "job is", "jobs are"), s.OldestDue.Round(time.Second))
	case s.Dead > 0:
		x.warn(check, x.suggest("outbox list --state dead"), "%s given up.", plural(int(s.Dead), "job was", "jobs were"))
	case x.failing(ctx, a, check):
	default:
		x.ok(check, "%s to be done.", plural(int(s.Waiting+s.Due+s.Running), "job", "jobs"))
	}
}

// failing warns of jobs that have failed and are to be tried again, as all do
// whose sender is held back. It looks at the next few.
func (x *examination) failing(ctx context.Context, a *app.App, check string) bool {
	const some = 200
	jobs, err := a.Outbox.List(ctx, outbox.Pending, some)
	if err != nil {
		x.fail(check, "", "Listing the jobs failed: %v", err)
		return true
	}
	jobs = slices.DeleteFunc(jobs, func(j *outbox.Job) bool { return j.LastError == "" })
	if len(jobs) == 0 {
		return false
	}
	x.warn(check, x.suggest("outbox list --state pending"), "%s failed and will be tried again. The next says: %s", plural(len(jobs), "job has", "jobs have"), jobs[0].LastError)
	return true
}

// overdue is how long periodic work may be late: it comes back every hour or
// more often.
const overdue = 3 * time.Hour

func (x *examination) periodicWork(ctx context.Context, a *app.App) {
	const check = "upkeep"
	works, err := a.Outbox.Periodic(ctx)
	if err != nil {
		x.fail(check, "", "Reading when it was done failed: %v", err)
		return
	}
	before := len(x.findings)
	for _, w := range works {
		switch {
		case w.LastError != "":
			x.warn(check, "The server's log says more.", "%q failed the last time: %s", w.Name, w.LastError)
		case a.DB.Now().Sub(w.NextRun) > overdue:
			x.warn(check, "Start a server: it does what is due.", "%q was due %s.", w.Name, when(w.NextRun))
		}
	}
	switch {
	case len(works) == 0:
		x.ok(check, "No server has run on this database yet.")
	case len(x.findings) == before:
		x.ok(check, "What comes back regularly is done in time.")
	}
}

func (x *examination) environments(a *app.App) {
	const check = "environments"
	before := len(x.findings)
	all := a.Projects.Environments()
	for _, env := range all {
		sdk := env.Config.SDK.Basic
		if env.Live() && sdk.Enabled && len(sdk.Domains) == 0 && len(sdk.BundleIDs) == 0 {
			x.warn(check, x.suggest("domain add %s https://app.example.com", env.ID), "The browser's API of %s is on, but no domain may use it.", title(env))
		}
	}
	switch {
	case len(all) == 0:
		x.warn(check, x.suggest("project create NAME"), "There is no project yet.")
	case len(x.findings) == before:
		x.ok(check, "%s.", plural(len(all), "environment", "environments"))
	}
}

// inUse reports whether somebody calls a live environment.
func inUse(env *project.Environment) bool {
	return env.Live() && (env.Config.SDK.Basic.Enabled || len(env.Secrets) > 0)
}

func (x *examination) publicURL(a *app.App) {
	const check = "public URL"
	if x.PublicURL == "" {
		if x.Folder == "" {
			x.warn(check, "Set GATEHOUSE_PUBLIC_URL as for the server.", "It is not given, so it was not checked.")
		}
		return
	}
	u, err := url.Parse(x.PublicURL)
	if err != nil || u.Hostname() == "" {
		x.fail(check, "Write it as https://auth.example.com.", "%q is not a URL.", x.PublicURL)
		return
	}
	live := false
	for _, env := range a.Projects.Environments() {
		live = live || inUse(env)
	}
	_, notName := netip.ParseAddr(u.Hostname())
	switch {
	case u.Scheme != "https" && !project.IsLoopback(u.Hostname()) && live:
		x.fail(check, "Serve it over https, by a proxy or --tls-cert.", "%s is not https, and a live environment is in use: secrets travel in the clear, and browsers refuse passkeys.", x.PublicURL)
	case u.Scheme != "https" && !project.IsLoopback(u.Hostname()):
		x.warn(check, "Serve it over https before anybody signs in.", "%s is not https.", x.PublicURL)
	case notName == nil && !project.IsLoopback(u.Hostname()):
		x.warn(check, "Give the server a name.", "%s is an address: passkeys need a name.", x.PublicURL)
	case project.IsLoopback(u.Hostname()) && live:
		x.warn(check, "Set it to the URL that clients use.", "%s reaches this machine only, and a live environment is in use.", x.PublicURL)
	default:
		x.ok(check, "%s", x.PublicURL)
	}
}
