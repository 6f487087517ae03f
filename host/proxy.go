package host

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// newTransport returns the transport to upstreams, which all APIs share.
func newTransport(t timeouts) *http.Transport {
	dialer := &net.Dialer{Timeout: t.upstream}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &progressConn{conn, t.upstream}, nil
		},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    512,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		ResponseHeaderTimeout:  t.upstream,
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// proxy forwards an API's requests to its upstream.
type proxy struct {
	api   *api
	plain httputil.ReverseProxy
}

func newProxy(a *api, transport http.RoundTripper) *proxy {
	p := &proxy{api: a}
	p.plain = httputil.ReverseProxy{
		Rewrite:    p.rewrite,
		Transport:  transport,
		BufferPool: copyBuffers,
		ErrorLog:   slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
	return p
}

// serve forwards the request to the upstream and streams the response back, through the
// response hooks if there are any.
func (p *proxy) serve(x *exchange) {
	x.removeHopHeaders()
	if x.client != nil && !x.body.isWhole() {
		// Allows to read the client's body while the response is written.
		x.streams = http.NewResponseController(x.w).EnableFullDuplex() == nil
		defer x.client.stop()
	}
	ctx, cancel := context.WithCancel(x.r.Context())
	defer cancel()
	x.cancel = cancel
	rp := p.plain
	rp.ModifyResponse, rp.ErrorHandler = x.modifyResponse, x.upstreamError
	w := x.w
	if own, is := w.(*ownWriter); is {
		w = own.ResponseWriter
	}
	rp.ServeHTTP(&interimWriter{w, len(x.api.hooks[driver.Response]) > 0}, x.r.WithContext(ctx))
}

// interimWriter forwards interim responses (1xx) of an upstream without the headers of
// its connection. Response hooks do not see them, so they are dropped if there are any.
type interimWriter struct {
	http.ResponseWriter
	hooked bool
}

func (w *interimWriter) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		if w.hooked {
			return
		}
		header := w.Header()
		for _, name := range hopHeaders(header) {
			header.Del(name)
		}
		header.Del("Connection")
		removeFraming(header)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *interimWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	out, target := r.Out.URL, p.api.target
	if p.api.Proxy.StripListenPath {
		setPath(out, stripped(out.EscapedPath(), p.api.Proxy.ListenPath))
	}
	r.Out.URL = target.JoinPath()
	r.Out.URL.Path, r.Out.URL.RawPath = join(target, out)
	r.Out.URL.ForceQuery = r.In.URL.ForceQuery
	r.Out.URL.RawQuery = r.In.URL.RawQuery // as received, including invalid parameters
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

// join appends a path to that of the target, with one slash between them.
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

// copyBuffers are reused buffers for streaming bodies.
var copyBuffers = bufferPool{&sync.Pool{New: func() any { return new([copyBuffer]byte) }}}

const copyBuffer = 32 << 10

type bufferPool struct{ pool *sync.Pool }

func (p bufferPool) Get() []byte { return p.pool.Get().(*[copyBuffer]byte)[:] }

func (p bufferPool) Put(b []byte) { p.pool.Put((*[copyBuffer]byte)(b)) }
