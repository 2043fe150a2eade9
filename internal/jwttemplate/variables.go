package jwttemplate

import (
	"slices"
	"strings"
)

// variables are the names that tags may use, by kind. "*" stands for any path
// from there on, which may be empty; "<resource>" for the id of a resource,
// which may have dots in it.
var variables = map[Kind][]string{
	Session: {
		"user.user_id", "user.external_id", "user.status", "user.created_at",
		"user.name", "user.name.first_name", "user.name.middle_name", "user.name.last_name",
		"user.email", "user.emails", "user.phone_number", "user.phone_numbers",
		"user.trusted_metadata.*", "user.untrusted_metadata.*",
		"user.rbac.roles", "user.rbac.<resource>.actions",
		"session.session_id", "session.started_at", "session.expires_at", "session.roles",
		"session.attributes.ip_address", "session.attributes.user_agent", "session.authentication_factors.*",
	},
	M2M: {
		"client.client_id", "client.client_name", "client.scopes", "client.trusted_metadata.*",
	},
}

// ofClients are the claims by which an access token says what its client may
// do; no template for M2M clients can set them.
var ofClients = []string{"scope", "client_id"}

// within reports whether a path leads into a value of any shape, which a "*"
// stands for.
func within(path []string) bool {
	return path[1] == "trusted_metadata" || path[1] == "untrusted_metadata" || path[1] == "authentication_factors"
}

// Variables lists what tags of a kind may name, for people.
func Variables(kind Kind) []string { return slices.Clone(variables[kind]) }

// known reports whether a path is one of the variables of a kind.
func known(kind Kind, path []string) bool {
	return slices.ContainsFunc(variables[kind], func(variable string) bool {
		want := strings.Split(variable, ".")
		for i, part := range want {
			switch {
			case part == "*":
				return true
			case part == "<resource>":
				return len(path) > i+1 && path[len(path)-1] == want[i+1]
			case i >= len(path) || path[i] != part:
				return false
			}
		}
		return len(path) == len(want)
	})
}
