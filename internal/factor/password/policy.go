package password

import (
	"context"
	"strings"

	"golang.org/x/text/unicode/norm"

	"gatehouse/internal/apierr"
	"gatehouse/internal/breach"
	"gatehouse/internal/project"
	"gatehouse/internal/secret/passhash"
	"gatehouse/internal/strength"
)

var (
	errWeak      = apierr.New(400, "weak_password", "The password is too easy to guess. Choose a longer or less common one.")
	errBreached  = apierr.New(400, "breached_password", "This password is known from a data breach, so others may try it. Choose another one.")
	errUnchecked = apierr.New(400, "password_validation_timeout", "Whether the password is known from a data breach could not be found out in time. Try again in a moment.")
	errZeroWidth = apierr.New(400, "forbidden_character_zero_width_space", "The password contains a zero-width space, which nobody can see or type. Remove it.")
	errTooLong   = apierr.New(400, "weak_password", "The password is longer than 1,024 bytes. Choose a shorter one.")
)

// judgement is what there is to say about a password that somebody wants to set.
type judgement struct {
	policy   string // project.Zxcvbn or project.LUDS
	strong   bool   // enough for the policy
	zxcvbn   strength.Zxcvbn
	luds     strength.LUDS
	breached breach.Verdict
}

// judge measures a password by the environment's policy. The address is what an
// attacker would try first; "" when it is not known.
func judge(env *project.Environment, password, address string) *judgement {
	c := &env.Config
	j := &judgement{policy: c.PasswordPolicy(), breached: breach.Unknown}
	if j.policy == project.LUDS {
		j.luds = strength.LUDSPolicy{MinLength: c.LUDSMinLength(), MinClasses: c.LUDSMinComplexity()}.Measure(password)
		j.strong = j.luds.Valid()
		return j
	}
	var words []string
	if address != "" {
		words = strength.Words(address)
	}
	j.zxcvbn = strength.Measure(password, words...)
	j.strong = j.zxcvbn.Score >= strength.Sufficient
	return j
}

// readable refuses text that cannot be a password, whatever the policy.
func readable(password string) error {
	switch {
	case strings.ContainsRune(password, '\u200b'):
		return errZeroWidth
	case max(len(password), len(norm.NFC.String(password))) > passhash.MaxPassword: // some text is longer in the form that is hashed
		return errTooLong
	}
	return nil
}

// accept refuses a password that nobody should have.
func (s *Service) accept(ctx context.Context, env *project.Environment, password, address string) error {
	if err := readable(password); err != nil {
		return err
	}
	j := judge(env, password, address)
	if !j.strong {
		return errWeak.WithMessage("%s", j.advice())
	}
	if !env.Config.ChecksBreachOnCreation() {
		return nil
	}
	switch s.Breaches.Check(ctx, password) {
	case breach.Breached:
		return errBreached
	case breach.Unknown:
		if env.Config.Passwords.RefuseWhenBreachUnanswered {
			return errUnchecked
		}
	}
	return nil
}

// advice says what is wrong with a weak password and what to do.
func (j *judgement) advice() string {
	words := []string{errWeak.Message}
	if j.policy == project.LUDS {
		words = []string{"The password needs more characters or more kinds of them: lower case, upper case, digits and symbols."}
	}
	said := j.feedback()
	if said.Warning != "" {
		words = append(words, said.Warning)
	}
	return strings.Join(append(words, said.Suggestions...), " ")
}

// distrust says why a right password has to be set anew at this login; nil when
// it has not.
func (s *Service) distrust(ctx context.Context, env *project.Environment, password, address string) error {
	if env.Config.Passwords.ValidateOnAuthentication && !judge(env, password, address).strong {
		return errWeak
	}
	if env.Config.ChecksBreachOnAuthentication() && s.Breaches.Check(ctx, password) == breach.Breached {
		return errBreached
	}
	return nil
}

// luds is how the wire shows what a password has of what LUDS asks for.
type luds struct {
	HasLowerCase      bool `json:"has_lower_case" required:"true"`
	HasUpperCase      bool `json:"has_upper_case" required:"true"`
	HasDigit          bool `json:"has_digit" required:"true"`
	HasSymbol         bool `json:"has_symbol" required:"true"`
	MissingComplexity int  `json:"missing_complexity" required:"true"`
	MissingCharacters int  `json:"missing_characters" required:"true"`
}

// feedback is what to tell whoever chooses a password. Nothing is null but what
// belongs to the other policy.
type feedback struct {
	Warning     string   `json:"warning" required:"true"`
	Suggestions []string `json:"suggestions" required:"true"`
	LUDS        *luds    `json:"luds_requirements"`
}

func (j *judgement) feedback() feedback {
	if j.policy != project.LUDS {
		suggestions := make([]string, len(j.zxcvbn.Suggestions))
		for i, s := range j.zxcvbn.Suggestions {
			suggestions[i] = sentence(s)
		}
		return feedback{Warning: sentence(j.zxcvbn.Warning), Suggestions: suggestions}
	}
	l := j.luds
	return feedback{Suggestions: []string{}, LUDS: &luds{
		l.HasLower, l.HasUpper, l.HasDigit, l.HasSymbol, l.MissingComplexity, l.MissingCharacters,
	}}
}

// sentence writes what zxcvbn says as the contract has it: with a full stop, and
// with examples in quotes. The official pre-built UI looks its translations up by
// these words.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return strings.Replace(s, "like abc or 6543", `like "abc" or "6543"`, 1) + "."
}
