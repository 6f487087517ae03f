package host

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// generation is everything that one load of the definitions made.
type generation struct {
	router   http.Handler
	apis     map[string]*api // by file
	policies policies
	unread   map[string]error // files of definitions that could not be read
	running  atomic.Int64     // requests in it
}

// enter counts a request into the current generation, so that its hooks stay.
func (g *Gateway) enter() *generation {
	for {
		current := g.current.Load()
		current.running.Add(1)
		if g.current.Load() == current {
			return current
		}
		current.leave() // it was replaced at this very moment
	}
}

// policies are those of the current generation.
func (g *Gateway) policies() policies { return g.current.Load().policies }

func (gen *generation) leave() { gen.running.Add(-1) }

// retire closes the hooks when the last request has left.
func (gen *generation) retire() {
	for gen.running.Load() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	for _, a := range gen.apis {
		a.close()
	}
}

// newAPI makes an API ready to serve, or broken.
func (g *Gateway) newAPI(d *Definition, p policies, s *sources) *api {
	a := &api{
		Definition: d, log: g.log.With("api_id", d.APIID, "api", d.Name),
		sessions: sessions{g.store}, limits: g.limits, policies: p, events: g.events, metrics: g.metrics,
		bodies: g.bodies, inflight: new(atomic.Int64), maxBody: g.settings.Coprocess.MaxBodyBytes,
		timeouts: g.timeouts, websockets: g.settings.HTTPServer.EnableWebSockets, owners: new(atomic.Int32),
	}
	a.owners.Store(1)
	if len(d.ignored) > 0 {
		a.log.Warn("this gateway does not act on some of the definition's fields", "fields", strings.Join(d.ignored, ", "))
	}
	a.proxy = newProxy(a, g.transport)
	if d.refused == nil {
		g.redactor.knowURL(d.target)
	}
	source, middleware, err := s.of(d)
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
		a.broken = fmt.Errorf("custom_middleware.driver %q: this gateway runs \"python\"", middleware.Driver)
	case g.python == nil:
		a.broken = g.noPython
	default:
		a.bind(g.python, source, middleware)
	}
	return a
}
