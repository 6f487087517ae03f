package host

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// exchange is a request on its way through an API's chain.
type exchange struct {
	api   *api
	w     http.ResponseWriter
	r     *http.Request
	head  bool // the client asks for a head, whatever hooks ask the upstream for
	token string
	// session is that of the key; later hooks receive it.
	session *session
	// call is the input of hooks, updated with their changes.
	call    driver.Call
	params  url.Values  // the parameters in call
	client  *clientBody // what the client sends; nil if there is no body
	body    *body       // nil if there is none, or the API has no hooks
	content *body       // that of the response, if response hooks run
	// streams is set if the client's body is read while the response is written.
	streams bool
	cancel  context.CancelFunc // cancels the request to the upstream
	// hop are the headers that the client names in Connection: they are not forwarded.
	hop []string
}

// newExchange returns the exchange of a request, or an error if the request is invalid.
func newExchange(a *api, w http.ResponseWriter, r *http.Request) (*exchange, error) {
	// Hooks change a copy: the server frames the response by the method of its own request.
	x := &exchange{api: a, w: w, r: r.WithContext(r.Context()), head: r.Method == http.MethodHead, hop: hopHeaders(r.Header)}
	x.client, _ = r.Body.(*clientBody)
	if len(a.bound) == 0 {
		return x, nil
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if r.URL.RawQuery != "" {
		var err error
		if x.params, err = normaliseQuery(r.URL); err != nil {
			return nil, err
		}
		x.call.Request.Params = driver.Multi(x.params)
	}
	x.call.Request.Method, x.call.Request.URL = r.Method, r.URL.RequestURI()
	x.call.Request.RequestURI, x.call.Request.Scheme = r.RequestURI, scheme
	x.call.Request.Host, x.call.Request.Headers = r.Host, driver.Multi(r.Header)
	if x.client != nil {
		x.body = newBody(r.Context(), x.client, a.maxBody, a.bodies)
		x.body.keep = len(a.hooks[driver.Response]) > 0
		x.r.Body = x.body
	}
	return x, nil
}

func (x *exchange) setBody(data []byte) error {
	if x.body == nil {
		x.body = newBody(x.r.Context(), http.NoBody, x.api.maxBody, x.api.bodies)
	}
	if err := x.body.replace(data); err != nil {
		return err
	}
	x.r.Body = x.body
	x.r.ContentLength = int64(len(data))
	x.r.TransferEncoding = nil
	if x.r.Header.Get("Content-Length") != "" {
		x.r.Header.Del("Content-Length") // the transport writes the right one
	}
	return nil
}

// release frees the memory of the exchange's bodies.
func (x *exchange) release() {
	x.body.release()
	x.content.release()
}

// apply applies the changes of a hook to the request (contract 6). It returns false if
// that has ended the request.
func (x *exchange) apply(h namedHook, reply *driver.Reply) bool {
	for _, name := range reply.DeleteHeaders {
		x.r.Header.Del(name)
	}
	for _, h := range reply.SetHeaders {
		x.r.Header.Set(h.Name, h.Value)
		x.exemptHopHeader(h.Name)
	}
	if err := x.applyURL(reply); err != nil {
		x.api.log.Error("hook set an invalid URL", "hook", h.name, "error", urlFault(err))
		writeError(x.w, http.StatusInternalServerError, "Middleware error")
		return false
	}
	if reply.Method != "" {
		x.r.Method = reply.Method
		x.call.Request.Method = reply.Method
	}
	if reply.BodyReplaced {
		if err := x.setBody(reply.Body); err != nil {
			return x.busy(err)
		}
	}
	return !x.override(&reply.Overrides)
}

// busy rejects a request for whose body no memory is available.
func (x *exchange) busy(err error) bool {
	x.api.log.Warn("request refused", "error", err)
	writeError(x.w, http.StatusServiceUnavailable, "Service Unavailable")
	return false
}

// applyURL applies the parameters and the path of a changed url. The query remains that of
// the request (contract 6).
func (x *exchange) applyURL(reply *driver.Reply) error {
	edited := x.editParams(reply)
	if reply.URL != "" {
		if _, err := url.ParseRequestURI(reply.URL); err != nil {
			return err
		}
		path, err := normalPath(rawPath(reply.URL))
		if err != nil {
			return err
		}
		setPath(x.r.URL, path)
	} else if !edited {
		return nil
	}
	x.call.Request.URL = x.r.URL.RequestURI()
	return nil
}

// editParams applies changes of parameters and reports whether the query has changed.
func (x *exchange) editParams(reply *driver.Reply) bool {
	edited := len(reply.AddParams) > 0
	for _, name := range reply.DeleteParams {
		edited = edited || x.params.Has(name)
		x.params.Del(name)
	}
	if !edited {
		return false
	}
	if x.params == nil {
		x.params = url.Values{}
		x.call.Request.Params = driver.Multi(x.params)
	}
	for _, p := range reply.AddParams {
		x.params.Set(p.Name, p.Value)
	}
	x.r.URL.RawQuery = x.params.Encode()
	return true
}

// override writes the response that a hook has set, if any, and reports whether it did.
func (x *exchange) override(o *driver.Overrides) bool {
	if o.ResponseCode <= 0 {
		return false
	}
	body := o.ResponseBody
	if o.ResponseError != "" {
		body = o.ResponseError
	}
	if len(body) > firstBuffer { // reserved until the client has read it
		x.content = newBody(x.r.Context(), http.NoBody, x.api.maxBody, x.api.bodies)
		if err := x.content.share.acquire(x.r.Context(), int64(len(body))); err != nil {
			x.busy(err)
			return true
		}
	}
	for _, h := range o.Headers {
		x.w.Header().Set(h.Name, h.Value)
	}
	removeFraming(x.w.Header())
	if o.ResponseCode >= http.StatusBadRequest && !o.OverrideError {
		x.authFailed(x.token)
		if body == "" {
			body = "Key not authorised"
		}
		writeError(x.w, validStatus(o.ResponseCode), body)
		return true
	}
	x.w.WriteHeader(validStatus(o.ResponseCode))
	_, _ = io.WriteString(x.w, body)
	return true
}

// validStatus replaces a status that is not valid in a response, on which the server
// would panic.
func validStatus(status int) int {
	if status < 200 || status > 999 {
		return http.StatusInternalServerError
	}
	return status
}
