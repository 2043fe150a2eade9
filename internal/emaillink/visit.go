package emaillink

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"gatehouse/internal/event"
	"gatehouse/internal/project"
	"gatehouse/internal/ratelimit"
	"gatehouse/internal/secret"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

// Service serves the hosted hop and looks after links.
type Service struct {
	db       *store.DB
	keys     *secret.Keyring
	projects *project.Service
	visits   *ratelimit.Local
}

// New returns the service. List Hooks among the hooks of the users.
func New(db *store.DB, keys *secret.Keyring, projects *project.Service) *Service {
	return &Service{db: db, keys: keys, projects: projects, visits: ratelimit.NewLocal(db.Now)}
}

// Hooks keep links in step with the addresses they were sent to.
func (s *Service) Hooks() user.Hooks {
	return user.Hooks{
		OnFactorRemoved: func(tx *store.Tx, env *project.Environment, u *user.User, kind, id string) error {
			if kind != user.KindEmail {
				return nil
			}
			return deleteOfMethod(tx, env.ID, u.UserID, id)
		},
		OnDelete: func(tx *store.Tx, env *project.Environment, userID string) error {
			return deleteOfUser(tx, env.ID, userID)
		},
	}
}

// Visit is somebody, or something, that opens a link.
type Visit struct {
	PublicToken string
	Kind        string
	Token       string
	BrowserID   string // of the cookie project.BrowserCookie
	Method      string
	IP          netip.Addr
	UserAgent   string
	RequestID   string
}

// Passage is what a visited link leads to.
type Passage struct {
	Target      string // where the person goes, with the token; "" when the link is over or never was
	AppName     string
	SameBrowser bool   // the browser that asked for the link
	Answer      string // two digits that tell a reader from a program, the same at every visit
}

// visitRule bounds how often the audit log hears of one link: scanners open
// the same one many times, and writing must not be a weapon.
var visitRule = ratelimit.Rule{Name: "visits of a link in the log", Limit: 10, Per: time.Hour}

const answerPurpose = "link answer"

// Visit looks a link up for the hop. It uses nothing up and signs nobody in,
// however often it is called; what it leaves is an entry in the audit log.
func (s *Service) Visit(ctx context.Context, v Visit) (*Passage, error) {
	env, err := s.projects.PublicTokenEnvironment(ctx, v.PublicToken)
	if err != nil {
		return nil, err
	}
	p := &Passage{AppName: env.ProjectName}
	var link *Link
	var domain string
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		link, err = Find(tx, env, v.Token, MagicLink, Unlock, ResetPassword, Login)
		if errors.Is(err, ErrUnknown) || err == nil && (string(link.Kind.tokenType()) != v.Kind || !link.Open(tx.Now)) {
			link = nil
			return nil
		}
		if err == nil {
			domain, err = recipientDomain(tx, env, link)
		}
		return err
	})
	if err != nil || link == nil {
		return p, err
	}
	if p.Target, err = link.Target(env, v.Token); err != nil {
		return nil, err
	}
	p.SameBrowser = v.BrowserID != "" && len(link.browserHash) > 0 && secret.Equal(string(secret.Hash(v.BrowserID)), string(link.browserHash))
	mac, err := s.keys.MAC(answerPurpose, env.ID, link.hash)
	if err != nil {
		return nil, err
	}
	p.Answer = fmt.Sprintf("%02d", 10+int(mac[0])%90)
	return p, s.record(ctx, env, link, v, domain, p.SameBrowser)
}

// recipientDomain is the domain that a link was mailed to, by which operators
// count scanners.
func recipientDomain(tx *store.Tx, env *project.Environment, l *Link) (string, error) {
	row, err := user.Get(tx, env, l.UserID)
	if err != nil {
		return "", err
	}
	u, err := row.User()
	if err != nil {
		return "", err
	}
	if e := u.Email(l.MethodID); e != nil {
		_, domain, _ := strings.Cut(e.Email, "@")
		return domain, nil
	}
	return "", nil
}

func (s *Service) record(ctx context.Context, env *project.Environment, l *Link, v Visit, domain string, same bool) error {
	if ok, _ := s.visits.Take(visitRule, string(l.hash)); !ok {
		return nil
	}
	e := event.Event{
		EnvironmentID: env.ID, Type: "link.visit", UserID: l.UserID, ObjectID: l.MethodID, UserAgent: v.UserAgent, RequestID: v.RequestID,
		Details: map[string]any{"recipient_domain": domain, "method": v.Method, "same_browser": same, "kind": string(l.Kind)},
	}
	if v.IP.IsValid() {
		e.IP = v.IP.String()
	}
	return s.db.Update(ctx, func(tx *store.Tx) error { return event.Emit(tx, env.Kind, e) })
}
