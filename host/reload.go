package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// refusal is something that was refused by a reload.
type refusal struct {
	component string // as in /hello
	What      string `json:"what"` // a file, a bundle or a folder
	APIID     string `json:"api_id,omitempty"`
	Reason    string `json:"reason"`
	// Kept reports whether the previous version stays in use.
	Kept bool `json:"kept_old_version"`
	err  error
}

// kind names what was refused, without its name.
func (r *refusal) kind() string {
	return map[string]string{
		"definitions": "API definition", "policies": "policies file", "bundles": "bundle",
		"plugins": "plugin code", "public_key": "public key",
	}[r.component]
}

// summary describes the refusal without names.
func (r *refusal) summary() string {
	if r.Kept {
		return r.kind() + " refused; its previous version stays in use"
	}
	return r.kind() + " refused"
}

// refusals is the error of a reload.
type refusals []refusal

// Error returns one line for each refusal.
func (r refusals) Error() string {
	lines := make([]string, len(r))
	for i := range r {
		lines[i] = r[i].Reason
	}
	return strings.Join(lines, "\n")
}

// reload is one run of Reload.
type reload struct {
	g       *Gateway
	old     *routeSet
	refused refusals
	// policies are those of the file, or the previous ones if the file is invalid.
	policies policies
}

func (r *reload) refuse(component, what string, kept bool, err error) {
	r.refused = append(r.refused, refusal{
		component: component, What: what, Kept: kept, err: err, Reason: r.g.redactor.text(errorText(err)),
	})
}

// Reload reloads definitions, policies and code. For everything that is invalid the
// previous version stays in use, and the error lists it.
func (g *Gateway) Reload() error {
	g.reloading <- struct{}{}
	defer func() { <-g.reloading }()
	return g.reloadLocked()
}

// reloadLocked is Reload; the caller holds reloading. A panic leaves everything as it was;
// at the first load, when there is nothing to leave, it ends the process.
func (g *Gateway) reloadLocked() (err error) {
	r := &reload{g: g, old: g.current.Load()}
	if r.old != nil {
		defer caught(g.log, "a reload", &err)
	}
	next := r.run()
	if next != nil {
		g.current.Store(next)
		g.metrics.keep(next)
		if r.old != nil {
			r.old.uses.Leave()
		}
	}
	r.report()
	if len(r.refused) == 0 {
		return nil
	}
	return r.refused
}

// run returns the next route set, or nil if the old one must stay in use.
func (r *reload) run() *routeSet {
	g := r.g
	definitions, failed, err := readDefinitions(g.settings.AppPath)
	if err != nil {
		r.refuse("definitions", g.settings.AppPath, r.old != nil, err)
		if r.old != nil {
			return nil
		}
	}
	if r.policies, err = loadPolicies(g.settings.Policies); err != nil {
		if r.old != nil {
			r.policies = r.old.policies
		}
		r.refuse("policies", g.settings.Policies.RecordName, r.policies != nil, err)
	}
	findFolders(failed, r.old)
	list := findCandidates(definitions, failed, r.old)
	for _, c := range list {
		if len(c.awaits) > 0 {
			r.refuseCandidate(c, fmt.Errorf("%s is gone, and what may have taken its place cannot be read: mend or remove %s",
				c.file, strings.Join(c.awaits, ", ")))
		}
	}
	for _, file := range slices.Sorted(maps.Keys(failed)) {
		r.refuse("definitions", file, slices.ContainsFunc(list, func(c *candidate) bool { return c.file == file && c.state == stateKept }), failed[file])
	}
	resolveConflicts(list, r.refuseCandidate)
	r.readPublicKey()
	limit := bundleTimeout
	if r.old == nil {
		limit = firstBundleTimeout
	}
	sources := g.findSources(configured(list), limit)
	for _, b := range sources.bundles {
		g.bundlesTimedOut = g.bundlesTimedOut || r.old == nil && errors.Is(b.err, context.DeadlineExceeded)
	}
	sources.load(r)
	for again := true; again; {
		again = false
		for _, c := range list {
			if c.state != stateNew || c.made != nil {
				continue
			}
			c.made = g.newAPI(c.fresh, r.policies, sources)
			if err := c.made.broken; err != nil {
				if c.old != nil {
					c.refuse()
					again = true
				}
				r.refuseCandidate(c, err)
			}
		}
		if again {
			resolveConflicts(list, r.refuseCandidate)
		}
	}
	next := r.build(list, sources)
	next.unread = failed
	return next
}

// readPublicKey reads the key for the signatures of bundles. If it has become unreadable,
// the previous key stays in use.
func (r *reload) readPublicKey() {
	file := r.g.settings.PublicKeyPath
	if file == "" {
		return
	}
	key, err := readPublicKey(file)
	if err != nil {
		r.refuse("public_key", file, r.g.publicKey != nil, err)
		return
	}
	r.g.publicKey = key
}

func (r *reload) refuseCandidate(c *candidate, err error) {
	r.refuse("definitions", c.file, c.state == stateKept, err)
	r.refused[len(r.refused)-1].APIID = c.definition().APIID
}

// configured returns the definitions of the candidates that serve.
func configured(list []*candidate) (definitions []*Definition) {
	for _, c := range list {
		if d := c.definition(); c.state == stateKept || c.state == stateNew && d.refused == nil {
			definitions = append(definitions, d)
		}
	}
	return definitions
}

// build returns a route set of the candidates.
func (r *reload) build(list []*candidate, sources *sources) *routeSet {
	g := r.g
	next := &routeSet{apis: map[string]*api{}, policies: r.policies}
	next.uses = registry.NewUses(next.close)
	control := chi.NewRouter()
	g.control(control)
	router := newRoutes(control)
	for _, c := range list {
		var a *api
		switch c.state {
		case stateKept:
			a = c.old.withPolicies(r.policies)
		case stateNew:
			a, c.made = c.made, nil
		case stateBlocked:
			d := *c.fresh
			if d.refused == nil {
				d.refused = errors.New("another definition has the same api_id")
			}
			a = g.newAPI(&d, r.policies, sources)
		case stateShadowed:
			continue
		}
		a.awaits = c.awaits
		next.apis[c.file] = a
		if err := router.add(a.Proxy.ListenPath, a); err != nil {
			r.refuseCandidate(c, err)
		}
	}
	for _, c := range list {
		if c.made != nil {
			c.made.close()
		}
	}
	next.router = router
	g.events.configure(configured(list), g.settings.EventHandlers)
	return next
}

// report reports the result of the reload to the log, the metrics and /hello.
func (r *reload) report() {
	problems := map[string]problem{}
	for i := range r.refused {
		f := &r.refused[i]
		r.g.log.Error(f.kind()+" not loaded", "what", f.What, "error", f.err, "kept_old_version", f.Kept, detail(f.err))
		problems[fmt.Sprintf("%s:%s:%d", f.component, f.What, i)] = problem{f.component, statusWarn, f.summary(), f.Reason}
	}
	r.g.health.replace(problems, "definitions", "policies", "bundles", "plugins", "public_key")
	apis := 0
	if current := r.g.current.Load(); current != nil {
		apis = len(current.apis)
	}
	r.g.log.Info("definitions loaded", "apis", apis, "errors", len(r.refused))
	var err error
	if len(r.refused) > 0 {
		err = r.refused
	}
	r.g.metrics.reloads.WithLabelValues(result(err)).Inc()
}

// reloadTimeout is how long the control API waits for a reload.
const reloadTimeout = 60 * time.Second

// reloadWithin is Reload, but waits at most limit. The reload then continues in the
// background.
func (g *Gateway) reloadWithin(limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case g.reloading <- struct{}{}:
	case <-timer.C:
		return fmt.Errorf("an earlier reload did not end within %s; this one was not started", limit)
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-g.reloading }()
		done <- g.reloadLocked()
	}()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		err := fmt.Errorf("the reload did not end within %s; it continues in the background", limit)
		g.health.warn("reload", "reload", "a reload has not ended", err.Error())
		go func() {
			<-done
			g.health.clear("reload")
		}()
		g.log.Error("reload timed out", "error", err)
		return err
	}
}

// reload handles /tyk/reload/group. It responds when the reload is done, or after
// reloadTimeout.
func (g *Gateway) reload(w http.ResponseWriter, _ *http.Request) {
	err := g.reloadWithin(reloadTimeout)
	var list refusals
	switch {
	case err == nil:
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "message": ""})
	case errors.As(err, &list):
		writeJSON(w, http.StatusInternalServerError, map[string]any{
			"status": "error", "errors": list,
			"message": "not everything was loaded; errors lists what was refused, and whether its previous version stays in use",
		})
	default:
		writeStatus(w, http.StatusInternalServerError, err.Error())
	}
}

// configuredHooks returns the enabled hooks of a section.
func configuredHooks(m *CustomMiddleware, customAuth bool) (hooks []registry.Configured) {
	m.hooks(customAuth, func(t driver.HookType, h HookDefinition) {
		hooks = append(hooks, registry.Configured{HookName: driver.HookName{Type: t, Name: h.Name}, RawBodyOnly: h.RawBodyOnly})
	})
	return hooks
}
