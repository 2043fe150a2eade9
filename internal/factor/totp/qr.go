package totp

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"strings"

	"github.com/boombuler/barcode/qr"

	"gatehouse/internal/user"
)

const (
	qrSize = 200 // pixels of each side
	// quietZone is the margin that readers need, in squares of the code.
	quietZone = 4
	// What names may take up of the address, escaped: with more of them the
	// squares would have less than two pixels, and cameras could not read them.
	maxIssuer, maxAccount = 120, 200
)

// account is what the app shows beside the project's name.
func account(u *user.User) string {
	switch {
	case len(u.Emails) > 0:
		return u.Emails[0].Email
	case len(u.PhoneNumbers) > 0:
		return u.PhoneNumbers[0].PhoneNumber
	default:
		return u.UserID
	}
}

// keyURI is what authenticator apps read from the QR code
// (https://github.com/google/google-authenticator/wiki/Key-Uri-Format). Digits,
// period and hash are the ones that every app assumes.
func keyURI(project, account, secret string) string {
	issuer, label := escaped(project, maxIssuer), escaped(account, maxAccount)
	return "otpauth://totp/" + issuer + ":" + label + "?secret=" + secret + "&issuer=" + issuer
}

// escaped is a name for a place in the address, cut where it has to be. A colon
// would end the issuer, and stands for a blank; a blank is %20, because apps
// show a plus as it is.
func escaped(name string, limit int) string {
	name = strings.Join(strings.Fields(strings.ReplaceAll(name, ":", " ")), " ")
	var b strings.Builder
	for _, r := range name {
		next := strings.ReplaceAll(url.QueryEscape(string(r)), "+", "%20")
		if b.Len()+len(next) > limit {
			break
		}
		b.WriteString(next)
	}
	return b.String()
}

// qrCode is a QR code of text, as the address of an image that holds it.
func qrCode(text string) (string, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", err
	}
	n := code.Bounds().Dx()
	scale := max(1, qrSize/(n+2*quietZone))
	margin := (qrSize - n*scale) / 2
	picture := image.NewPaletted(image.Rect(0, 0, qrSize, qrSize), color.Palette{color.White, color.Black})
	for y := range n * scale {
		for x := range n * scale {
			if code.At(x/scale, y/scale) == color.Black {
				picture.SetColorIndex(margin+x, margin+y, 1)
			}
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(file.Bytes()), nil
}
