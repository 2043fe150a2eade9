// Package nometa must not compile: its response does not embed wire.Meta.
package nometa

import (
	"context"

	"gatehouse/internal/wire"
)

type response struct {
	Greeting string `json:"greeting"`
}

func greet(context.Context, *struct{}) (*response, error) { return &response{}, nil }

var _ = wire.GET("/v1/greet", wire.Open, greet)
