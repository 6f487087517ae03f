package driver

// Session is the session of a key: all fields of the coprocess SessionState.
type Session struct {
	LastCheck               int64                       `json:"last_check"`
	Allowance               float64                     `json:"allowance"`
	Rate                    float64                     `json:"rate"`
	Per                     float64                     `json:"per"`
	Expires                 int64                       `json:"expires"`
	QuotaMax                int64                       `json:"quota_max"`
	QuotaRenews             int64                       `json:"quota_renews"`
	QuotaRemaining          int64                       `json:"quota_remaining"`
	QuotaRenewalRate        int64                       `json:"quota_renewal_rate"`
	AccessRights            map[string]AccessDefinition `json:"access_rights,omitempty"`
	OrgID                   string                      `json:"org_id"`
	OAuthClientID           string                      `json:"oauth_client_id"`
	OAuthKeys               map[string]string           `json:"oauth_keys,omitempty"`
	BasicAuthData           *BasicAuthData              `json:"basic_auth_data,omitempty"`
	JWTData                 *JWTData                    `json:"jwt_data,omitempty"`
	HMACEnabled             bool                        `json:"hmac_enabled"`
	HMACSecret              string                      `json:"hmac_string"`
	IsInactive              bool                        `json:"is_inactive"`
	ApplyPolicyID           string                      `json:"apply_policy_id"`
	DataExpires             int64                       `json:"data_expires"`
	Monitor                 *Monitor                    `json:"monitor,omitempty"`
	EnableDetailedRecording bool                        `json:"enable_detailed_recording"`
	Metadata                map[string]string           `json:"meta_data,omitempty"`
	Tags                    []string                    `json:"tags,omitempty"`
	Alias                   string                      `json:"alias"`
	LastUpdated             string                      `json:"last_updated"`
	IDExtractorDeadline     int64                       `json:"id_extractor_deadline"`
	SessionLifetime         int64                       `json:"session_lifetime"`
	ApplyPolicies           []string                    `json:"apply_policies,omitempty"`
	Certificate             string                      `json:"certificate"`
	MaxQueryDepth           int64                       `json:"max_query_depth"`
	KeyID                   string                      `json:"key_id"`
	PostExpiryAction        string                      `json:"post_expiry_action"`
	PostExpiryGracePeriod   int64                       `json:"post_expiry_grace_period"`

	// Unknown holds encoded fields that this version does not know, so that hooks and
	// the store preserve them.
	Unknown []byte `json:"unknown_fields,omitempty"`
}

// AccessDefinition describes a key's access to one API.
type AccessDefinition struct {
	APIName     string       `json:"api_name"`
	APIID       string       `json:"api_id"`
	Versions    []string     `json:"versions"`
	AllowedURLs []AccessSpec `json:"allowed_urls"`
	Unknown     []byte       `json:"unknown_fields,omitempty"` // as in Session
}

// AccessSpec is a URL and the methods allowed for it.
type AccessSpec struct {
	URL     string   `json:"url"`
	Methods []string `json:"methods"`
}

// BasicAuthData is a key's password.
type BasicAuthData struct {
	Password string `json:"password"`
	Hash     string `json:"hash_type"`
}

// JWTData is a key's JWT secret.
type JWTData struct {
	Secret string `json:"secret"`
}

// Monitor holds the trigger limits of a key, in percent of its quota.
type Monitor struct {
	TriggerLimits []float64 `json:"trigger_limits"`
}
