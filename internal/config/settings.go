package config

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
)

// Setting is one setting as people see it: in `gatehouse config` and in the
// documentation.
type Setting struct {
	Name     string // of the flag, without dashes
	Variable string // of the environment
	Fallback string // a variable of OpenTelemetry's, read where ours is not set
	Default  string // "" for none
	Help     string
	Value    string // as it is in the struct, secrets masked
}

// Settings lists the settings of the given structs, which are pointers to
// Database and Server, in the order of their fields.
func Settings(structs ...any) []Setting {
	var list []Setting
	for _, s := range structs {
		v := reflect.ValueOf(s).Elem()
		for i := range v.NumField() {
			if v.Type().Field(i).Anonymous {
				list = append(list, Settings(v.Field(i).Addr().Interface())...)
				continue
			}
			tag := v.Type().Field(i).Tag
			text := format(v.Field(i))
			variable, fallback, _ := strings.Cut(tag.Get("env"), ",")
			list = append(list, Setting{
				Name: tag.Get("name"), Variable: variable, Fallback: fallback, Default: tag.Get("default"), Help: tag.Get("help"),
				Value: mask(tag.Get("secret"), text),
			})
		}
	}
	return list
}

func format(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case []string:
		return strings.Join(x, ",")
	case interface{ String() string }:
		return x.String()
	default:
		return fmt.Sprint(x)
	}
}

// masked stands for a secret. Its length says nothing of the secret's.
const masked = "********"

func mask(kind, value string) string {
	switch {
	case value == "" || kind == "":
		return value
	case kind == "url":
		return MaskURL(value)
	}
	return masked
}

// MaskURL hides the password of a database URL, wherever PostgreSQL accepts
// one: before the host, or as a parameter. A text that cannot be read as a URL
// is hidden whole, for a password may stand anywhere in it.
func MaskURL(s string) string {
	if strings.HasPrefix(s, "sqlite:") {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" {
		return masked
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), masked)
	}
	q := u.Query()
	for name := range q {
		if strings.Contains(strings.ToLower(name), "password") {
			q.Set(name, masked)
			u.RawQuery = q.Encode()
		}
	}
	return strings.ReplaceAll(u.String(), url.QueryEscape(masked), masked)
}
