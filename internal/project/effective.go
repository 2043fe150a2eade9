package project

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// Setting is one setting of an environment with the value in force.
type Setting struct {
	Path      string          `json:"path"` // as Config.Set takes it: "session.algorithm"
	Value     json.RawMessage `json:"value"`
	IsDefault bool            `json:"is_default"`

	unlogged bool // it may hold a key: services that sell access put one into addresses
}

// Settings lists all settings with their values in force, in the order of the
// struct.
func (c *Config) Settings() ([]Setting, error) {
	var list []Setting
	inForce := c.effective()
	err := settings("", reflect.ValueOf(&inForce).Elem(), reflect.ValueOf(c).Elem(), &list)
	return list, err
}

// settings walks the value in force and the stored one side by side.
func settings(prefix string, inForce, stored reflect.Value, list *[]Setting) error {
	for i := range inForce.NumField() {
		name, _, _ := strings.Cut(inForce.Type().Field(i).Tag.Get("json"), ",")
		path := strings.TrimPrefix(prefix+"."+name, ".")
		if inForce.Field(i).Kind() == reflect.Struct {
			if err := settings(path, inForce.Field(i), stored.Field(i), list); err != nil {
				return err
			}
			continue
		}
		value, err := json.Marshal(inForce.Field(i).Interface())
		if err != nil {
			return err
		}
		if bytes.Equal(value, []byte("null")) {
			value = []byte("[]")
		}
		unlogged := inForce.Type().Field(i).Tag.Get("log") == "-"
		*list = append(*list, Setting{Path: path, Value: value, IsDefault: stored.Field(i).IsZero(), unlogged: unlogged})
	}
	return nil
}

// effective fills in the defaults that the accessors know.
func (c *Config) effective() Config {
	e := *c
	e.UserLock.Threshold = c.LockThreshold()
	e.UserLock.TTLSeconds = int(c.LockTTL().Seconds())
	e.Session.Issuer = orDefault(c.Session.Issuer, IssuerURL)
	e.Session.Algorithm = c.JWTAlgorithm()
	reuse := int(c.JWTReuse().Seconds())
	e.Session.JWTReuseSeconds = &reuse
	e.Session.KeyRotationDays = int(c.KeyRotation().Hours() / 24)
	e.WebAuthn.SignCount = orDefault(c.WebAuthn.SignCount, SignCountReject)
	e.Messages = c.Messages.inForce(c)
	e.Notices = c.Notices.inForce(c)
	e.Passwords = c.Passwords.inForce(c)
	e.SDK.Sessions.MaxSessionDurationMinutes = c.MaxSessionMinutes()
	e.SDK.Cookies.HTTPOnly = orDefault(c.SDK.Cookies.HTTPOnly, CookiesDisabled)
	return e
}

// Reset brings one setting back to its default.
func (c *Config) Reset(path string) error {
	v := reflect.ValueOf(c).Elem()
	for part := range strings.SplitSeq(path, ".") {
		if v.Kind() != reflect.Struct {
			return unknownSetting(path)
		}
		at := fieldNamed(v.Type(), part)
		if at < 0 {
			return unknownSetting(path)
		}
		v = v.Field(at)
	}
	if v.Kind() == reflect.Struct {
		return unknownSetting(path)
	}
	v.SetZero()
	return nil
}

func fieldNamed(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name {
			return i
		}
	}
	return -1
}

func unknownSetting(path string) error {
	return errSetting.WithMessage("%q is not a setting. `gatehouse environment show` lists the settings and their values.", path)
}
