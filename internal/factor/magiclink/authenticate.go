package magiclink

import (
	"context"

	"gatehouse/internal/emaillink"
	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/session"
	"gatehouse/internal/store"
)

// linkKinds are the links that sign in without a password. Whoever has a link
// that sets a new one may: the official reset page offers it beside the form.
var linkKinds = []emaillink.Kind{emaillink.MagicLink, emaillink.Unlock, emaillink.Login, emaillink.ResetPassword, emaillink.Embedded}

// prove finishes with a link.
func (s *Service) prove(ctx context.Context, tx *store.Tx, req *authenticateRequest, resp *authenticateResponse) (session.Proof, error) {
	link, proof, err := session.ProveLink(tx, project.CallerFrom(ctx).Env, &session.LinkUse{
		Token: req.Token, CodeVerifier: req.CodeVerifier, Matching: &req.Matching, Kinds: linkKinds, Unknown: errNotFound, Unable: errUnable,
	})
	if err == nil {
		resp.MethodID = link.MethodID
	}
	return proof, err
}

// Sandbox implements session.Sandboxed.
func (req *authenticateRequest) Sandbox() (*session.SandboxProof, error) {
	switch req.Token {
	case sandbox.MagicLink:
		return &session.SandboxProof{
			Factor: session.SandboxEmail("magic_link"),
			Fill:   func(resp any) { resp.(*authenticateResponse).MethodID = sandbox.EmailID },
		}, nil
	case sandbox.MagicLinkUsed:
		return nil, errUnable
	case sandbox.MagicLinkAbsent:
		return nil, errNotFound
	}
	return nil, nil
}
