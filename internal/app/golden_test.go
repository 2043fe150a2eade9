package app_test

import (
	"bytes"
	"testing"

	"gatehouse/internal/authtest"
	"gatehouse/internal/golden"
	"gatehouse/internal/wire"
)

// TestGolden compares what the server is with what was reviewed: its routes,
// its OpenAPI document and its schema. `make golden` writes them anew.
func TestGolden(t *testing.T) {
	authtest.Each(t, func(t *testing.T, s *authtest.Server) {
		schema, err := s.DB.Schema(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "api/schema."+string(s.DB.Engine())+".sql", []byte(schema))
		var routes bytes.Buffer
		if err := wire.Describe(&routes, s.App.Server.Endpoints()); err != nil {
			t.Fatal(err)
		}
		golden.Check(t, "api/routes.txt", routes.Bytes())
		golden.Check(t, "api/openapi.json", []byte(s.Request("GET", "/openapi.json", nil, nil).OK().Text))
	})
}
