package totp

import (
	"gatehouse/internal/project"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/session"
	"gatehouse/internal/user"
)

func inSandbox(caller *project.Caller, userID string) bool {
	return caller.MaySandbox() && userID == sandbox.UserID
}

// createInSandbox answers for the virtual user, whose authenticator app is
// always there.
func createInSandbox(caller *project.Caller) (*createResponse, error) {
	row, err := user.Sandbox()
	if err != nil {
		return nil, err
	}
	code, err := qrCode(keyURI(caller.Env.ProjectName, sandbox.Email, sandbox.TOTPSecret))
	return &createResponse{
		TOTPID: sandbox.TOTPID, Secret: sandbox.TOTPSecret, QRCode: code, RecoveryCodes: []string{sandbox.RecoveryCode}, User: row.JSON, UserID: row.UserID,
	}, err
}

// Sandbox implements session.Sandboxed: the virtual user's app shows the one
// code that is right there.
func (req *authenticateRequest) Sandbox() (*session.SandboxProof, error) {
	if req.UserID != sandbox.UserID {
		return nil, nil
	}
	code, err := parseCode(req.Code)
	if err != nil {
		return nil, err
	}
	if code != sandbox.Passcode {
		return nil, errUnable
	}
	return &session.SandboxProof{
		Factor: session.Factor{
			Type: "totp", DeliveryMethod: "authenticator_app",
			AuthenticatorAppFactor: &session.AuthenticatorAppFactor{TOTPID: sandbox.TOTPID},
		},
		Fill: func(resp any) { resp.(*authenticateResponse).TOTPID = sandbox.TOTPID },
	}, nil
}

// Sandbox implements session.Sandboxed: no recovery code is ever used up there.
func (req *recoverRequest) Sandbox() (*session.SandboxProof, error) {
	if req.UserID != sandbox.UserID {
		return nil, nil
	}
	code, err := parseRecoveryCode(req.Code)
	if err != nil {
		return nil, err
	}
	if code != sandbox.RecoveryCode {
		return nil, errUnableRecovery
	}
	return &session.SandboxProof{
		Factor: session.Factor{
			Type: "recovery_codes", DeliveryMethod: "recovery_code",
			RecoveryCodeFactor: &session.RecoveryCodeFactor{RecoveryCodeID: sandbox.RecoveryCodeID},
		},
		Fill: func(resp any) { resp.(*recoverResponse).TOTPID = sandbox.TOTPID },
	}, nil
}
