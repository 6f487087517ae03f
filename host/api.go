package host

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// api is an API definition with everything that serves it.
type api struct {
	*Definition
	log      *slog.Logger
	sessions sessions
	limits   *limits
	policies policies
	events   *events
	maxBody  int64
	bodies   *budget
	inflight *atomic.Int64 // requests
	timeouts timeouts
	proxy    *proxy
	// websockets reports whether clients may upgrade to a websocket.
	websockets bool
	hooks      map[driver.HookType][]namedHook
	bound      []*registry.Hook // all of hooks; each route set of the API has a reference
	metrics    *metrics
	extractor  *extractor
	awaits     []string // see candidate
	// broken is why the API responds 500 to every request; nil if it works.
	broken error
}

// namedHook is a bound hook with its name for the log.
type namedHook struct {
	driver.Hook
	name string
}

// bind binds the API's hooks in source. If that fails it sets a.broken.
func (a *api) bind(python *registry.Registry, source string, m *CustomMiddleware) {
	a.hooks = map[driver.HookType][]namedHook{}
	spec, err := a.spec(source)
	a.broken = err
	m.hooks(a.customAuth(), func(hookType driver.HookType, h HookDefinition) {
		if a.broken != nil {
			return
		}
		bound, err := python.Bind([]string{source}, driver.Binding{
			Type: hookType, Name: h.Name, Spec: spec, RawBodyOnly: h.RawBodyOnly,
		})
		if err != nil {
			a.broken = err
			return
		}
		if bound.Warning != "" {
			a.log.Warn(bound.Warning)
		}
		measured := a.metrics.hook(bound.Hook, a.APIID, h.Name, hookType)
		a.hooks[hookType] = append(a.hooks[hookType], namedHook{measured, h.Name})
		a.bound = append(a.bound, bound)
	})
	if a.broken == nil && a.customAuth() && len(a.hooks[driver.CustomKeyCheck]) == 0 {
		a.broken = errors.New("custom authentication is enabled, but custom_middleware.auth_check names no hook")
	}
	if a.broken == nil {
		a.extractor, a.broken = newExtractor(&m.IDExtractor)
	}
}

// withPolicies returns a copy of the API for another route set, with the same hooks.
func (a *api) withPolicies(p policies) *api {
	next := *a
	next.policies = p
	next.proxy = newProxy(&next, a.proxy.plain.Transport)
	for _, h := range a.bound {
		h.Acquire()
	}
	return &next
}

// close gives up the hooks, which are closed when no other route set uses them.
func (a *api) close() {
	for _, h := range a.bound {
		h.Release()
	}
}

// ServeHTTP takes a request through the chain: pre, authentication, post_key_auth,
// limits, post, upstream, response. A failure anywhere ends the request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.broken != nil {
		writeError(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	if a.expired() {
		writeError(w, http.StatusForbidden, "API has expired, please check documentation or contact administrator")
		return
	}
	x, err := newExchange(a, w, r)
	if err != nil {
		writeError(w, http.StatusBadRequest, "Bad Request")
		return
	}
	a.inflight.Add(1)
	defer a.inflight.Add(-1)
	defer x.release()
	for _, step := range []func() bool{x.pre, x.authenticate, x.postKeyAuth, x.limit, x.post} {
		if !step() {
			return
		}
	}
	a.proxy.serve(x)
}

// run calls the hooks of one type. It returns false if one has ended the request.
func (x *exchange) run(hookType driver.HookType) bool {
	for _, h := range x.api.hooks[hookType] {
		reply, ok := x.dispatch(hookType, h)
		if !ok || !x.apply(h, reply) {
			return false
		}
	}
	return true
}

// dispatch calls one hook. If it fails, dispatch writes the response and ok is false.
func (x *exchange) dispatch(hookType driver.HookType, h namedHook) (reply *driver.Reply, ok bool) {
	x.call.Request.Body, x.call.Request.ReadBody = x.body.prefetch(h).forHook()
	reply, err := h.Dispatch(x.r.Context(), &x.call)
	if err == nil {
		return reply, true
	}
	x.api.logFailure(x.r.Context(), hookType, h.name, err)
	status, message := failure(hookType, err)
	writeError(x.w, status, message)
	return nil, false
}

// failure returns the response to the client when a hook fails (contract 6).
func failure(hookType driver.HookType, err error) (status int, message string) {
	switch {
	case errors.Is(err, errTooLarge) && hookType != driver.Response:
		return http.StatusRequestEntityTooLarge, "Request Entity Too Large"
	case errors.Is(err, errBusy):
		return http.StatusServiceUnavailable, "Service Unavailable"
	case errors.Is(err, errClientSlow):
		return http.StatusRequestTimeout, "Request Timeout"
	case errors.Is(err, errUnreadable) && hookType != driver.Response:
		return http.StatusBadRequest, "Bad Request"
	case hookType == driver.CustomKeyCheck:
		return http.StatusForbidden, "Key not authorised"
	}
	return http.StatusInternalServerError, "Middleware error"
}

func (a *api) logFailure(ctx context.Context, hookType driver.HookType, name string, err error) {
	a.log.LogAttrs(ctx, slog.LevelError, "hook failed", slog.String("hook_type", hookType.String()),
		slog.String("hook", name), slog.String("error", err.Error()), detail(err))
}

func (x *exchange) pre() bool  { return x.run(driver.Pre) }
func (x *exchange) post() bool { return x.run(driver.Post) }

func (x *exchange) postKeyAuth() bool { return x.run(driver.PostKeyAuth) }
