package project

import (
	"context"

	"gatehouse/internal/wire"
)

// Endpoints are the routes about the environment itself.
func (s *Service) Endpoints() []wire.Endpoint {
	return []wire.Endpoint{
		wire.GET("/v1/debug/whoami", wire.Secret, s.whoami, wire.Summary("Tell which environment the credentials open")),
		wire.GET("/v1/rbac/policy", wire.Secret, s.policy, wire.Summary("The roles, and what each may do with which resource")),
		wire.GET("/sdk/v1/projects/bootstrap/{public_token}", wire.Public, s.bootstrap, wire.Summary("What a client SDK needs to know before it starts")),
	}
}

type whoamiRequest struct{}

type whoamiResponse struct {
	wire.Meta
	ProjectID string `json:"project_id" required:"true"`
	Name      string `json:"name" required:"true"`
}

func (s *Service) whoami(ctx context.Context, _ *whoamiRequest) (*whoamiResponse, error) {
	env := CallerFrom(ctx).Env
	return &whoamiResponse{ProjectID: env.ID, Name: env.ProjectName}, nil
}

type policyRequest struct{}

type policyResponse struct {
	wire.Meta
	Policy *Policy `json:"policy" required:"true"`
}

func (s *Service) policy(ctx context.Context, _ *policyRequest) (*policyResponse, error) {
	return &policyResponse{Policy: CallerFrom(ctx).Env.Policy()}, nil
}

type bootstrapRequest struct {
	PublicToken string `path:"public_token"`
}

// bootstrapResponse is read by every official SDK at start. No field may be
// left out: an SDK that misses one discards the whole (official-sdk.md, 4).
type bootstrapResponse struct {
	wire.Meta
	ProjectName            string           `json:"project_name" required:"true"`
	DisableWatermark       bool             `json:"disable_sdk_watermark" required:"true"`
	CNAMEDomain            *string          `json:"cname_domain" required:"true"`
	EmailDomains           []string         `json:"email_domains" required:"true"`
	Captcha                bootstrapCaptcha `json:"captcha_settings" required:"true"`
	PKCEForEmailMagicLinks bool             `json:"pkce_required_for_email_magic_links" required:"true"`
	PKCEForPasswordResets  bool             `json:"pkce_required_for_password_resets" required:"true"`
	PKCEForOAuth           bool             `json:"pkce_required_for_oauth" required:"true"`
	PKCEForSSO             bool             `json:"pkce_required_for_sso" required:"true"`
	SlugPattern            *string          `json:"slug_pattern" required:"true"`
	CreateOrganization     bool             `json:"create_organization_enabled" required:"true"`
	PasswordConfig         *bootstrapLUDS   `json:"password_config" required:"true"`
	DFPProtectedAuth       bool             `json:"dfp_protected_auth_enabled" required:"true"`
	DFPProtectedAuthMode   string           `json:"dfp_protected_auth_mode" required:"true" enum:"OBSERVATION,DECISIONING"`
	RBACPolicy             *Policy          `json:"rbac_policy" required:"true"`
	SIWERequired           bool             `json:"siwe_required_for_crypto_wallets" required:"true"`
	Vertical               string           `json:"vertical" required:"true"`
}

type bootstrapCaptcha struct {
	Enabled bool `json:"enabled" required:"true"`
}

// bootstrapLUDS is the policy for passwords where that is LUDS, null for zxcvbn.
type bootstrapLUDS struct {
	Complexity   int `json:"luds_complexity" required:"true"`
	MinimumCount int `json:"luds_minimum_count" required:"true"`
}

func (s *Service) bootstrap(ctx context.Context, req *bootstrapRequest) (*bootstrapResponse, error) {
	env := CallerFrom(ctx).Env
	if !env.HasPublicToken(req.PublicToken) {
		return nil, errTokenUnknown.WithMessage("The public token in the path is not one of the environment that the Authorization header names.")
	}
	var luds *bootstrapLUDS
	if c := &env.Config; c.PasswordPolicy() == LUDS {
		luds = &bootstrapLUDS{c.LUDSMinComplexity(), c.LUDSMinLength()}
	}
	return &bootstrapResponse{
		ProjectName:            env.ProjectName,
		DisableWatermark:       true,
		EmailDomains:           []string{},
		PKCEForEmailMagicLinks: env.Config.SDK.MagicLinks.PKCERequired,
		PKCEForPasswordResets:  env.Config.SDK.Passwords.PKCERequired,
		PKCEForOAuth:           env.Config.SDK.OAuth.PKCERequired,
		PasswordConfig:         luds,
		DFPProtectedAuthMode:   "OBSERVATION",
		RBACPolicy:             env.Policy(),
		SIWERequired:           env.Config.SDK.CryptoWallets.SIWERequired,
		Vertical:               "CONSUMER",
	}, nil
}
