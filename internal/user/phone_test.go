package user

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestCanonicalPhone(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"+14155552671", "+14155552671"},
		{" +1 415 555 2671 ", "+14155552671"},
		{"+1 (415) 555-2671", "+14155552671"},
		{"+1.415.555.2671", "+14155552671"},
		{"+1\u00a0415\u2011555\u20112671", "+14155552671"},
		{"+44 (0) 7911 123456", "+447911123456"},
		{"+4915123456789", "+4915123456789"},
		{"+39 06 1234 5678", "+390612345678"}, // a leading zero that belongs to the number
	} {
		if got, err := CanonicalPhone(c.in); err != nil || got != c.want {
			t.Errorf("CanonicalPhone(%q) = %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{
		"", "+", "+1", "14155552671", "0014155552671", "tel:+14155552671", "++14155552671", "+1415555267a", "+1 415 555 2671 ext. 5",
		"+1415555267", "+141555526711", "+15555555555555555", "+999123456789", "+10000000000", "+1-800-FLOWERS", "＋１４１５５５５２６７１",
		"+1415555\n2671", "+1415555\x002671", "+1;14155552671", strings.Repeat("+1", 100), "+" + strings.Repeat(" ", 100) + "14155552671", "+\xff14155552671",
	} {
		if got, err := CanonicalPhone(in); typeOf(t, err) != "invalid_phone_number" {
			t.Errorf("CanonicalPhone(%q) = %q, %v", in, got, err)
		}
	}
	if _, err := CanonicalPhone("+1415\u200b5552671"); typeOf(t, err) != "forbidden_character_zero_width_space" {
		t.Errorf("zero-width space: %v", err)
	}
}

func TestPhoneVectors(t *testing.T) {
	text, err := os.ReadFile("../../../shared/vectors/phone-numbers.json")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the vectors are not part of the repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Input  string `json:"input"`
			Region string `json:"default_region"`
			E164   string `json:"e164"`
			Valid  bool   `json:"valid"`
		} `json:"vectors"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	e164 := regexp.MustCompile(`^\+\d+$`)
	accepted := 0
	for _, v := range file.Vectors {
		got, err := CanonicalPhone(v.Input)
		switch {
		// A number is international or refused: there is no default region, and
		// prefixes and extensions are not part of a number.
		case !v.Valid, v.Region != "", !e164.MatchString(v.Input):
			if v.Region == "" && typeOf(t, err) != "invalid_phone_number" {
				t.Errorf("%q = %q, %v", v.Input, got, err)
			}
		case err != nil || got != v.E164:
			t.Errorf("%q = %q, %v, want %q", v.Input, got, err, v.E164)
		default:
			accepted++
		}
	}
	if accepted < 200 {
		t.Errorf("only %d vectors were accepted", accepted)
	}
}

func TestPhoneRegion(t *testing.T) {
	for number, want := range map[string]string{
		"+14155552671": "US", "+16045552671": "CA", "+18765551234": "JM", "+12423591234": "BS", "+18095551234": "DO", "+17875551234": "PR",
		"+447400123456": "GB", "+447911123456": "GG", "+447797712345": "JE", "+79161234567": "RU", "+77011234567": "KZ",
		"+881612345678": "", "+88351234567890": "", "+80012345678": "", // satellites, networks and free calls of the world
		"+19005551234": "", "+449098790123": "", // premium rate
		"": "", "+": "", "14155552671": "", "+999123456789": "",
	} {
		if got := PhoneRegion(number); got != want {
			t.Errorf("%s is of %q, want %q", number, got, want)
		}
	}
}

func TestPhoneRegionVectors(t *testing.T) {
	text, err := os.ReadFile("../../../shared/vectors/phone-numbers.json")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the vectors are not part of the repository")
	}
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			E164    string `json:"e164"`
			Country string `json:"country"`
			Type    string `json:"type"`
			Valid   bool   `json:"valid"`
		} `json:"vectors"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	// Numbers of these cannot be told from those of the country whose plan they
	// share, and count as its numbers.
	sharing := map[string]string{"AX": "FI", "BL": "GP", "CC": "AU", "CX": "AU", "EH": "MA", "IM": "GB", "MF": "GP", "SJ": "NO", "VA": "IT"}
	checked := 0
	for _, v := range file.Vectors {
		if !v.Valid || len(v.Country) != 2 {
			continue
		}
		want := v.Country
		if v.Type == "PREMIUM_RATE" || v.Type == "SHARED_COST" {
			want = ""
		}
		if got := PhoneRegion(v.E164); got != want && got != sharing[want] {
			t.Errorf("%s is of %q, want %q", v.E164, got, want)
		}
		checked++
	}
	if checked < 200 {
		t.Errorf("only %d vectors name a country", checked)
	}
}

func FuzzPhoneRegion(f *testing.F) {
	for _, s := range []string{"+14155552671", "+881612345678", "", "+", "+1"} {
		f.Add(s)
	}
	code := regexp.MustCompile(`^([A-Z]{2})?$`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := PhoneRegion(s); !code.MatchString(got) {
			t.Errorf("%q is of %q", s, got)
		}
	})
}

func FuzzCanonicalPhone(f *testing.F) {
	for _, s := range []string{"+14155552671", "+44 (0) 7911 123456", "+390612345678", "+", "+0", "+5491123456789"} {
		f.Add(s)
	}
	e164 := regexp.MustCompile(`^\+[1-9]\d{3,15}$`)
	f.Fuzz(func(t *testing.T, s string) {
		number, err := CanonicalPhone(s)
		if err != nil {
			typeOf(t, err)
			return
		}
		if !e164.MatchString(number) {
			t.Errorf("%q became %q", s, number)
		}
		if again, err := CanonicalPhone(number); err != nil || again != number {
			t.Errorf("%q became %q, and that %q, %v", s, number, again, err)
		}
	})
}
