package totp

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/apierr"
)

// The secret of the examples in RFC 4226 and RFC 6238.
var rfcSecret = []byte("12345678901234567890")

// RFC 4226, appendix D.
func TestHOTPVectors(t *testing.T) {
	for counter, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := codeAt(rfcSecret, int64(counter)); got != want {
			t.Errorf("code %d is %s, want %s", counter, got, want)
		}
	}
}

// RFC 6238, appendix B, less the first two of its eight digits.
func TestTOTPVectors(t *testing.T) {
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		now := time.Unix(at, 0)
		if got := codeAt(rfcSecret, stepAt(now)); got != want {
			t.Errorf("the code at %d is %s, want %s", at, got, want)
		}
		if step, ok := matching(rfcSecret, want, now); !ok || step != at/30 {
			t.Errorf("at %d it matches step %d, %v", at, step, ok)
		}
	}
}

// A device may be one step ahead or behind, and no more.
func TestWindow(t *testing.T) {
	for _, now := range []time.Time{time.Unix(1111111110, 0), time.Unix(1111111139, 999_000_000)} { // the ends of one step
		for d := int64(-3); d <= 3; d++ {
			at, ok := matching(rfcSecret, codeAt(rfcSecret, stepAt(now)+d), now)
			if want := d >= -1 && d <= 1; ok != want || ok && at != stepAt(now)+d {
				t.Errorf("%d steps from %v: step %d, %v", d, now, at, ok)
			}
		}
	}
	if stepAt(time.Unix(1111111139, 999_000_000)) == stepAt(time.Unix(1111111140, 0)) {
		t.Error("a step lasts longer than 30 seconds")
	}
}

func TestParseCode(t *testing.T) {
	for typed, want := range map[string]string{"123456": "123456", "123 456": "123456", " 000-007\n": "000007", "1 2 3 4 5 6": "123456", "123\u00a0456": "123456"} {
		if got, err := parseCode(typed); err != nil || got != want {
			t.Errorf("parseCode(%q) = %q, %v", typed, got, err)
		}
	}
	for typed, want := range map[string]error{
		"": errCode, "12345": errCode, "1234567": errCode, "12345a": errCode, "１２３４５６": errCode, "+12345": errCode, "1e5000": errCode,
		"12345\x00": errCode, "123456" + strings.Repeat(" ", maxTyped): errCode,
		"a1b2-c3d4-e5f6": errRecoveryAsTOTP, "A1B2C3D4E5F6": errRecoveryAsTOTP, "a1b2-c3d4-e5f": errCode,
	} {
		if got, err := parseCode(typed); !errors.Is(err, want) {
			t.Errorf("parseCode(%q) = %q, %v", typed, got, err)
		}
	}
}

func TestParseRecoveryCode(t *testing.T) {
	const want = "a1b2-c3d4-e0f1"
	for _, typed := range []string{
		want, "A1B2-C3D4-E0F1", "a1b2c3d4e0f1", "a1b2 c3d4 e0f1", " a1b2 - c3d4 - e0f1\n", "a1b2-c3d4-eof1", "AIB2-C3D4-EOFL", "a1-b2-c3-d4-e0-f1",
	} {
		if got, err := parseRecoveryCode(typed); err != nil || got != want {
			t.Errorf("parseRecoveryCode(%q) = %q, %v", typed, got, err)
		}
	}
	for typed, want := range map[string]error{
		"": errRecoveryCode, "a1b2-c3d4-e5f": errRecoveryCode, "a1b2-c3d4-e5f67": errRecoveryCode, "a1b2-c3d4-e5f!": errRecoveryCode,
		"a1b2-c3d4-e5f\u212a": errRecoveryCode, "a1b2–c3d4–e5f6": errRecoveryCode, "a1b2_c3d4_e5f6": errRecoveryCode,
		want + strings.Repeat("-", maxTyped): errRecoveryCode, "1234567": errRecoveryCode,
		"123456": errTOTPAsRecovery, "123 456": errTOTPAsRecovery,
	} {
		if got, err := parseRecoveryCode(typed); !errors.Is(err, want) {
			t.Errorf("parseRecoveryCode(%q) = %q, %v", typed, got, err)
		}
	}
}

// Each place of a recovery code is any character of the alphabet, each as
// likely as any other: 60 bits in all.
func TestRecoveryCodesAreRandom(t *testing.T) {
	const draws = 32_000
	seen := map[string]bool{}
	var counts [recoverySize][256]int
	for range draws {
		code := newRecoveryCode()
		if again, err := parseRecoveryCode(code); err != nil || again != code || seen[code] || len(code) != 14 {
			t.Fatalf("%q reads as %q, %v", code, again, err)
		}
		seen[code] = true
		for place, c := range []byte(strings.ReplaceAll(code, "-", "")) {
			counts[place][c]++
		}
	}
	if len(alphabet) != 32 || 256%len(alphabet) != 0 {
		t.Error("the alphabet is not one that bytes choose from alike")
	}
	// 1,000 of each are expected with a deviation of 31: six of these are never seen.
	for place := range counts {
		for _, c := range []byte(alphabet) {
			if n := counts[place][c]; n < 800 || n > 1200 {
				t.Errorf("in place %d %q stands %d times of %d", place, c, n, draws)
			}
		}
	}
}

func TestLifetime(t *testing.T) {
	for minutes, ok := range map[int]bool{-1: false, 0: false, 4: false, 5: true, 6: true, 1439: true, 1440: true, 1441: false, 1 << 40: false} {
		got, err := lifetime(&minutes)
		if ok != (err == nil) || ok && got != time.Duration(minutes)*time.Minute {
			t.Errorf("%d minutes: %v, %v", minutes, got, err)
		}
	}
	if got, err := lifetime(nil); got != 24*time.Hour || err != nil {
		t.Errorf("the usual lifetime is %v, %v", got, err)
	}
}

// What is typed is a code, a recovery code, or a refusal for people, and one of
// them at most.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"123456", "123 456", "a1b2-c3d4-e5f6", "OIL1-0000-zzzz", "１２３４５６", "\x00", "\xff23456", strings.Repeat("-", 100)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, errA := parseCode(typed)
		recovery, errB := parseRecoveryCode(typed)
		for _, err := range []error{errA, errB} {
			if err != nil && apierr.From(err) == nil {
				t.Errorf("%q is an accident: %v", typed, err)
			}
		}
		if errA == nil && (len(code) != 6 || strings.Trim(code, "0123456789") != "" || !errors.Is(errB, errTOTPAsRecovery)) {
			t.Errorf("%q became the code %q; as a recovery code it is %v", typed, code, errB)
		}
		if errB == nil {
			again, err := parseRecoveryCode(recovery)
			if err != nil || again != recovery || len(recovery) != 14 || !errors.Is(errA, errRecoveryAsTOTP) {
				t.Errorf("%q became the recovery code %q, and %q, %v; as a code it is %v", typed, recovery, again, err, errA)
			}
		}
	})
}

func BenchmarkMatching(b *testing.B) {
	now := time.Unix(1111111111, 0)
	for i := range b.N {
		matching(rfcSecret, fmt.Sprintf("%06d", i%modulo), now)
	}
}
