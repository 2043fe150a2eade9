// Package sandbox owns the fixed values that make an integration testable
// without an inbox: addresses nothing is sent to, tokens and codes with a known
// outcome, and the ids of the one virtual user behind them. They are those of
// the reference (platform.md, section 11.3), so that suites written for it
// pass. They mean something in test environments and behind the secret key
// only, and it never stores anything.
package sandbox

import "time"

// Where nothing is sent.
const (
	Email = "sandbox@stytch.com"
	Phone = "+10000000000"
)

// The virtual user, who is never stored.
const (
	UserID    = "user-test-e3795c81-f849-4167-bfda-e4a6e9c280fd"
	EmailID   = "email-test-23873e89-d4ed-4e92-b3b9-e5c7198fa286"
	PhoneID   = "phone-number-test-98cfbe19-6c8f-4b8b-b62a-e78a5a7bdff3"
	SessionID = "session-test-eb94233f-8800-4ebd-8645-51dc15f9d028"
	WalletID  = "crypto-wallet-test-8d2f7a0c-3b51-4a44-9e0c-5f6b1c7d9e20"
	TOTPID    = "totp-test-41920359-8bbb-4fe8-8fa3-aaa83f35f02c"
)

// Tokens of magic links.
const (
	MagicLink       = "DOYoip3rvIMMW5lgItikFK-Ak1CfMsgjuiCyI7uuU94=" // signs the virtual user in
	MagicLinkUsed   = "3pzjQpgksDlGKWEwUq2Up--hCHC_0oamfLHyfspKDFU=" // used or expired
	MagicLinkAbsent = "CprTtwhnRNiMBiUS2jSLcWYrfuO2POeBNdo5HhW6qTM=" // unknown
)

// Tokens of sign-ins with providers.
const (
	OAuth       = "hdPVZHHX0UoRa7hJTuuPHi1vlddffSnoweRbVFf5-H8g" // signs the virtual user in
	OAuthAbsent = "59cnLELtq5cFVS6uYK9f-pAWzBkhqZl8AvLhbhOvKNWw" // unknown
)

// What else belongs to the account of the virtual user at a provider.
const (
	OAuthID      = "oauth-user-test-8d8d2c5e-6a35-4a7b-8f6d-6c8c9a2b1e54"
	OAuthSubject = "10769150350006150715113082367"
)

// Passcode is the code that the virtual user types, from a message or from an
// authenticator app.
const Passcode = "000000"

// What else belongs to the authenticator app of the virtual user.
const (
	TOTPSecret     = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // of RFC 6238's examples
	RecoveryCode   = "a1b2-c3d4-e5f6"
	RecoveryCodeID = "totp-recovery-code-test-7d7ab6d5-0a75-4d0f-b6a9-53f0f0a5cf1d"
)

// What else belongs to the wallet of the virtual user. Its signature is cut off
// and no key made it.
const (
	WalletAddress   = "0x6df2dB4Fb3DA35d241901Bd53367770BF03123f1"
	WalletSignature = "0x0c4f82edc3c818b6beff4b89e0682994e5878074609903cecdfb"
)

// SessionToken is the token of the virtual user's session.
const SessionToken = "WJtR5BCy38Szd5AfoDpf0iqFKEt4EE5JhjlWUY7l3FtY"

// SessionStart is when the virtual user's session began.
var SessionStart = time.Date(2021, 8, 28, 0, 41, 58, 935673000, time.UTC)
