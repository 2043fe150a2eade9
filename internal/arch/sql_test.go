package arch

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// sharedTables belong to no environment: the tenants themselves, the row that
// every node polls, what is known of the database as a whole, the queues,
// whose jobs carry their environment inside, and what the environments of a
// project share, which is keyed by the project.
var sharedTables = []string{"projects", "environments", "config_version", "settings", "outbox", "periodic_work", "email_templates", "email_template_defaults"}

var (
	createTable = regexp.MustCompile(`(?is)CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)\s*\((.*?)\n\)`)
	tenantKey   = regexp.MustCompile(`(?is)PRIMARY\s+KEY\s*\(\s*environment_id\b|environment_id\s+\w+[^,]*PRIMARY\s+KEY`)
)

var sqlRules = []rule{
	{
		name:  "every table is keyed by its environment",
		why:   "a query that forgets the environment then finds nothing by index, and no identifier of one tenant can name a row of another",
		check: tenantTables,
		bad: []map[string]string{
			{"internal/store/migrations/0009_x.sql": "CREATE TABLE things (\n  id TEXT PRIMARY KEY\n);\n"},
			{"internal/store/migrations/0009_x.sql": "CREATE TABLE things (\n  environment_id TEXT NOT NULL,\n  id TEXT NOT NULL,\n  PRIMARY KEY (id, environment_id)\n);\n"},
		},
		good: []map[string]string{
			{"internal/store/migrations/0009_x.sql": "CREATE TABLE things (\n  environment_id TEXT NOT NULL,\n  id TEXT NOT NULL,\n  PRIMARY KEY (environment_id, id)\n);\n"},
		},
	},
	{
		name:  "migrations go forward only",
		why:   "a database is upgraded or restored from a backup; a way back that nobody has walked loses data",
		check: forwardOnly,
		bad: []map[string]string{
			{"internal/store/migrations/0009_x.sql": "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n"},
			{"internal/store/migrations/x.sql": "-- +goose Up\nSELECT 1;\n"},
			{"internal/user/x.sql": "-- +goose Up\nSELECT 1;\n"},
		},
		good: []map[string]string{
			{"internal/store/migrations/0009_x.sql": "-- +goose Up\nSELECT 1;\n"},
		},
	},
}

func migrations(t *tree) []*source {
	var out []*source
	for _, s := range t.others {
		if path.Ext(s.path) == ".sql" && within(s.dir, "internal") {
			out = append(out, s)
		}
	}
	return out
}

func tenantTables(t *tree) []string {
	var out []string
	for _, s := range migrations(t) {
		for _, m := range createTable.FindAllStringSubmatchIndex(s.text, -1) {
			name, body := s.text[m[2]:m[3]], s.text[m[4]:m[5]]
			line := 1 + strings.Count(s.text[:m[0]], "\n")
			if !slices.Contains(sharedTables, name) && !tenantKey.MatchString(body) {
				out = append(out, at(s, line, "the primary key of %s does not begin with environment_id", name))
			}
		}
	}
	return out
}

var migrationName = regexp.MustCompile(`^internal/store/migrations/\d{4}_[a-z_]+\.sql$`)

func forwardOnly(t *tree) []string {
	var out []string
	for _, s := range migrations(t) {
		if !migrationName.MatchString(s.path) {
			out = append(out, at(s, 1, "migrations are internal/store/migrations/NNNN_name.sql"))
		}
		if strings.Contains(s.text, "+goose Down") {
			out = append(out, at(s, 1, "a way back"))
		}
	}
	return out
}
