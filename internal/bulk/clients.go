package bulk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"gatehouse/internal/m2m"
	"gatehouse/internal/project"
	"gatehouse/internal/store"
)

// ClientOptions say how to import clients that are machines.
type ClientOptions struct {
	From     string  // gatehouse or auth0
	Grants   *Source // of Auth0: what its clients may ask for; nil: nothing
	Audience string  // of Auth0: only grants for this API count; "": all
	DryRun   bool    // check everything, write nothing
	Report   *Report // of the rows that were refused; nil without
}

// ClientResult is what an import of clients has done. Rows that are none of the
// others are no machines, and were passed over.
type ClientResult struct {
	Rows     int64            `json:"rows"`
	Created  int64            `json:"created"`
	Existing int64            `json:"existing"` // were there already, and stay as they are
	Passed   int64            `json:"passed_over"`
	Refused  int64            `json:"refused"`
	Reasons  map[string]int64 `json:"reasons,omitempty"` // how many rows were refused, by error_type
	// Stopped says that the context ended before the file did.
	Stopped bool `json:"stopped,omitempty"`
}

// ClientRecord is one client in a file of our own format: a line of JSON.
type ClientRecord struct {
	ClientID          string          `json:"client_id"`
	ClientSecret      string          `json:"client_secret"`
	ClientName        string          `json:"client_name,omitempty"`
	ClientDescription string          `json:"client_description,omitempty"`
	Status            string          `json:"status,omitempty"`
	Scopes            []string        `json:"scopes,omitempty"`
	TrustedMetadata   json.RawMessage `json:"trusted_metadata,omitempty"`
}

// errNoMachine passes over a client of another product that is none of ours: an
// app with people in it.
var errNoMachine = errors.New("not a machine")

// ImportClients brings the clients of a file into an environment, with their
// ids and secrets. Clients who are there already are passed over, so that the
// same file can be imported again. An error that is not about a single row ends
// it; what was done until then stays done.
func (s *Service) ImportClients(ctx context.Context, env *project.Environment, source Source, o ClientOptions) (r ClientResult, err error) {
	read, format := readClient, "gatehouse clients"
	if o.From == "auth0" {
		format = "auth0 clients"
		granted, err := o.grants()
		if err != nil {
			return r, err
		}
		read = func(raw []byte) (*ClientRecord, error) { return auth0Client(raw, granted) }
	}
	rows, err := jsonRowsOf(source, format)
	if err != nil {
		return r, err
	}
	if err := o.Report.continueAfter(0); err != nil {
		return r, fmt.Errorf("the report: %w", err)
	}
	w := &clientImport{Service: s, env: env, o: &o, seen: map[string]bool{}}
	for {
		if r.Stopped = ctx.Err() != nil; r.Stopped {
			return r, nil
		}
		t, err := rows.next()
		var refused *fault
		switch {
		case errors.Is(err, io.EOF):
			return r, nil
		case err != nil && !errors.As(err, &refused):
			return r, fmt.Errorf("reading row %d: %w", r.Rows+1, err)
		}
		r.Rows++
		var record *ClientRecord
		if err == nil {
			record, err = read(t.json)
		}
		if err := w.row(context.WithoutCancel(ctx), &r, record, err); err != nil {
			return r, err
		}
	}
}

// jsonRowsOf opens a file that is JSON in any of its forms.
func jsonRowsOf(source Source, format string) (splitter, error) {
	in, err := (&Options{From: format, Format: FormatAuto}).open(source)
	if err != nil {
		return nil, err
	}
	return in.rows, nil
}

// clientImport is an import of clients under way.
type clientImport struct {
	*Service
	env  *project.Environment
	o    *ClientOptions
	seen map[string]bool // of a dry run: the clients it would have made
}

// row counts what becomes of a row, or why it was refused. An error is not about
// the row.
func (w *clientImport) row(ctx context.Context, r *ClientResult, record *ClientRecord, err error) error {
	var outcome outcome
	if err == nil {
		outcome, err = w.place(ctx, record)
	}
	switch {
	case errors.Is(err, errNoMachine):
		r.Passed++
		return nil
	case err == nil && outcome == created:
		r.Created++
		return nil
	case err == nil:
		r.Existing++
		return nil
	}
	refused, about := ofRow(err)
	if !about {
		return err
	}
	refused.Row = r.Rows
	if record != nil {
		refused.Identifier = record.ClientID
	}
	r.Refused++
	if r.Reasons == nil {
		r.Reasons = map[string]int64{}
	}
	r.Reasons[refused.Type]++
	if err := w.o.Report.write([]Refusal{refused}); err != nil {
		return fmt.Errorf("the report: %w", err)
	}
	return w.o.Report.committed()
}

// place makes the row's client, unless there is one of that id.
func (w *clientImport) place(ctx context.Context, record *ClientRecord) (result outcome, err error) {
	if record.ClientID == "" || record.ClientSecret == "" {
		return existing, faultf("no_credentials", "The row lacks the client_id or the client_secret.")
	}
	n := m2m.NewClient{
		ClientID: record.ClientID, ClientSecret: record.ClientSecret, ClientName: record.ClientName, ClientDescription: record.ClientDescription,
		Status: record.Status, Scopes: record.Scopes, TrustedMetadata: record.TrustedMetadata,
	}
	run := w.DB.Update
	if w.o.DryRun {
		run = w.DB.View
	}
	err = run(ctx, func(tx *store.Tx) error {
		result = existing
		there, err := m2m.Exists(tx, w.env, n.ClientID)
		switch {
		case err != nil || there || w.seen[n.ClientID]:
			return err
		case w.o.DryRun:
			err = n.Check(w.env)
			w.seen[n.ClientID] = err == nil
		default:
			_, _, err = w.Clients.Add(tx, w.env, n)
		}
		if err == nil {
			result = created
		}
		return err
	})
	return result, err
}

// readClient reads a line of our own format. A field that nobody knows is
// refused: it would be lost without a word.
func readClient(raw []byte) (*ClientRecord, error) {
	r := &ClientRecord{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, jsonFault(err)
	}
	if d.More() {
		return nil, faultf("invalid_row", "The row holds more than one JSON object. Write each client on a line of its own.")
	}
	return r, nil
}

// auth0Grant is an element of Auth0's client grants (GET /api/v2/client-grants).
type auth0Grant struct {
	ClientID string   `json:"client_id"`
	Audience string   `json:"audience"`
	Scope    []string `json:"scope"`
}

// grants reads what each client of Auth0 may ask for, at all APIs or at one.
func (o *ClientOptions) grants() (map[string][]string, error) {
	granted := map[string][]string{}
	if o.Grants == nil {
		return granted, nil
	}
	rows, err := jsonRowsOf(*o.Grants, "auth0 grants")
	if err != nil {
		return nil, err
	}
	for number := 1; ; number++ {
		t, err := rows.next()
		if errors.Is(err, io.EOF) {
			return granted, nil
		}
		var g auth0Grant
		if err == nil {
			err = decode(t.json, &g)
		}
		if err == nil && g.ClientID == "" {
			err = errors.New("it is no client grant: it has no client_id")
		}
		if err != nil {
			return nil, fmt.Errorf("reading grant %d of %s: %w", number, o.Grants.Name, err)
		}
		if o.Audience == "" || o.Audience == g.Audience {
			granted[g.ClientID] = append(granted[g.ClientID], g.Scope...)
		}
	}
}

// auth0App is an element of Auth0's clients (GET /api/v2/clients).
type auth0App struct {
	ClientID     string          `json:"client_id"`
	ClientSecret string          `json:"client_secret"`
	Name         string          `json:"name"`
	Description  string          `json:"description"`
	Global       bool            `json:"global"` // Auth0's own
	GrantTypes   []string        `json:"grant_types"`
	Metadata     json.RawMessage `json:"client_metadata"`
	AuthMethod   string          `json:"token_endpoint_auth_method"`
}

func auth0Client(raw []byte, granted map[string][]string) (*ClientRecord, error) {
	var a auth0App
	if err := decode(raw, &a); err != nil {
		return nil, err
	}
	r := &ClientRecord{
		ClientID: a.ClientID, ClientSecret: a.ClientSecret, ClientName: a.Name, ClientDescription: a.Description,
		Scopes: granted[a.ClientID], TrustedMetadata: a.Metadata,
	}
	switch {
	case a.Global, !slices.Contains(a.GrantTypes, "client_credentials"), a.AuthMethod == "none":
		return r, errNoMachine
	case a.AuthMethod == "private_key_jwt":
		return r, faultf("unsupported_authentication", "The client shows a key of its own and no secret. Make it anew here, with a secret.")
	case a.ClientSecret == "":
		return r, faultf("no_client_secret", "The export lacks the client's secret. Export it with a token that has the scope read:client_keys.")
	}
	return r, nil
}
