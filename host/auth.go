package host

import (
	"bytes"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httputil"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// authenticate sets the session of the request's key, or rejects the request.
func (x *exchange) authenticate() bool {
	switch {
	case x.api.UseKeyless:
		return true
	case x.api.customAuth():
		return x.checkByHook()
	}
	return x.checkToken()
}

// checkToken is the gateway's own authentication: the token must be a stored key.
func (x *exchange) checkToken() bool {
	token := x.api.keySource().token(x.r)
	if token == "" {
		x.deny(http.StatusUnauthorized, "Authorization field missing", token)
		return false
	}
	token = stripBearer(token)
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

// checkByHook is custom authentication: the hook creates the session.
func (x *exchange) checkByHook() bool {
	h := x.api.hooks[driver.CustomKeyCheck][0]
	extracted, known, answered := x.api.extractor.check(x)
	if answered {
		return false
	}
	if known != nil {
		return x.accept(extracted, known)
	}
	given := x.api.keySource().token(x.r)
	x.token = given // for AuthFailure if the hook rejects the request
	revision, err := x.api.sessions.store.Revision(x.r.Context())
	if err != nil {
		return x.storeFailed(err)
	}
	reply, ok := x.dispatch(driver.CustomKeyCheck, h)
	if !ok || !x.apply(h, reply) {
		return false
	}
	if reply.Session == nil || reply.Session.Metadata["token"] == "" {
		return x.forbid(given)
	}
	token := extracted
	if token == "" {
		token = reply.Session.Metadata["token"]
	}
	return x.storeSession(token, newSession(reply.Session), revision)
}

// storeSession stores a session that a hook created, and accepts it. If the keys API has
// changed or deleted the key while the hook ran, that change wins.
func (x *exchange) storeSession(token string, session *session, revision int64) bool {
	session.OrgID, session.KeyID = x.api.OrgID, token
	if err := session.check(); err != nil {
		x.api.log.Error("session from hook refused", "key", keyName(token), "error", err)
		return x.forbid(token)
	}
	if len(token) > maxToken {
		x.api.log.Error("session from hook refused: token too long", "bytes", len(token))
		return x.forbid("")
	}
	before, found, err := x.api.sessions.store.Get(x.r.Context(), sessionKey(token))
	if err != nil {
		return x.storeFailed(err)
	}
	if found {
		if err := session.inheritRestrictions(before); err != nil {
			return x.storeFailed(err)
		}
	}
	data, err := session.encode()
	if err != nil {
		return x.storeFailed(err)
	}
	if !x.accept(token, session) {
		return false
	}
	if found && bytes.Equal(data, before) {
		return true
	}
	lifetime := session.lifetime(x.api.SessionLifetime)
	stored, err := x.api.sessions.store.PutSession(x.r.Context(), sessionKey(token), data, lifetime, revision)
	switch {
	case err != nil:
		return x.storeFailed(err)
	case stored:
		return true
	}
	changed, found, err := x.api.sessions.get(x.r.Context(), token)
	switch {
	case err != nil:
		return x.storeFailed(err)
	case !found:
		return x.forbid(token)
	}
	return x.accept(token, changed)
}

// accept applies the session's policies and makes it the session of the request; later
// hooks receive it.
func (x *exchange) accept(token string, session *session) bool {
	if err := x.api.policies.apply(session, x.api.OrgID); err != nil {
		x.api.log.Error("session refused", "key", keyName(token), "error", err)
		return x.forbid(token)
	}
	if len(x.api.hooks[driver.PostKeyAuth]) > 0 { // these hooks run before the request is counted
		if err := x.api.sessions.readQuota(x.r.Context(), token, session, session.allowance(x.api.APIID)); err != nil {
			return x.storeFailed(err)
		}
	}
	x.token, x.session, x.call.Session = token, session, &session.Session
	return true
}

// storeFailed rejects the request when the store failed and the key cannot be checked.
func (x *exchange) storeFailed(err error) bool {
	x.api.log.Error("store failed; request denied", "error", err)
	writeError(x.w, http.StatusInternalServerError, "There was a problem proxying the request")
	return false
}

// forbid rejects the request with 403 and no reason.
func (x *exchange) forbid(token string) bool {
	x.deny(http.StatusForbidden, http.StatusText(http.StatusForbidden), token)
	return false
}

// deny rejects the request and fires AuthFailure.
func (x *exchange) deny(status int, message, token string) {
	x.authFailed(token)
	writeError(x.w, status, message)
}

// authFailed fires AuthFailure.
func (x *exchange) authFailed(token string) { x.fire("AuthFailure", "Auth Failure", token) }

// fire fires an event about this request.
func (x *exchange) fire(name, message, token string) {
	size := base64.StdEncoding.EncodedLen(len(x.call.Request.Body))
	x.api.events.fireFunc(x.api.APIID, name, size, func() map[string]any {
		return map[string]any{
			"Message": message, "OriginatingRequest": x.dump(x.api.events.maxEventBytes),
			"Path": x.r.URL.Path, "Origin": x.origin(), "Key": token,
		}
	})
}

func (x *exchange) origin() string {
	host, _, err := net.SplitHostPort(x.r.RemoteAddr)
	if err != nil {
		return x.r.RemoteAddr
	}
	return host
}

// dump returns the request in base64. It omits a body that has not been read, or that
// would exceed the limit.
func (x *exchange) dump(limit int64) string {
	dump, err := httputil.DumpRequest(x.r, false)
	if err != nil {
		return ""
	}
	if body := x.call.Request.Body; int64(base64.StdEncoding.EncodedLen(len(dump)+len(body))) <= limit {
		dump = append(dump, body...)
	}
	return base64.StdEncoding.EncodeToString(dump)
}
