package host

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// errHookFailed means that a response hook failed. The reason has been logged.
var errHookFailed = errors.New("a response hook failed")

// errNoStatus: the status of the upstream is not one of HTTP.
var errNoStatus = errors.New("its status code is not one of HTTP")

// modifyResponse runs the response hooks. The body is streamed unless a hook reads it.
func (x *exchange) modifyResponse(response *http.Response) error {
	if response.StatusCode == http.StatusSwitchingProtocols {
		return nil // what follows is not HTTP
	}
	if response.StatusCode < 200 || response.StatusCode > 999 {
		return errNoStatus
	}
	if x.r.Method == http.MethodHead && !x.head {
		// A hook changed the method to HEAD: the upstream's framing does not apply to
		// this response.
		removeFraming(response.Header)
		response.ContentLength = 0
	}
	if response.Body != http.NoBody {
		response.Body = &upstreamBody{ReadCloser: response.Body, timeout: x.api.timeouts.write, cancel: x.cancel}
	}
	if hooks := x.api.hooks[driver.Response]; len(hooks) > 0 {
		if err := x.runResponseHooks(hooks, response); err != nil {
			return err
		}
	}
	if x.streams && !x.client.hasEnded() {
		// The rest of the body must not be taken for the next request.
		response.Header.Set("Connection", "close")
	}
	if len(response.Header["Content-Type"]) == 0 {
		x.w.Header()["Content-Type"] = nil // the server must not guess one
	}
	return nil
}

func (x *exchange) runResponseHooks(hooks []namedHook, response *http.Response) error {
	content := newBody(x.r.Context(), response.Body, x.api.maxBody, x.api.bodies)
	x.content = content
	length := response.Header["Content-Length"]
	for _, h := range hooks {
		if err := x.respondTo(h, response, content); err != nil {
			x.api.logFailure(x.r.Context(), driver.Response, h.name, err)
			if errors.Is(err, errUpstreamSlow) || errors.Is(err, errBusy) {
				return err
			}
			return errHookFailed
		}
	}
	removeFraming(response.Header) // even if hooks have set them
	switch {
	case !bodyAllowed(response.StatusCode):
		_ = content.replace(nil)
		response.ContentLength = 0
	case content.replaced && x.head:
		_ = content.replace(nil) // the length of the body is unknown
	case content.replaced:
		response.ContentLength = int64(len(content.data))
		response.Header["Content-Length"] = []string{strconv.Itoa(len(content.data))}
	case length != nil:
		response.Header["Content-Length"] = length
	}
	response.Status, response.Body = "", content
	return nil
}

// bodyAllowed reports whether a response with that status may have a body.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

func (x *exchange) respondTo(h namedHook, response *http.Response, content *body) error {
	x.call.Request.Body, x.call.Request.ReadBody = x.body.forHook() // no prefetch: the client may wait for the response
	x.call.Response = &driver.UpstreamResponse{StatusCode: response.StatusCode, Headers: response.Header}
	x.call.Response.Body, x.call.Response.ReadBody = content.prefetch(h).forHook()
	reply, err := h.Dispatch(x.r.Context(), &x.call)
	if err != nil {
		return err
	}
	response.StatusCode = validStatus(reply.Response.StatusCode)
	response.Header = http.Header{}
	for name, values := range reply.Response.Headers {
		for _, value := range values {
			response.Header.Add(name, value)
		}
	}
	if reply.Response.BodyReplaced {
		return content.replace(reply.Response.Body)
	}
	return nil
}

// upstreamError writes the response when the upstream or a response hook failed.
func (x *exchange) upstreamError(w http.ResponseWriter, _ *http.Request, err error) {
	var timeout net.Error
	log := x.api.log.With("target", x.api.target, "error", err)
	slow := x.streams && x.client.isSlow()
	if x.streams && !x.client.hasEnded() {
		w.Header().Set("Connection", "close")
	}
	switch {
	case errors.Is(err, errBusy):
		writeError(w, http.StatusServiceUnavailable, "Service Unavailable")
	case errors.Is(err, errHookFailed):
		writeError(w, http.StatusInternalServerError, "Middleware error")
	case slow:
		writeError(w, http.StatusRequestTimeout, "Request Timeout")
	case errors.Is(err, context.Canceled):
		panic(http.ErrAbortHandler) // the client has closed the connection
	case errors.As(err, &timeout) && timeout.Timeout():
		log.Warn("upstream timed out")
		writeError(w, http.StatusGatewayTimeout, "Upstream service reached hard timeout.")
	default:
		log.Warn("upstream request failed")
		writeError(w, http.StatusBadGateway, "There was a problem proxying the request")
	}
}

// upstreamBody is the body of a response. It cancels the request when a read exceeds the
// timeout.
type upstreamBody struct {
	io.ReadCloser
	timeout time.Duration
	cancel  context.CancelFunc
	timer   *time.Timer
	slow    atomic.Bool
}

func (b *upstreamBody) Read(p []byte) (int, error) {
	if b.timer == nil {
		b.timer = time.AfterFunc(b.timeout, func() {
			b.slow.Store(true)
			b.cancel()
		})
	} else {
		b.timer.Reset(b.timeout)
	}
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && b.slow.Load() {
		err = errUpstreamSlow
	}
	return n, err
}
