package host

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// routeSet is the result of one load of the definitions.
type routeSet struct {
	router   http.Handler
	apis     map[string]*api // by file
	policies policies
	unread   map[string]error // files of definitions that could not be read
	uses     *registry.Uses   // the requests that it serves, and g.current
}

// enter returns the current route set, whose hooks stay open until leave is called.
func (g *Gateway) enter() *routeSet {
	for {
		if current := g.current.Load(); current.uses.Enter() {
			return current
		} // it has just been replaced
	}
}

// policies returns those of the current route set.
func (g *Gateway) policies() policies { return g.current.Load().policies }

func (s *routeSet) leave() { s.uses.Leave() }

// close closes the hooks. It is called when the set is replaced and its last request has
// ended.
func (s *routeSet) close() {
	for _, a := range s.apis {
		a.close()
	}
}

// newAPI returns the API of a definition. If it cannot be served, broken is set.
func (g *Gateway) newAPI(d *Definition, p policies, s *sources) *api {
	a := &api{
		Definition: d, log: g.log.With("api_id", d.APIID, "api", d.Name),
		sessions: sessions{g.store}, limits: g.limits, policies: p, events: g.events, metrics: g.metrics,
		bodies: g.bodies, inflight: new(atomic.Int64), maxBody: g.settings.Coprocess.MaxBodyBytes,
		timeouts: g.timeouts, websockets: g.settings.HTTPServer.EnableWebSockets,
	}
	if len(d.ignored) > 0 {
		a.log.Warn("definition has fields that this gateway does not support; they have no effect", "fields", strings.Join(d.ignored, ", "))
	}
	a.proxy = newProxy(a, g.transport)
	if d.refused == nil {
		g.redactor.addURL(d.target)
	}
	source, middleware, err := s.forAPI(d)
	used := 0
	if middleware != nil {
		middleware.hooks(d.customAuth(), func(driver.HookType, HookDefinition) { used++ })
	}
	switch {
	case d.refused != nil:
		a.broken = d.refused
	case err != nil:
		a.broken = err
	case used == 0 && !d.customAuth():
	case middleware.Driver != "python":
		a.broken = fmt.Errorf("custom_middleware.driver %q: this gateway supports only \"python\"", middleware.Driver)
	case g.python == nil:
		a.broken = g.noPython
	default:
		a.bind(g.python, source, middleware)
	}
	return a
}
