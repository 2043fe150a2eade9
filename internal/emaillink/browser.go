package emaillink

import (
	"context"
	"time"

	"gatehouse/internal/project"
	"gatehouse/internal/secret"
	"gatehouse/internal/wire"
)

// MarkBrowser returns the mark by which the browser that asks for a link is
// recognised when the link is opened there: the one it has, since several links
// may be under way, or a new one; "" for a caller that is no page.
func MarkBrowser(caller *project.Caller) string {
	switch {
	case !caller.Browser || caller.Origin == "":
		return ""
	case secret.ValidToken(caller.BrowserID):
		return caller.BrowserID
	}
	return secret.Token()
}

// BindBrowser gives the browser its mark, for as long as its links live. It is a
// matter of comfort alone: without it the hop asks for one click.
func BindBrowser(ctx context.Context, mark string, until time.Time) {
	if mark == "" {
		return
	}
	wire.CallFrom(ctx).SetCookie(wire.Cookie{
		Name: project.BrowserCookie, Value: mark, Expires: until, HTTPOnly: true, Secure: true, SameSite: wire.SameSiteLax,
	})
}
