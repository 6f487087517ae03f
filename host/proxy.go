package host

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// transport serves all APIs: its connections to upstreams are kept and shared.
var transport = &http.Transport{
	Proxy:                 http.ProxyFromEnvironment,
	ForceAttemptHTTP2:     true,
	MaxIdleConnsPerHost:   512,
	IdleConnTimeout:       90 * time.Second,
	TLSHandshakeTimeout:   10 * time.Second,
	ExpectContinueTimeout: time.Second,
}

// proxy sends an API's requests upstream.
type proxy struct {
	api   *api
	plain httputil.ReverseProxy
}

func newProxy(a *api) *proxy {
	p := &proxy{api: a}
	p.plain = httputil.ReverseProxy{
		Rewrite:      p.rewrite,
		Transport:    transport,
		BufferPool:   copyBuffers,
		ErrorHandler: p.failed,
		ErrorLog:     slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	return p
}

// serve sends the request upstream and brings the response back, through the
// response hooks when there are any; without them it is streamed.
func (p *proxy) serve(x *exchange) {
	if len(p.api.hooks[driver.Response]) == 0 {
		p.plain.ServeHTTP(x.w, x.r)
		return
	}
	hooked := p.plain
	hooked.ModifyResponse = x.respond
	hooked.ServeHTTP(x.w, x.r)
}

func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	out, target := r.Out.URL, p.api.target
	if p.api.Proxy.StripListenPath {
		strip(out, p.api.Proxy.ListenPath)
	}
	r.Out.URL = target.JoinPath()
	r.Out.URL.Path, r.Out.URL.RawPath = join(target, out)
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as it came, odd parameters included
	if target.RawQuery != "" {
		r.Out.URL.RawQuery = strings.TrimSuffix(target.RawQuery+"&"+r.In.URL.RawQuery, "&")
	}
	r.Out.Host = ""
	if p.api.Proxy.PreserveHostHeader {
		r.Out.Host = r.In.Host
	}
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded"} {
		if values := r.In.Header[name]; len(values) > 0 {
			r.Out.Header[name] = values
		}
	}
	origin := (&exchange{r: r.In}).origin()
	if prior := r.In.Header["X-Forwarded-For"]; len(prior) > 0 {
		origin = strings.Join(prior, ", ") + ", " + origin
	}
	r.Out.Header.Set("X-Forwarded-For", origin)
}

// strip takes the listen path off; a hook may have edited it away already.
func strip(u *url.URL, listenPath string) {
	u.Path = stripped(u.Path, listenPath)
	if u.RawPath != "" {
		u.RawPath = stripped(u.RawPath, listenPath)
	}
}

func stripped(path, listenPath string) string {
	rest, found := strings.CutPrefix(path, listenPath)
	if !found {
		return path
	}
	return "/" + strings.TrimPrefix(rest, "/")
}

// join puts a path behind the target's, with one slash between them.
func join(target, u *url.URL) (path, rawPath string) {
	if target.Path == "" || target.Path == "/" {
		return u.Path, u.RawPath
	}
	path = strings.TrimSuffix(target.Path, "/") + "/" + strings.TrimPrefix(u.Path, "/")
	if u.RawPath != "" || target.RawPath != "" {
		rawPath = strings.TrimSuffix(target.EscapedPath(), "/") + "/" + strings.TrimPrefix(u.EscapedPath(), "/")
	}
	return path, rawPath
}

// errAnswered: a hook failed; the reason is in the log already.
var errAnswered = errors.New("a response hook failed")

// respond takes the upstream's response through the response hooks. Its body is
// streamed unless one of them looks at it.
func (x *exchange) respond(response *http.Response) error {
	if response.StatusCode == http.StatusSwitchingProtocols {
		return nil // what follows is no response
	}
	content := &body{source: response.Body, limit: x.api.maxBody}
	length := response.Header["Content-Length"]
	for _, h := range x.api.hooks[driver.Response] {
		if err := x.respondTo(h, response, content); err != nil {
			x.api.logFailure(x.r.Context(), driver.Response, h.name, err)
			return errAnswered
		}
	}
	if content.replaced {
		response.ContentLength = int64(len(content.data))
		response.TransferEncoding = nil
		length = []string{strconv.Itoa(len(content.data))}
	}
	response.Header.Del("Content-Length") // whatever hooks made of it
	if length != nil {
		response.Header["Content-Length"] = length
	}
	response.Status, response.Body = "", content
	return nil
}

func (x *exchange) respondTo(h namedHook, response *http.Response, content *body) error {
	x.call.Request.Body, x.call.Request.ReadBody = x.body.lend(h)
	x.call.Response = &driver.UpstreamResponse{StatusCode: response.StatusCode, Headers: response.Header}
	x.call.Response.Body, x.call.Response.ReadBody = content.lend(h)
	reply, err := h.Dispatch(x.r.Context(), &x.call)
	if err != nil {
		return err
	}
	response.StatusCode = code(reply.Response.StatusCode)
	response.Header = http.Header{}
	for name, values := range reply.Response.Headers {
		for _, value := range values {
			response.Header.Add(name, value)
		}
	}
	if reply.Response.BodyReplaced {
		content.replace(reply.Response.Body)
	}
	return nil
}

// failed answers when the upstream did not, or a response hook failed.
func (p *proxy) failed(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, context.Canceled):
		return // the client went away
	case errors.Is(err, errAnswered):
		writeError(w, http.StatusInternalServerError, "Middleware error")
	default:
		p.api.log.Warn("the upstream did not answer", "target", p.api.target, "error", err)
		writeError(w, http.StatusBadGateway, "There was a problem proxying the request")
	}
}

// copyBuffers are used again for streaming bodies.
var copyBuffers = bufferPool{&sync.Pool{New: func() any { return new([copyBuffer]byte) }}}

const copyBuffer = 32 << 10

type bufferPool struct{ pool *sync.Pool }

func (p bufferPool) Get() []byte { return p.pool.Get().(*[copyBuffer]byte)[:] }

func (p bufferPool) Put(b []byte) { p.pool.Put((*[copyBuffer]byte)(b)) }
