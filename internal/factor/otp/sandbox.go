package otp

import (
	"strings"

	"gatehouse/internal/delivery"
	"gatehouse/internal/sandbox"
	"gatehouse/internal/session"
)

// sentInSandbox answers a send to the sandbox's address or number.
func sentInSandbox(via delivery.Channel) *sent {
	if via == delivery.Email {
		return &sent{userID: sandbox.UserID, methodID: sandbox.EmailID}
	}
	return &sent{userID: sandbox.UserID, methodID: sandbox.PhoneID}
}

// Sandbox implements session.Sandboxed: the virtual user types the one code
// that is right there.
func (req *authenticateRequest) Sandbox() (*session.SandboxProof, error) {
	p := &session.SandboxProof{Fill: func(resp any) { resp.(*authenticateResponse).MethodID = req.MethodID }}
	switch req.MethodID {
	case sandbox.EmailID:
		p.Factor = session.SandboxEmail("otp")
	case sandbox.PhoneID:
		p.Factor = session.Factor{
			Type: "otp", DeliveryMethod: string(delivery.SMS),
			PhoneNumberFactor: &session.PhoneNumberFactor{PhoneID: sandbox.PhoneID, PhoneNumber: sandbox.Phone},
		}
	default:
		return nil, nil
	}
	if strings.TrimSpace(req.Code) != sandbox.Passcode {
		return nil, errNotFound
	}
	return p, nil
}
