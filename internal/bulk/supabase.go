package bulk

import (
	"encoding/json"
	"strings"
	"time"
)

// supabaseUser is a row of the table auth.users.
type supabaseUser struct {
	ID                string          `json:"id"`
	Email             string          `json:"email"`
	EmailConfirmedAt  string          `json:"email_confirmed_at"`
	Phone             string          `json:"phone"`
	PhoneConfirmedAt  string          `json:"phone_confirmed_at"`
	EncryptedPassword string          `json:"encrypted_password"`
	CreatedAt         string          `json:"created_at"`
	BannedUntil       string          `json:"banned_until"`
	DeletedAt         string          `json:"deleted_at"`
	AppMetaData       json.RawMessage `json:"raw_app_meta_data"`
	UserMetaData      json.RawMessage `json:"raw_user_meta_data"`
}

func supabaseRecord(o *Options, raw []byte) (*Record, error) {
	var s supabaseUser
	if err := decode(raw, &s); err != nil {
		return nil, err
	}
	return s.record(o)
}

// supabaseRow reads a row of a CSV export; a missing value may be empty, or NULL.
func supabaseRow(o *Options, c cells) (*Record, error) {
	get := func(column string) string {
		if v := c.get(column); !strings.EqualFold(v, "null") && v != `\N` {
			return v
		}
		return ""
	}
	s := supabaseUser{
		ID: get("id"), Email: get("email"), EmailConfirmedAt: get("email_confirmed_at"), Phone: get("phone"),
		PhoneConfirmedAt: get("phone_confirmed_at"), EncryptedPassword: get("encrypted_password"), CreatedAt: get("created_at"),
		BannedUntil: get("banned_until"), DeletedAt: get("deleted_at"),
		AppMetaData: json.RawMessage(get("raw_app_meta_data")), UserMetaData: json.RawMessage(get("raw_user_meta_data")),
	}
	return s.record(o)
}

func (s *supabaseUser) record(o *Options) (*Record, error) {
	r := &Record{
		Email: s.Email, EmailVerified: s.EmailConfirmedAt != "", PhoneNumberVerified: s.PhoneConfirmedAt != "",
		TrustedMetadata: s.AppMetaData, UntrustedMetadata: s.UserMetaData,
	}
	if s.Phone != "" {
		r.PhoneNumber = "+" + strings.TrimPrefix(s.Phone, "+") // which the table leaves out
	}
	var err error
	if r.CreatedAt, err = timeOf("created_at", s.CreatedAt); err != nil {
		return nil, err
	}
	switch {
	case s.DeletedAt != "":
		r.disabled = "deleted"
	case s.BannedUntil != "":
		until, err := timeOf("banned_until", s.BannedUntil)
		if err != nil || time.Time(*until).After(o.now) {
			r.disabled = "banned"
		}
	}
	var profile struct {
		FullName string `json:"full_name"`
		Name     string `json:"name"`
	}
	if json.Unmarshal(s.UserMetaData, &profile) == nil {
		if r.Name = splitName(profile.FullName); r.Name == nil {
			r.Name = splitName(profile.Name)
		}
	}
	var app struct {
		Providers []string `json:"providers"`
	}
	if json.Unmarshal(s.AppMetaData, &app) == nil {
		for _, p := range app.Providers {
			if p != "email" && p != "phone" {
				r.leave("providers") // whose accounts are in another table
			}
		}
	}
	if err := dropMetadata(&r.TrustedMetadata, "provider", "providers"); err != nil {
		return nil, err
	}
	if err := dropMetadata(&r.UntrustedMetadata, "sub", "iss", "email", "email_verified", "phone", "phone_verified", "provider_id"); err != nil {
		return nil, err
	}
	if s.EncryptedPassword != "" {
		if r.Password, err = phcPassword(s.EncryptedPassword); err != nil {
			return nil, err
		}
	}
	return r, r.foreignID("supabase", s.ID)
}
