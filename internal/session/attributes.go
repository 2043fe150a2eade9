package session

import (
	"context"
	"strings"

	"gatehouse/internal/apierr"
	"gatehouse/internal/project"
)

var errAttributes = apierr.New(401, "attribute_mismatch", "The sign-in is being finished from another network or browser than it was started from. Start again and finish it there.")

// Reset is embedded in the responses of factors that prove an address or a
// number. Login fills it in.
type Reset struct {
	ResetSessions bool `json:"reset_sessions" required:"true" description:"This was the first proof of who the user is, and ended sessions or took ways to sign in away that somebody had made before it."`
}

func (r *Reset) resetResult() *Reset { return r }

// Matching is what a request that finishes a sign-in may ask to be compared
// with the request that started it (contract.json, MagicLinkOptions).
type Matching struct {
	Attributes *Attributes   `json:"attributes" door:"server" description:"The client's address and user agent, as your server saw them."`
	Options    *MatchOptions `json:"options" door:"server"`
}

// MatchOptions names the attributes that must be the same.
type MatchOptions struct {
	IPMatchRequired        bool `json:"ip_match_required"`
	UserAgentMatchRequired bool `json:"user_agent_match_required"`
}

// Check returns attribute_mismatch when an attribute that must be the same is
// not. What was not sent matches nothing. started is as Started gave it.
func (m *Matching) Check(started Attributes) error {
	if m.Options == nil {
		return nil
	}
	var now Attributes
	if m.Attributes != nil {
		now = m.Attributes.bounded()
	}
	ip := !m.Options.IPMatchRequired || now.IPAddress != "" && now.IPAddress == started.IPAddress
	agent := !m.Options.UserAgentMatchRequired || now.UserAgent != "" && now.UserAgent == started.UserAgent
	if !ip || !agent {
		return errAttributes
	}
	return nil
}

// maxAttribute bounds what a caller can make a row, and every JWT, hold.
const maxAttribute = 512

// bounded is the part of the attributes that is kept and compared.
func (a Attributes) bounded() Attributes {
	for _, text := range []*string{&a.IPAddress, &a.UserAgent} {
		*text = strings.ToValidUTF8((*text)[:min(len(*text), maxAttribute)], "")
	}
	return a
}

// Started is what a request that starts a sign-in says of the client: what a
// server tells, or what the browser's door sees. It is of bounded length.
func Started(ctx context.Context, told *Attributes) Attributes {
	caller := project.CallerFrom(ctx)
	switch {
	case !caller.Browser && told != nil:
		return told.bounded()
	case !caller.Browser:
		return Attributes{}
	}
	a := Attributes{UserAgent: caller.UserAgent}
	if caller.IP.IsValid() {
		a.IPAddress = caller.IP.String()
	}
	return a.bounded()
}
