package host

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// generation is everything that one load of the definitions made.
type generation struct {
	router   http.Handler
	apis     map[string]*api // by file
	policies policies
	running  atomic.Int64 // requests in it
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

// Reload reads definitions and code anew and swaps them in. What is not sound
// keeps its old state; the error says all that was wrong.
func (g *Gateway) Reload() error {
	g.reloading.Lock()
	defer g.reloading.Unlock()
	definitions, failed, err := readDefinitions(g.settings.AppPath)
	if err != nil {
		return err
	}
	wrong := slices.Collect(maps.Values(failed))
	policies, err := loadPolicies(g.settings.Policies)
	if err != nil {
		wrong = append(wrong, err)
	}
	old := g.current.Load()
	for file := range failed {
		if old != nil && old.apis[file] != nil {
			definitions = append(definitions, old.apis[file].Definition)
		}
	}
	sources := g.findSources(definitions)
	wrong = append(wrong, sources.load(g)...)

	next := &generation{apis: map[string]*api{}, policies: policies}
	mux := chi.NewRouter()
	g.control(mux)
	routes := newRoutes(mux)
	for _, d := range definitions {
		g.redactor.knowURL(d.target)
		a := g.newAPI(d, policies, sources)
		if a.broken != nil {
			wrong = append(wrong, fmt.Errorf("API %q (%s): %w", d.APIID, d.file, a.broken))
		}
		next.apis[d.file] = a
		if err := routes.add(d.Proxy.ListenPath, a); err != nil {
			wrong = append(wrong, fmt.Errorf("API %q (%s): %w", d.APIID, d.file, err))
		}
	}
	next.router = routes
	g.events.configure(definitions, g.settings.EventHandlers)
	g.current.Store(next)
	if old != nil {
		go old.retire()
	}
	for _, err := range wrong {
		g.log.Error("not loaded", "error", err, detail(err))
	}
	g.log.Info("loaded", "apis", len(definitions), "errors", len(wrong))
	g.metrics.reloads.WithLabelValues(result(errors.Join(wrong...))).Inc()
	return errors.Join(wrong...)
}

// retire closes the hooks when the last request has left.
func (gen *generation) retire() {
	for gen.running.Load() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	for _, a := range gen.apis {
		a.close()
	}
}

func (g *Gateway) newAPI(d *Definition, p policies, s *sources) *api {
	a := &api{
		Definition: d, log: g.log.With("api_id", d.APIID, "api", d.Name),
		sessions: sessions{g.store}, limits: g.limits, policies: p, events: g.events, metrics: g.metrics,
		maxBody:  g.settings.Coprocess.MaxBodyBytes,
		timeouts: g.timeouts, websockets: g.settings.HTTPServer.EnableWebSockets,
	}
	if len(d.ignored) > 0 {
		a.log.Warn("this gateway does not act on some of the definition's fields", "fields", strings.Join(d.ignored, ", "))
	}
	a.proxy = newProxy(a, g.transport)
	source, middleware, err := s.of(d)
	used := 0
	if middleware != nil {
		middleware.hooks(d.customAuth(), func(driver.HookType, HookDefinition) { used++ })
	}
	switch {
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
