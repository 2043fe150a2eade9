package template

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/outbox"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// with gives a service and the test environment of a project called Acme.
func with(t *testing.T, test func(ctx context.Context, s *Service, env *project.Environment, clock *storetest.Clock)) {
	storetest.Each(t, func(t *testing.T, db *store.DB, clock *storetest.Clock) {
		ctx := context.Background()
		projects := project.New(db)
		if err := projects.Load(ctx); err != nil {
			t.Fatal(err)
		}
		env, _, err := projects.CreateProject(ctx, "Acme")
		if err != nil {
			t.Fatal(err)
		}
		test(ctx, New(db, projects), env, clock)
	})
}

func login(id string) Template {
	return Template{ID: id, Name: "Login", Custom: &Content{
		Type: delivery.Login, Subject: id, HTML: `<a href="{{magic_link_url}}">` + id + `</a>`, Text: id + " {{magic_link_url}}",
	}}
}

func TestTemplateLife(t *testing.T) {
	with(t, func(ctx context.Context, s *Service, env *project.Environment, clock *storetest.Clock) {
		check := func(what string, got error, want *apierr.Error) {
			t.Helper()
			if want == nil && got != nil || want != nil && !errors.Is(got, want) {
				t.Errorf("%s: %v", what, got)
			}
		}
		p := env.ProjectID
		check("save", s.Save(ctx, p, login("one")), nil)
		made := clock.Now()
		clock.Advance(time.Hour)
		again := login("one")
		again.Name, again.Sender = "Again", Sender{FromName: "Acme Mail", ReplyToLocalPart: "help"}
		check("replace", s.Save(ctx, p, again), nil)
		check("prebuilt", s.Save(ctx, p, Template{ID: "look", Prebuilt: &Style{ButtonColor: "#112233"}}), nil)

		got, err := s.Get(ctx, p, "one")
		if err != nil || got.Name != "Again" || got.Sender != again.Sender || !got.CreatedAt.Equal(made) || !got.UpdatedAt.Equal(clock.Now()) {
			t.Errorf("read as %+v, %v", got, err)
		}
		// What show prints, set takes.
		text, _ := json.Marshal(got)
		var copied Template
		if err := json.Unmarshal(text, &copied); err != nil {
			t.Fatal(err)
		}
		check("its own print", s.Save(ctx, p, copied), nil)

		check("another type", s.Save(ctx, p, Template{ID: "one", Prebuilt: &Style{}}), errParameters)
		check("invalid", s.Save(ctx, p, Template{ID: "one"}), errParameters)
		check("unknown project", s.Save(ctx, "other", login("one")), errProject)
		_, err = s.Get(ctx, "other", "one")
		check("of another project", err, errNotFound)

		check("default", s.SetDefault(ctx, p, delivery.Login, "one"), nil)
		check("default again", s.SetDefault(ctx, p, delivery.Login, "one"), nil)
		check("look", s.SetDefault(ctx, p, Prebuilt, "look"), nil)
		check("default of another type", s.SetDefault(ctx, p, delivery.Signup, "one"), errTemplateID)
		check("look as words", s.SetDefault(ctx, p, delivery.Login, "look"), errTemplateID)
		check("default of a notice", s.SetDefault(ctx, p, delivery.NoticeAdded, "one"), errParameters)
		check("default of nothing", s.SetDefault(ctx, p, delivery.Login, "none"), errNotFound)
		list, err := s.List(ctx, p)
		if err != nil || len(list) != 2 || list[0].ID != "look" || !slices.Equal(list[1].Defaults, []delivery.Type{delivery.Login}) {
			t.Errorf("listed as %+v, %v", list, err)
		}

		check("delete a default", s.Delete(ctx, p, "one"), errIsDefault)
		check("unset the look", s.UnsetDefault(ctx, p, Prebuilt), errParameters)
		check("unset nonsense", s.UnsetDefault(ctx, p, "HELLO"), errParameters)
		check("unset", s.UnsetDefault(ctx, p, delivery.Login), nil)
		check("unset again", s.UnsetDefault(ctx, p, delivery.Login), nil)
		check("delete", s.Delete(ctx, p, "one"), nil)
		check("delete again", s.Delete(ctx, p, "one"), errNotFound)
	})
}

func TestTemplatesOfCallsAreChecked(t *testing.T) {
	with(t, func(ctx context.Context, s *Service, env *project.Environment, _ *storetest.Clock) {
		reset := login("reset")
		reset.Custom.Type = delivery.ResetPassword
		for _, tmpl := range []Template{login("one"), reset, {ID: "look", Prebuilt: &Style{}}} {
			if err := s.Save(ctx, env.ProjectID, tmpl); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			typ  delivery.Type
			id   string
			want error
		}{
			{delivery.Login, "", nil}, {delivery.Login, "one", nil}, {delivery.Login, "look", nil}, {delivery.Unlock, "look", nil},
			{delivery.ResetPassword, "reset", nil}, {delivery.VerifyPassword, "reset", nil},
			{delivery.Signup, "one", errTemplateID}, {delivery.Login, "no spaces", errTemplateID}, {delivery.Login, "none", errNotFound},
		} {
			err := s.db.View(ctx, func(tx *store.Tx) error { return s.Check(tx, env.ProjectID, c.typ, c.id) })
			if !errors.Is(err, c.want) {
				t.Errorf("%s for %s: %v", c.id, c.typ, err)
			}
		}
	})
}

func TestRenderChoosesTheTemplate(t *testing.T) {
	with(t, func(ctx context.Context, s *Service, env *project.Environment, clock *storetest.Clock) {
		subject := func(typ delivery.Type, templateID string) string {
			t.Helper()
			m := sample(typ, "en", clock.Now())
			m.TemplateID = templateID
			e, err := s.Render(ctx, env.ID, m)
			if err != nil {
				t.Fatal(err)
			}
			if e.EnvironmentID != env.ID || e.ID != "" || e.Link != m.Link || e.Code != m.Code || e.To != m.To || e.Locale != "en" || e.Text == "" || e.HTML == "" {
				t.Errorf("the envelope is %+v", e)
			}
			if strings.Contains(e.HTML, "#112233") {
				return e.Subject + " (look)"
			}
			return e.Subject
		}
		expect := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %q, want %q", what, got, want)
			}
		}
		expect("ours", subject(delivery.Login, ""), "Log in to Acme")
		reset := login("reset")
		reset.Custom.Type = delivery.ResetPassword
		for _, tmpl := range []Template{login("one"), login("two"), reset, {ID: "look", Prebuilt: &Style{ButtonColor: "#112233"}}} {
			if err := s.Save(ctx, env.ProjectID, tmpl); err != nil {
				t.Fatal(err)
			}
		}
		expect("no default yet", subject(delivery.Login, ""), "Log in to Acme")
		if err := errors.Join(s.SetDefault(ctx, env.ProjectID, delivery.Login, "one"), s.SetDefault(ctx, env.ProjectID, Prebuilt, "look")); err != nil {
			t.Fatal(err)
		}
		expect("the default", subject(delivery.Login, ""), "one")
		expect("the named", subject(delivery.Login, "two"), "two")
		expect("a look by name", subject(delivery.Login, "look"), "Log in to Acme (look)")
		expect("one that is gone", subject(delivery.Login, "gone"), "one")
		expect("one of another type", subject(delivery.Signup, "two"), "Finish signing up for Acme (look)")
		expect("a look for all", subject(delivery.Passcode, ""), "Your code for Acme")
		expect("a reset that proves the address", subject(delivery.VerifyPassword, "reset"), "reset")

		m := sample(delivery.Passcode, "", clock.Now())
		m.Channel, m.To = delivery.SMS, "+12025550123"
		e, err := s.Render(ctx, env.ID, m)
		if err != nil || !strings.HasPrefix(e.Text, "[Test] code 123456.") || e.Subject != "" || e.HTML != "" || e.Locale != "en" {
			t.Errorf("an SMS is %+v, %v", e, err)
		}
		if _, err := s.Render(ctx, "project-test-gone", m); !outbox.IsPermanent(err) {
			t.Errorf("an environment that is gone: %v", err)
		}
		m.Code = ""
		if _, err := s.Render(ctx, env.ID, m); !outbox.IsPermanent(err) {
			t.Errorf("a code message without a code: %v", err)
		}
	})
}

func TestPreviewAndLimit(t *testing.T) {
	with(t, func(ctx context.Context, s *Service, env *project.Environment, _ *storetest.Clock) {
		reset := login("reset")
		reset.Custom.Type = delivery.ResetPassword
		if err := s.Save(ctx, env.ProjectID, reset); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			id      string
			typ     delivery.Type
			locale  string
			subject string
			err     error
		}{
			{"", "", "", "Log in to Acme", nil},
			{"", delivery.NoticeLocked, "fr", "Votre compte Acme a été verrouillé", nil},
			{"reset", "", "", "reset", nil},
			{"reset", delivery.Login, "", "", errTemplateID},
			{"none", "", "", "", errNotFound},
			{"", "HELLO", "", "", errParameters},
			{"", "", "de-DE", "", errLocale},
		} {
			e, err := s.Preview(ctx, env.ProjectID, c.id, c.typ, c.locale)
			if !errors.Is(err, c.err) || err == nil && e.Subject != c.subject {
				t.Errorf("%+v: %+v, %v", c, e, err)
			}
		}
		if _, err := s.Preview(ctx, "other", "", "", ""); !errors.Is(err, errProject) {
			t.Errorf("a project that is not there: %v", err)
		}
		for i := range maxTemplates - 1 {
			if err := s.Save(ctx, env.ProjectID, login(fmt.Sprint("t", i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Save(ctx, env.ProjectID, login("more")); !errors.Is(err, errTooMany) {
			t.Errorf("one too many: %v", err)
		}
		if err := s.Save(ctx, env.ProjectID, login("t1")); err != nil {
			t.Errorf("one of those: %v", err)
		}
	})
}
