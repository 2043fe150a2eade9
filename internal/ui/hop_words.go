package ui

import (
	"fmt"
	"strconv"
	"strings"
)

// hopWords is what the page of a link says in one language (hop.json).
type hopWords struct {
	lang string

	ContinueTo    string `json:"continue_to"` // %s is the app's name
	Continue      string `json:"continue"`
	About         string `json:"about"`
	Question      string `json:"question"` // %s is the number
	Hint          string `json:"hint"`
	Missing       string `json:"missing"`
	Wrong         string `json:"wrong"` // %s is the number
	Expired       string `json:"expired"`
	ExpiredNext   string `json:"expired_next"`
	ExpiredNextAt string `json:"expired_next_at"` // %s is the app's name
	Broken        string `json:"broken"`
	BrokenNext    string `json:"broken_next"`
	Foreign       string `json:"foreign"`
	ForeignNext   string `json:"foreign_next"`
	Refused       string `json:"refused,omitempty"` // English only: the verdict below it is
	Failed        string `json:"failed"`
	FailedNext    string `json:"failed_next"`
}

// hopView is what the page shows. Without a Question it is a notice.
type hopView struct {
	Lang, Title, Text                        string
	Question, Hint, Missing, Problem, Button string
}

func (s hopWords) notice(title, text string) hopView {
	return hopView{Lang: s.lang, Title: title, Text: text}
}

func (s hopWords) expired(app string) hopView {
	if app == "" {
		return s.notice(s.Expired, s.ExpiredNext)
	}
	return s.notice(s.Expired, fmt.Sprintf(s.ExpiredNextAt, app))
}

// asking is the page with the button and the question. The question is open
// from the beginning once a press did not pass, with what was wrong with it.
func (s hopWords) asking(p Passage, pressed *hopPress) hopView {
	v := s.notice(s.Continue, s.About)
	if p.AppName != "" {
		v.Title = fmt.Sprintf(s.ContinueTo, p.AppName)
	}
	v.Question = fmt.Sprintf(s.Question, p.Answer)
	v.Hint, v.Missing, v.Button = s.Hint, s.Missing, s.Continue
	if pressed != nil {
		v.Problem = s.Missing
		if pressed.answer != "" {
			v.Problem = fmt.Sprintf(s.Wrong, p.Answer)
		}
	}
	return v
}

// preferred picks the language that an Accept-Language header wants most of
// those there are; English when it wants none of them.
func preferred(header string, have map[string]hopWords) string {
	best, weight := "en", 0.0
	for wanted := range strings.SplitSeq(header, ",") {
		tag, parameter, _ := strings.Cut(strings.ToLower(strings.TrimSpace(wanted)), ";")
		q := 1.0
		if text, ok := strings.CutPrefix(strings.TrimSpace(parameter), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		tag, _, _ = strings.Cut(strings.TrimSpace(tag), "-")
		if tag == "pt" {
			tag = "pt-br"
		}
		if _, ok := have[tag]; ok && q > weight {
			best, weight = tag, q
		}
	}
	return best
}
