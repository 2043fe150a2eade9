package user

import (
	"errors"
	"slices"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/event"
	"gatehouse/internal/id"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

var (
	errUserNotFound      = apierr.New(404, "user_not_found", "There is no such user.")
	errUserID            = apierr.New(400, "invalid_user_id", "The user_id is not valid. Use the user's id, which looks like user-test-... or user-live-..., or its external id.")
	errLiveInTest        = apierr.New(400, "live_id_used_in_test_environment", "The id belongs to a live environment, but the credentials belong to a test environment.")
	errTestInLive        = apierr.New(400, "test_id_used_in_live_environment", "The id belongs to a test environment, but the credentials belong to a live environment.")
	errDuplicateExternal = apierr.New(400, "duplicate_user_external_id", "Another user has this external_id.")
)

// checkID says what is wrong with an identifier that should be of kind k in
// the environment; bad is the verdict for a wrong shape or kind.
func checkID(k id.Kind, env *project.Environment, s string, bad *apierr.Error) error {
	kind, e, ok := id.Split(s)
	switch {
	case !ok || kind != k:
		return bad
	case e == env.Kind:
		return nil
	case e == id.Live:
		return errLiveInTest
	default:
		return errTestInLive
	}
}

// Get reads a user by id or external id. It returns user_not_found, or
// invalid_user_id for what can be neither.
func Get(tx *store.Tx, env *project.Environment, userID string) (*Row, error) {
	return read(tx, env, userID, "")
}

// ForUpdate is Get for a user who is about to be changed: nobody else changes
// the row until the transaction ends.
func ForUpdate(tx *store.Tx, env *project.Environment, userID string) (*Row, error) {
	row, err := read(tx, env, userID, tx.ForUpdate())
	if err != nil {
		return nil, err
	}
	row.held = true
	return row, nil
}

func read(tx *store.Tx, env *project.Environment, userID, lock string) (*Row, error) {
	query := selectByID
	if !looksInternal(userID) {
		if !isExternalID(userID) {
			return nil, errUserID
		}
		query = selectByExternalID
	} else if err := checkID(id.User, env, userID, errUserID); err != nil {
		return nil, err
	}
	row, err := ScanRow(tx, tx.QueryRow(query+lock, env.ID, userID))
	if errors.Is(err, store.ErrNoRows) {
		return nil, errUserNotFound
	}
	return row, err
}

// FindByEmail reads the user who has the address, in any spelling, or returns
// email_not_found or invalid_email.
func FindByEmail(tx *store.Tx, env *project.Environment, address string) (*Row, error) {
	value, err := ASCIIEmail(address)
	if err != nil {
		return nil, err
	}
	return findByValue(tx, env, KindEmail, value)
}

// FindByPhone reads the user who has the number, in any spelling, or returns
// phone_number_not_found or invalid_phone_number.
func FindByPhone(tx *store.Tx, env *project.Environment, number string) (*Row, error) {
	value, err := CanonicalPhone(number)
	if err != nil {
		return nil, err
	}
	return findByValue(tx, env, KindPhone, value)
}

// FindByProvider reads the user who has the account at the identity provider.
func FindByProvider(tx *store.Tx, env *project.Environment, providerType, subject string) (*Row, error) {
	return findByValue(tx, env, KindOAuth, oauthValue(providerType, subject))
}

// FindByWallet reads the user who has the wallet.
func FindByWallet(tx *store.Tx, env *project.Environment, chain, address string) (*Row, error) {
	return findByValue(tx, env, KindWallet, walletValue(chain, address))
}

// FindByFactor reads the user who has the factor with that id. It returns the
// not-found or invalid-id verdict of the kind.
func FindByFactor(tx *store.Tx, env *project.Environment, kind, factorID string) (*Row, error) {
	rule := kinds[kind]
	if err := checkID(rule.id, env, factorID, rule.badID); err != nil {
		return nil, err
	}
	return find(tx, rule.notFound, selectByFactor, env.ID, store.Millis(tx.Now), factorID)
}

func findByValue(tx *store.Tx, env *project.Environment, kind, value string) (*Row, error) {
	return find(tx, kinds[kind].notFound, selectByValue, env.ID, kind, value)
}

func find(tx *store.Tx, notFound error, query string, args ...any) (*Row, error) {
	row, err := ScanRow(tx, tx.QueryRow(query, args...))
	if errors.Is(err, store.ErrNoRows) {
		return nil, notFound
	}
	return row, err
}

// NewUser is a user to be created. Everything is optional.
type NewUser struct {
	ID          string // an id of id.New that was reserved, and when the user was made; a new one when empty
	Email       string // in any spelling
	PhoneNumber string // in any spelling
	Status      string // Active when empty
	Changes     Changes
	// CreatedAt is when another system made the user: now when zero. A new id is
	// one of that instant, which is what searches by time and in order go by.
	CreatedAt time.Time
	// Fill completes the user before it is written, for example with a factor
	// that is verified from the start. It may be nil.
	Fill func(u *User) error
}

// Create makes a user. It returns duplicate_email, duplicate_phone_number or
// duplicate_user_external_id when somebody else has what it claims.
func (s *Service) Create(tx *store.Tx, env *project.Environment, n NewUser) (*Row, error) {
	at := tx.Now
	if !n.CreatedAt.IsZero() {
		at = store.Time(store.Millis(n.CreatedAt))
	}
	u := &User{UserID: id.New(id.User, env.Kind, at), Status: n.Status, CreatedAt: Timestamp(at)}
	if n.ID != "" {
		u.UserID = n.ID
	}
	if made, ok := id.Made(n.ID); ok {
		u.CreatedAt = Timestamp(made) // which is one instant with the id to searches
	}
	if u.Status == "" {
		u.Status = Active
	}
	u.empty()
	if n.Email != "" {
		if _, err := u.AddEmail(env, n.Email); err != nil {
			return nil, err
		}
	}
	if n.PhoneNumber != "" {
		if _, err := u.AddPhone(env, n.PhoneNumber); err != nil {
			return nil, err
		}
	}
	if err := n.Changes.Apply(env)(u); err != nil {
		return nil, err
	}
	if n.Fill != nil {
		if err := n.Fill(u); err != nil {
			return nil, err
		}
	}
	row := &Row{UserID: u.UserID, held: true}
	if err := s.finish(tx, env, row, &User{}, u); err != nil {
		return nil, err
	}
	return row, emit(tx, env, event.Event{Type: "user.create", UserID: u.UserID})
}

// AddEmail adds an address that nobody has proven yet, in any spelling, and
// returns it for further changes. A user cannot have one address twice. The id
// does not tell when it was made: pages see it when they ask for a code, and
// would learn who was a user before.
func (u *User) AddEmail(env *project.Environment, address string) (*Email, error) {
	canonical, err := Contact{KindEmail, address}.Canonical()
	if err != nil {
		return nil, err
	}
	value := emailValue(canonical)
	if slices.ContainsFunc(u.Emails, func(e Email) bool { return emailValue(e.Email) == value }) {
		return nil, errDuplicateEmailSelf
	}
	u.Emails = append(u.Emails, Email{EmailID: id.Random(id.Email, env.Kind), Email: canonical})
	return &u.Emails[len(u.Emails)-1], nil
}

// AddPhone is AddEmail for a number.
func (u *User) AddPhone(env *project.Environment, number string) (*PhoneNumber, error) {
	canonical, err := Contact{KindPhone, number}.Canonical()
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(u.PhoneNumbers, func(p PhoneNumber) bool { return p.PhoneNumber == canonical }) {
		return nil, errDuplicatePhoneSelf
	}
	u.PhoneNumbers = append(u.PhoneNumbers, PhoneNumber{PhoneID: id.Random(id.Phone, env.Kind), PhoneNumber: canonical})
	return &u.PhoneNumbers[len(u.PhoneNumbers)-1], nil
}

// Change is the only way to change a user: it reads the row for update, lets
// change edit the user, runs the hooks, and writes document and indexes
// together. A change that changes nothing writes nothing. The row returned is
// the user as changed.
func (s *Service) Change(tx *store.Tx, env *project.Environment, userID string, change func(u *User) error) (*Row, error) {
	row, err := ForUpdate(tx, env, userID)
	if err != nil {
		return nil, err
	}
	if err := s.Apply(tx, env, row, change); err != nil {
		return nil, err
	}
	return row, nil
}

// Apply is Change for a row that is already at hand; it is read again when it
// was not read for update. The row is brought up to date in place.
func (s *Service) Apply(tx *store.Tx, env *project.Environment, row *Row, change func(u *User) error) error {
	if err := row.hold(tx, env); err != nil {
		return err
	}
	was, err := row.was.user()
	if err != nil {
		return err
	}
	u, err := decode(row.JSON, row.was.expiries)
	if err != nil {
		return err
	}
	created := u.CreatedAt
	if err := change(u); err != nil {
		return err
	}
	u.UserID, u.CreatedAt = row.UserID, created
	return s.finish(tx, env, row, was, u)
}

// finish is the order in which every change ends. Verdicts come before the
// first write: a caller that keeps a verdict (store.Keep) commits what it wrote
// itself and not half of a user.
func (s *Service) finish(tx *store.Tx, env *project.Environment, row *Row, was, u *User) error {
	u.empty()
	if err := s.checkClaims(tx, env, was, u); err != nil {
		return err
	}
	if err := s.runHooks(tx, env, was, u); err != nil {
		return err
	}
	for _, h := range s.hooks {
		if h.OnChange == nil {
			continue
		}
		if err := h.OnChange(tx, env, was, u); err != nil {
			return err
		}
	}
	return write(tx, env, row, was, u)
}

// hold reads the row again, for update, unless this transaction already did.
func (r *Row) hold(tx *store.Tx, env *project.Environment) error {
	if r.held {
		return nil
	}
	fresh, err := ForUpdate(tx, env, r.UserID)
	if err != nil {
		return err
	}
	*r = *fresh
	return nil
}

// RemoveFactor takes a factor away from a user, be it the last one: a server
// can repair the user.
func (s *Service) RemoveFactor(tx *store.Tx, env *project.Environment, userID, kind, factorID string) (*Row, error) {
	return s.removeIf(tx, env, userID, kind, factorID, func(*User) error { return nil })
}

// RemoveOwnFactor is RemoveFactor for people who change their own user, with
// the rule of CanRemove.
func (s *Service) RemoveOwnFactor(tx *store.Tx, env *project.Environment, userID, kind, factorID string) (*Row, error) {
	return s.removeIf(tx, env, userID, kind, factorID, func(u *User) error { return CanRemove(u, kind, factorID) })
}

func (s *Service) removeIf(tx *store.Tx, env *project.Environment, userID, kind, factorID string, allowed func(*User) error) (*Row, error) {
	rule := kinds[kind]
	if err := checkID(rule.id, env, factorID, rule.badID); err != nil {
		return nil, err
	}
	row, err := s.Change(tx, env, userID, func(u *User) error {
		if err := allowed(u); err != nil {
			return err
		}
		if !u.remove(kind, factorID) {
			return rule.notFound
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return row, emit(tx, env, event.Event{Type: "user.factor.delete", UserID: row.UserID, ObjectID: factorID, Factor: kind})
}

// Delete removes a user, by id or external id, and returns the id. E-mail
// addresses and phone numbers are free at once.
func (s *Service) Delete(tx *store.Tx, env *project.Environment, userID string) (string, error) {
	row, err := ForUpdate(tx, env, userID)
	if err != nil {
		return "", err
	}
	for _, h := range s.hooks {
		if h.OnDelete == nil {
			continue
		}
		if err := h.OnDelete(tx, env, row.UserID); err != nil {
			return "", err
		}
	}
	if err := deleteUser(tx, env, row.UserID); err != nil {
		return "", err
	}
	return row.UserID, emit(tx, env, event.Event{Type: "user.delete", UserID: row.UserID})
}

// runHooks tells the hooks what happened to the factors. A hook may itself
// change u, so it goes on until nothing new has happened.
func (s *Service) runHooks(tx *store.Tx, env *project.Environment, was, u *User) error {
	if len(s.hooks) == 0 {
		return nil
	}
	type event struct {
		removed  bool
		kind, id string
	}
	told := map[event]bool{}
	for {
		var news []event
		now := factorsByID(u.Factors())
		before := factorsByID(was.Factors())
		for _, f := range was.Factors() {
			if _, still := now[f.ID]; !still {
				news = append(news, event{true, f.Kind, f.ID})
			}
		}
		for _, f := range u.Factors() {
			if f.Verified && kinds[f.Kind].proven && !before[f.ID].Verified {
				news = append(news, event{false, f.Kind, f.ID})
			}
		}
		news = slices.DeleteFunc(news, func(e event) bool { return told[e] })
		if len(news) == 0 {
			return nil
		}
		e := news[0]
		told[e] = true
		for _, h := range s.hooks {
			hook := h.OnFirstProof
			if e.removed {
				hook = h.OnFactorRemoved
			}
			if hook == nil {
				continue
			}
			if err := hook(tx, env, u, e.kind, e.id); err != nil {
				return err
			}
		}
	}
}

func factorsByID(list []Factor) map[string]Factor {
	byID := make(map[string]Factor, len(list))
	for _, f := range list {
		byID[f.ID] = f
	}
	return byID
}
