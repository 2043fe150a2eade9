package otp

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/apierr"
	"gatehouse/internal/delivery"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/user"
)

var errConversion = apierr.New(429, "too_few_tokens_authenticated", "Too few of the codes that were sent lately have been used. Try again later, or sign in another way.")

// checkCountry refuses texts to countries that the environment does not allow.
func (r *request) checkCountry() error {
	countries, setting := r.caller.Env.Config.SMSCountries(), "messages.sms_countries"
	if r.via == delivery.WhatsApp {
		countries, setting = r.caller.Env.Config.WhatsAppCountries(), "messages.whatsapp_countries"
	}
	if !project.TextsTo(countries, r.region) {
		return errCountry.WithDetails(map[string]any{"rule": setting, "country": r.region})
	}
	return nil
}

// conversionWindow is how long texts and the codes typed in are counted.
const conversionWindow = time.Hour

// countText counts a text to a country, and refuses it once too many have gone
// there whose codes nobody typed in: whoever collects money for texts has no
// use for the codes. People who type theirs in reopen the country before the
// window ends. It is the last thing a transaction does, since every text to a
// country waits here for the one before.
func (r *request) countText(tx *store.Tx) error {
	after, percent := r.caller.Env.Config.Conversion()
	if r.contact.Kind != user.KindPhone || after == 0 || percent == 0 {
		return nil
	}
	end := tx.Now.Truncate(conversionWindow).Add(conversionWindow)
	closed, err := addSent(tx, r.caller.Env, r.via, r.region, end)
	if err == nil && !closed.IsZero() {
		err = errConversion.WithRetryAfter(closed.Sub(tx.Now))
	}
	return err
}

// countProof counts a code that was typed in.
func (c *code) countProof(tx *store.Tx, env *project.Environment, number string) error {
	if c.channel == delivery.Email {
		return nil
	}
	return addAuthenticated(tx, env.ID, c.channel, user.PhoneRegion(number))
}

// autofill are the lines by which a phone recognises an SMS and offers its
// code; at most one is set.
type autofill struct{ domain, hash string }

// autofillFor chooses them for a page or app: the hash of the app, or else the
// page's own host, or else the first domain.
func autofillFor(caller *project.Caller) autofill {
	list := caller.Env.Config.SDK.OTPs.SMSAutofill
	pick := func(kind string, match func(project.AutofillMetadata) bool) string {
		at := slices.IndexFunc(list, func(m project.AutofillMetadata) bool { return m.MetadataType == kind && match(m) })
		if at < 0 {
			return ""
		}
		return list[at].MetadataValue
	}
	if caller.BundleID != "" {
		if hash := pick(project.AutofillHash, func(m project.AutofillMetadata) bool { return m.BundleID == caller.BundleID }); hash != "" {
			return autofill{hash: hash}
		}
	}
	host := hostName(caller.Origin)
	if own := pick(project.AutofillDomain, func(m project.AutofillMetadata) bool { return m.MetadataValue == host }); own != "" {
		return autofill{domain: own}
	}
	return autofill{domain: pick(project.AutofillDomain, func(project.AutofillMetadata) bool { return true })}
}

func hostName(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
