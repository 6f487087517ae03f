package host

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// authenticate finds the session of the request's key, or answers.
func (x *exchange) authenticate() bool {
	switch {
	case x.api.UseKeyless:
		return true
	case x.api.customAuth():
		return x.checkByHook()
	}
	return x.checkToken()
}

// checkToken is the gateway's own authentication: the token is a known key.
func (x *exchange) checkToken() bool {
	token := x.r.Header.Get(x.api.authHeader())
	if token == "" {
		x.deny(http.StatusUnauthorized, "Authorization field missing", token)
		return false
	}
	token = strings.TrimPrefix(token, "Bearer ")
	session, found, err := x.api.sessions.get(x.r.Context(), token)
	if err != nil {
		return x.storeFailed(err)
	}
	if !found {
		x.deny(http.StatusForbidden, "Access to this API has been disallowed", token)
		return false
	}
	return x.accept(token, session)
}

// checkByHook is custom authentication: the hook makes the session.
func (x *exchange) checkByHook() bool {
	h := x.api.hooks[driver.CustomKeyCheck][0]
	extracted, session, answered := x.api.extractor.check(x)
	if answered {
		return false
	}
	if session != nil {
		return x.accept(extracted, session)
	}
	given := x.r.Header.Get(x.api.authHeader())
	x.token = given // what AuthFailure names when the hook denies
	reply, ok := x.dispatch(driver.CustomKeyCheck, h)
	if !ok || !x.apply(reply) {
		return false
	}
	if reply.Session == nil || reply.Session.Metadata["token"] == "" {
		x.deny(http.StatusForbidden, http.StatusText(http.StatusForbidden), given)
		return false
	}
	token := extracted
	if token == "" {
		token = reply.Session.Metadata["token"]
	}
	return x.keep(token, reply.Session)
}

// keep stores the session that a hook made, with what runs kept from the one
// before, and goes on with it.
func (x *exchange) keep(token string, session *driver.Session) bool {
	before, found, err := x.api.sessions.get(x.r.Context(), token)
	if err != nil {
		return x.storeFailed(err)
	}
	session.OrgID, session.KeyID = x.api.OrgID, token
	if err := x.api.policies.apply(session); err != nil {
		x.api.log.Error("a session's policy does not apply", "error", err)
		x.deny(http.StatusForbidden, http.StatusText(http.StatusForbidden), token)
		return false
	}
	if found {
		session.QuotaRenews, session.QuotaRemaining = before.QuotaRenews, before.QuotaRemaining
	} else {
		session.QuotaRemaining = session.QuotaMax
	}
	if !found || !same(before, session) {
		if err := x.api.sessions.put(x.r.Context(), token, session, x.api.SessionLifetime); err != nil {
			return x.storeFailed(err)
		}
	}
	return x.accept(token, session)
}

func same(a, b *driver.Session) bool {
	first, err1 := json.Marshal(a)
	second, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(first, second)
}

// accept goes on with a session; later hooks are given it.
func (x *exchange) accept(token string, session *driver.Session) bool {
	x.token, x.session, x.call.Session = token, session, session
	return true
}

// storeFailed answers when nobody can say whether the key is good.
func (x *exchange) storeFailed(err error) bool {
	x.api.log.Error("the store failed, the request is denied", "error", err)
	writeError(x.w, http.StatusInternalServerError, "There was a problem proxying the request")
	return false
}

// deny answers a failed authentication and tells of it.
func (x *exchange) deny(status int, message, token string) {
	x.authFailed(token)
	writeError(x.w, status, message)
}

// authFailed fires AuthFailure.
func (x *exchange) authFailed(token string) { x.fire("AuthFailure", "Auth Failure", token) }

// fire fires an event about this request.
func (x *exchange) fire(name, message, token string) {
	x.api.events.fire(x.api.APIID, name, map[string]any{
		"Message": message, "OriginatingRequest": x.onTheWire(),
		"Path": x.r.URL.Path, "Origin": x.origin(), "Key": token,
	})
}

func (x *exchange) origin() string {
	host, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		return x.r.RemoteAddr
	}
	return host
}

// onTheWire is the request in base64, without a body that is still to be streamed.
func (x *exchange) onTheWire() string {
	dump, err := httputil.DumpRequest(x.r, false)
	if err != nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(append(dump, x.call.Request.Body...))
}
