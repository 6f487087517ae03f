package host

import (
	"cmp"
	"net/http"
	"strings"
)

// AuthSource tells where in a request the key is, in Tyk's format.
type AuthSource struct {
	HeaderName    string `json:"auth_header_name"`
	DisableHeader bool   `json:"disable_header"`
	UseParam      bool   `json:"use_param"`
	ParamName     string `json:"param_name"`
	UseCookie     bool   `json:"use_cookie"`
	CookieName    string `json:"cookie_name"`

	// These restrict access and are not implemented (restrictions.go).
	UseCertificate    bool `json:"use_certificate"`
	ValidateSignature bool `json:"validate_signature"`
}

// keySource returns where requests to the API carry their key.
func (d *Definition) keySource() *AuthSource {
	kind := "authToken"
	if d.customAuth() {
		kind = "coprocess"
	}
	if source, named := d.AuthConfigs[kind]; named {
		return &source
	}
	return &d.Auth
}

func (s *AuthSource) headerName() string { return cmp.Or(s.HeaderName, "Authorization") }

// token returns the request's key as received. A non-empty parameter takes precedence
// over the header, and a cookie over both.
func (s *AuthSource) token(r *http.Request) string {
	name, token := s.headerName(), ""
	if !s.DisableHeader {
		token = r.Header.Get(name)
	}
	if s.UseParam {
		if value := r.URL.Query().Get(cmp.Or(s.ParamName, name)); value != "" {
			token = value
		}
	}
	if s.UseCookie {
		if cookie, err := r.Cookie(cmp.Or(s.CookieName, name)); err == nil && cookie.Value != "" {
			token = cookie.Value
		}
	}
	return token
}

// stripBearer removes the scheme "Bearer", in any case, from a token.
func stripBearer(token string) string {
	const scheme = "Bearer "
	if len(token) >= len(scheme) && strings.EqualFold(token[:len(scheme)], scheme) {
		return token[len(scheme):]
	}
	return token
}
