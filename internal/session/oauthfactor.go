package session

import (
	"slices"
	"strings"

	"gatehouse/internal/user"
)

// OAuthFactor names the account at an identity provider that was used.
type OAuthFactor struct {
	ID              string `json:"id" required:"true" description:"the oauth_user_registration_id"`
	ProviderSubject string `json:"provider_subject" required:"true"`
	EmailID         string `json:"email_id,omitempty" description:"the address of the account, where the provider says that it was verified"`
}

// oauthAccounts is an OAuthFactor under the name of its provider; at most one is
// set. The names with a gap are the contract's.
type oauthAccounts struct {
	AmazonOAuthFactor     *OAuthFactor `json:"amazon_oauth_factor,omitempty"`
	AppleOAuthFactor      *OAuthFactor `json:"apple_oauth_factor,omitempty"`
	BitbucketOAuthFactor  *OAuthFactor `json:"bitbucket_oauth_factor,omitempty"`
	CoinbaseOAuthFactor   *OAuthFactor `json:"coinbase_oauth_factor,omitempty"`
	DiscordOAuthFactor    *OAuthFactor `json:"discord_oauth_factor,omitempty"`
	FacebookOAuthFactor   *OAuthFactor `json:"facebook_oauth_factor,omitempty"`
	FigmaOAuthFactor      *OAuthFactor `json:"figma_oauth_factor,omitempty"`
	GitHubOAuthFactor     *OAuthFactor `json:"github_oauth_factor,omitempty"`
	GitLabOAuthFactor     *OAuthFactor `json:"git_lab_oauth_factor,omitempty"`
	GoogleOAuthFactor     *OAuthFactor `json:"google_oauth_factor,omitempty"`
	LinkedInOAuthFactor   *OAuthFactor `json:"linked_in_oauth_factor,omitempty"`
	MicrosoftOAuthFactor  *OAuthFactor `json:"microsoft_oauth_factor,omitempty"`
	SalesforceOAuthFactor *OAuthFactor `json:"salesforce_oauth_factor,omitempty"`
	SlackOAuthFactor      *OAuthFactor `json:"slack_oauth_factor,omitempty"`
	SnapchatOAuthFactor   *OAuthFactor `json:"snapchat_oauth_factor,omitempty"`
	TikTokOAuthFactor     *OAuthFactor `json:"tik_tok_oauth_factor,omitempty"`
	TwitchOAuthFactor     *OAuthFactor `json:"twitch_oauth_factor,omitempty"`
	TwitterOAuthFactor    *OAuthFactor `json:"twitter_oauth_factor,omitempty"`
	YahooOAuthFactor      *OAuthFactor `json:"yahoo_oauth_factor,omitempty"`
	// OpenIDOAuthFactor is of a provider that an environment knows by its issuer.
	OpenIDOAuthFactor *OAuthFactor `json:"openid_oauth_factor,omitempty"`
}

const oauthDelivery = "oauth_"

// OAuth is the factor of an account at a provider, "google" for example.
func OAuth(provider string, account OAuthFactor) Factor {
	f := Factor{Type: "oauth", DeliveryMethod: oauthDelivery + provider}
	*f.account(provider) = &account
	return f
}

// oauth is the account that the factor names, nil where it names none.
func (f *Factor) oauth() *OAuthFactor {
	if f.Type != "oauth" {
		return nil
	}
	return *f.account(strings.TrimPrefix(f.DeliveryMethod, oauthDelivery))
}

// account is where a provider's account stands.
func (a *oauthAccounts) account(provider string) **OAuthFactor {
	switch provider {
	case "amazon":
		return &a.AmazonOAuthFactor
	case "apple":
		return &a.AppleOAuthFactor
	case "bitbucket":
		return &a.BitbucketOAuthFactor
	case "coinbase":
		return &a.CoinbaseOAuthFactor
	case "discord":
		return &a.DiscordOAuthFactor
	case "facebook":
		return &a.FacebookOAuthFactor
	case "figma":
		return &a.FigmaOAuthFactor
	case "github":
		return &a.GitHubOAuthFactor
	case "gitlab":
		return &a.GitLabOAuthFactor
	case "google":
		return &a.GoogleOAuthFactor
	case "linkedin":
		return &a.LinkedInOAuthFactor
	case "microsoft":
		return &a.MicrosoftOAuthFactor
	case "salesforce":
		return &a.SalesforceOAuthFactor
	case "slack":
		return &a.SlackOAuthFactor
	case "snapchat":
		return &a.SnapchatOAuthFactor
	case "tiktok":
		return &a.TikTokOAuthFactor
	case "twitch":
		return &a.TwitchOAuthFactor
	case "twitter":
		return &a.TwitterOAuthFactor
	case "yahoo":
		return &a.YahooOAuthFactor
	default:
		return &a.OpenIDOAuthFactor
	}
}

func holdsAccount(u *user.User, registrationID string) bool {
	return slices.ContainsFunc(u.Providers, func(p user.OAuthProvider) bool { return p.OAuthUserRegistrationID == registrationID })
}
