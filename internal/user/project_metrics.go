package user

import (
	"context"

	"gatehouse/internal/project"
	"gatehouse/internal/store"
	"gatehouse/internal/wire"
)

type metricsRequest struct{}

type metricsResponse struct {
	wire.Meta
	ProjectID string   `json:"project_id" required:"true"`
	Metrics   []metric `json:"metrics" required:"true"`
}

// metric is one count about an environment (contract.json, ProjectMetric).
type metric struct {
	Type  string `json:"metric_type" required:"true" enum:"UNKNOWN,USER_COUNT,ORGANIZATION_COUNT,MEMBER_COUNT,M2M_CLIENT_COUNT"`
	Count int64  `json:"count" required:"true"`
}

// metrics counts the environment's users.
func (s *Service) metrics(ctx context.Context, _ *metricsRequest) (*metricsResponse, error) {
	env := project.CallerFrom(ctx).Env
	resp := &metricsResponse{ProjectID: env.ID}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		n, err := Count(tx, env)
		resp.Metrics = []metric{{"USER_COUNT", n}}
		return err
	})
	return resp, err
}
