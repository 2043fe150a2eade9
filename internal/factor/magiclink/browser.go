package magiclink

import (
	"context"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/wire"
)

// markBrowser prepares the mark by which the browser that asks for a link is
// recognised when the link is opened there. It keeps the mark it has: several
// links may be under way.
func (r *request) markBrowser() {
	if r.caller.Browser && r.caller.Origin != "" {
		if r.browserID = r.caller.BrowserID; !secret.ValidToken(r.browserID) {
			r.browserID = secret.Token()
		}
	}
}

// bindBrowser gives the browser its mark, for as long as its links live. It is
// a matter of comfort alone: without it the hop asks for one click.
func (r *request) bindBrowser(ctx context.Context, now time.Time) {
	if r.browserID == "" {
		return
	}
	wire.CallFrom(ctx).SetCookie(wire.Cookie{
		Name: project.BrowserCookie, Value: r.browserID, Expires: now.Add(max(r.login.lifetime, r.signup.lifetime)),
		HTTPOnly: true, Secure: true, SameSite: wire.SameSiteLax,
	})
}
