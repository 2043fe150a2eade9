package template

import (
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Style is how our own wording of a message looks. What is left out looks as
// Gatehouse does.
type Style struct {
	ButtonBorderRadius *float64 `json:"button_border_radius,omitempty"` // in pixels, 0..100
	ButtonColor        string   `json:"button_color,omitempty"`         // "#rrggbb"
	ButtonTextColor    string   `json:"button_text_color,omitempty"`    // "#rrggbb"; "": black or white, what reads better
	FontFamily         string   `json:"font_family,omitempty"`          // one of FontFamilies
	TextAlignment      string   `json:"text_alignment,omitempty"`       // LEFT (default) or CENTER
	LogoURL            string   `json:"logo_url,omitempty"`             // https; shown in place of the app's name
}

// fonts are the font families of the contract. Those who lack the first of a
// list have the second.
var fonts = map[string]string{
	"ARIAL":           "Arial,Helvetica,sans-serif",
	"BRUSH_SCRIPT_MT": "'Brush Script MT',cursive",
	"COURIER_NEW":     "'Courier New',Courier,monospace",
	"GEORGIA":         "Georgia,'Times New Roman',serif",
	"HELVETICA":       "Helvetica,Arial,sans-serif",
	"TAHOMA":          "Tahoma,Verdana,sans-serif",
	"TIMES_NEW_ROMAN": "'Times New Roman',Times,serif",
	"TREBUCHET_MS":    "'Trebuchet MS',Tahoma,sans-serif",
	"VERDANA":         "Verdana,Geneva,sans-serif",
}

const (
	systemFont = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
	alignLeft  = "LEFT"
	alignMid   = "CENTER"

	defaultRadius = 10
	accent        = "#2f4bd8"
	accentInk     = "#ffffff"
)

// FontFamilies lists the values of font_family.
func FontFamilies() []string {
	var names []string
	for name := range fonts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

var color = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// check says what is wrong with a style.
func (s *Style) check() error {
	_, knownFont := fonts[s.FontFamily]
	switch {
	case s.ButtonBorderRadius != nil && !(*s.ButtonBorderRadius >= 0 && *s.ButtonBorderRadius <= 100):
		return errParameters.WithMessage("button_border_radius must lie between 0 and 100 pixels.")
	case s.ButtonColor != "" && !color.MatchString(s.ButtonColor):
		return errParameters.WithMessage("button_color must be written like #2f4bd8.")
	case s.ButtonTextColor != "" && !color.MatchString(s.ButtonTextColor):
		return errParameters.WithMessage("button_text_color must be written like #ffffff.")
	case s.FontFamily != "" && !knownFont:
		return errParameters.WithMessage("font_family must be one of %s.", strings.Join(FontFamilies(), ", "))
	case s.TextAlignment != "" && s.TextAlignment != alignLeft && s.TextAlignment != alignMid:
		return errParameters.WithMessage("text_alignment must be LEFT or CENTER.")
	case s.LogoURL != "" && !isHTTPS(s.LogoURL):
		return errParameters.WithMessage("logo_url must be an https:// address of an image, at most 2048 characters long.")
	}
	return nil
}

// look is a style with nothing left to decide.
type look struct {
	Font      template.CSS
	Align     string
	Radius    string
	Button    string
	Ink       string
	OwnButton bool // the project's colours, which dark mode leaves alone
	Logo      string
}

func (s *Style) look() look {
	l := look{Font: systemFont, Align: "left", Radius: strconv.Itoa(defaultRadius), Button: accent, Ink: accentInk}
	if s == nil {
		return l
	}
	if font, ok := fonts[s.FontFamily]; ok {
		l.Font = template.CSS(font)
	}
	if s.TextAlignment == alignMid {
		l.Align = "center"
	}
	if s.ButtonBorderRadius != nil {
		l.Radius = strconv.FormatFloat(*s.ButtonBorderRadius, 'f', -1, 64)
	}
	if s.ButtonColor != "" {
		l.Button, l.Ink, l.OwnButton = s.ButtonColor, readable(s.ButtonColor), true
	}
	if s.ButtonTextColor != "" {
		l.Ink, l.OwnButton = s.ButtonTextColor, true
	}
	l.Logo = s.LogoURL
	return l
}

// readable chooses black or white text for a background by its brightness, as
// sRGB weighs the colours.
func readable(background string) string {
	n, err := strconv.ParseUint(strings.TrimPrefix(background, "#"), 16, 32)
	if err != nil || (299*(n>>16)+587*(n>>8&255)+114*(n&255))/1000 < 140 {
		return "#ffffff"
	}
	return "#000000"
}
