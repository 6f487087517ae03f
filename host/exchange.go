package host

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// exchange is one request on its way through an API's chain.
type exchange struct {
	api   *api
	w     http.ResponseWriter
	r     *http.Request
	token string
	// session is the key's; later hooks are given it.
	session *session
	// call is what hooks are given, kept in step with what they change.
	call   driver.Call
	params url.Values // those of call
	body   *body      // nil when there is none, or no hook to look at it
}

func newExchange(a *api, w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{api: a, w: w, r: r}
	if len(a.bound) > 0 {
		scheme := "http"
		if r.TLS != nil {
			scheme = "https"
		}
		x.call.Request = driver.Request{
			Method: r.Method, URL: r.RequestURI, RequestURI: r.RequestURI, Scheme: scheme,
			Host: r.Host, Headers: driver.Multi(r.Header),
		}
		if !strings.HasPrefix(r.RequestURI, "/") { // as clients of a proxy write it
			x.call.Request.URL = r.URL.RequestURI()
		}
		if r.URL.RawQuery != "" {
			x.params = r.URL.Query()
			x.call.Request.Params = driver.Multi(x.params)
		}
		if r.Body != nil && r.Body != http.NoBody {
			x.body = &body{source: r.Body, limit: a.maxBody, keep: len(a.hooks[driver.Response]) > 0}
			r.Body = x.body
		}
	}
	return x
}

func (x *exchange) setBody(data []byte) {
	if x.body == nil {
		x.body = &body{source: http.NoBody, limit: x.api.maxBody}
	}
	x.body.replace(data)
	x.r.Body = x.body
	x.r.ContentLength = int64(len(data))
	x.r.TransferEncoding = nil
	if x.r.Header.Get("Content-Length") != "" {
		x.r.Header.Del("Content-Length") // the transport writes the right one
	}
}

// apply does to the request what a hook asks, in the contract's order; false
// when that has answered it.
func (x *exchange) apply(reply *driver.Reply) bool {
	for _, name := range reply.DeleteHeaders {
		x.r.Header.Del(name)
	}
	for _, h := range reply.SetHeaders {
		x.r.Header.Set(h.Name, h.Value)
	}
	if err := x.applyURL(reply); err != nil {
		x.api.log.Error("the hook set an invalid url", "error", urlFault(err))
		writeError(x.w, http.StatusInternalServerError, "Middleware error")
		return false
	}
	if reply.Method != "" {
		x.r.Method = reply.Method
		x.call.Request.Method = reply.Method
	}
	if reply.BodyReplaced {
		x.setBody(reply.Body)
	}
	return !x.override(&reply.Overrides)
}

// applyURL takes the parameters and the path of an edited url; the query stays
// the request's own.
func (x *exchange) applyURL(reply *driver.Reply) error {
	if len(reply.DeleteParams)+len(reply.AddParams) == 0 && reply.URL == "" {
		return nil
	}
	params := x.params
	if params == nil {
		params = url.Values{}
		x.params, x.call.Request.Params = params, driver.Multi(params)
	}
	for _, name := range reply.DeleteParams {
		params.Del(name)
	}
	for _, p := range reply.AddParams {
		params.Set(p.Name, p.Value)
	}
	if len(reply.DeleteParams)+len(reply.AddParams) > 0 {
		x.r.URL.RawQuery = params.Encode()
	}
	if reply.URL != "" {
		edited, err := url.ParseRequestURI(reply.URL)
		if err != nil {
			return err
		}
		x.r.URL.Path, x.r.URL.RawPath = edited.Path, edited.RawPath
	}
	x.call.Request.URL = x.r.URL.RequestURI()
	return nil
}

// override answers in the upstream's place when a hook said so.
func (x *exchange) override(o *driver.Overrides) bool {
	if o.ResponseCode <= 0 {
		return false
	}
	body := o.ResponseBody
	if o.ResponseError != "" {
		body = o.ResponseError
	}
	for _, h := range o.Headers {
		x.w.Header().Set(h.Name, h.Value)
	}
	if o.ResponseCode >= http.StatusBadRequest && !o.OverrideError {
		x.authFailed(x.token)
		if body == "" {
			body = "Key not authorised"
		}
		writeError(x.w, code(o.ResponseCode), body)
		return true
	}
	x.w.WriteHeader(code(o.ResponseCode))
	_, _ = io.WriteString(x.w, body)
	return true
}

// code keeps what no HTTP response can carry from stopping the server.
func code(status int) int {
	if status < 200 || status > 999 {
		return http.StatusInternalServerError
	}
	return status
}
