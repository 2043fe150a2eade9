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

// Metric is a count about an environment that the project's metrics show.
type Metric struct {
	Type  string // a metric_type of the contract
	Count func(tx *store.Tx, env *project.Environment) (int64, error)
}

// ShowMetrics adds what others count to the users. Call it before the first
// request.
func (s *Service) ShowMetrics(list ...Metric) { s.shown = append(s.shown, list...) }

// metrics counts what the environment has.
func (s *Service) metrics(ctx context.Context, _ *metricsRequest) (*metricsResponse, error) {
	env := project.CallerFrom(ctx).Env
	resp := &metricsResponse{ProjectID: env.ID}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		resp.Metrics = nil
		for _, m := range append([]Metric{{"USER_COUNT", Count}}, s.shown...) {
			n, err := m.Count(tx, env)
			if err != nil {
				return err
			}
			resp.Metrics = append(resp.Metrics, metric{m.Type, n})
		}
		return nil
	})
	return resp, err
}
