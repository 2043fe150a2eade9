package apierr_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
)

var (
	errCode = apierr.New(404, "otp_code_not_found", "The code was not found or has expired.")
	errUser = apierr.New(404, "user_not_found", "The user was not found.")
)

func TestCopiesLeaveTheDeclaredErrorAlone(t *testing.T) {
	before := *errCode
	details := map[string]any{"limit": 3}
	e := errCode.Because(context.Canceled).WithMessage("Code %q is wrong.", "x").
		WithDetails(details).WithRetryAfter(time.Second)
	details["limit"] = 4

	if errCode.Message != before.Message || errCode.Details != nil || errCode.RetryAfter != 0 || errCode.Unwrap() != nil {
		t.Errorf("the declared error changed: %+v", errCode)
	}
	if e.Status != 404 || e.Type != "otp_code_not_found" || e.Message != `Code "x" is wrong.` ||
		e.Details["limit"] != 3 || e.RetryAfter != time.Second {
		t.Errorf("copy is %+v", e)
	}
}

func TestIsComparesTypes(t *testing.T) {
	wrapped := fmt.Errorf("prove: %w", errCode.Because(errors.New("row 7")).WithMessage("other words"))
	if !errors.Is(wrapped, errCode) {
		t.Error("a copy does not match the variable it was made from")
	}
	if errors.Is(wrapped, errUser) {
		t.Error("another type matches")
	}
	if errors.Is(errCode, context.Canceled) || !errors.Is(errCode.Because(context.Canceled), context.Canceled) {
		t.Error("the cause is not part of the chain, or is part of too many")
	}
}

func TestFromFindsTheOutermost(t *testing.T) {
	inner := errUser.Because(errors.New("no rows"))
	outer := errCode.Because(inner)
	if got := apierr.From(fmt.Errorf("session: %w", outer)); got != outer {
		t.Errorf("From = %v, want the outermost error", got)
	}
	if got := apierr.From(errors.New("disk full")); got != nil {
		t.Errorf("From of an accident = %v, want nil", got)
	}
	if got := apierr.From(nil); got != nil {
		t.Errorf("From(nil) = %v", got)
	}
}

func TestErrorTextTellsOperatorsTheCause(t *testing.T) {
	e := errUser.Because(errors.New("no rows"))
	if text := e.Error(); !strings.Contains(text, "user_not_found") || !strings.Contains(text, "no rows") {
		t.Errorf("Error() = %q", text)
	}
	if strings.Contains(e.Message, "no rows") {
		t.Error("the cause leaked into the client's message")
	}
}
