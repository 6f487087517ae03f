package host

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The status of a component in /hello, best first.
const (
	statusPass = "pass"
	statusWarn = "warn" // it works, but not everything as configured
	statusFail = "fail"
)

// problem is a current problem.
type problem struct {
	component string // as in /hello: "store", "python", "definitions" …
	status    string // statusWarn or statusFail
	summary   string // public: no names, paths or versions
	detail    string // shown only with the secret
}

// health holds the current problems by key. The code that finds a problem sets it, and
// clears it when it is solved.
type health struct {
	mu       sync.Mutex
	problems map[string]problem
}

// warn sets a problem of status warn.
func (h *health) warn(key, component, summary, detail string) {
	h.set(key, problem{component, statusWarn, summary, detail})
}

func (h *health) set(key string, p problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.problems == nil {
		h.problems = map[string]problem{}
	}
	h.problems[key] = p
}

// clear removes a problem.
func (h *health) clear(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.problems, key)
}

// replace replaces all problems of the given components.
func (h *health) replace(problems map[string]problem, components ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.problems == nil {
		h.problems = map[string]problem{}
	}
	maps.DeleteFunc(h.problems, func(_ string, p problem) bool { return slices.Contains(components, p.component) })
	maps.Copy(h.problems, problems)
}

// list returns the problems sorted by key.
func (h *health) list() (problems []problem) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(h.problems)) {
		problems = append(problems, h.problems[key])
	}
	return problems
}

// component is one entry of /hello's details.
type component struct {
	Status string `json:"status"`
	Output string `json:"output,omitempty"`
	// Reasons has the details; shown only with the secret.
	Reasons []string `json:"reasons,omitempty"`
}

func (c *component) add(p problem, detailed bool) {
	if c.Status == statusPass || p.status == statusFail {
		c.Status, c.Output = p.status, p.summary
	}
	if detailed {
		c.Reasons = append(c.Reasons, Redact(p.detail))
	}
}

// pingTimeout bounds how long /hello waits for the store.
const pingTimeout = 2 * time.Second

// hello reports the health of the gateway: pass, warn or fail. Without the secret it does
// not name files, APIs or versions.
func (g *Gateway) hello(w http.ResponseWriter, r *http.Request) {
	detailed := g.authorized(r)
	details := map[string]*component{"store": {Status: statusPass}, "python": {Status: statusPass}}
	problems := g.health.list()
	ctx, cancel := context.WithTimeout(r.Context(), pingTimeout)
	defer cancel()
	if err := g.store.Ping(ctx); err != nil {
		problems = append(problems, problem{"store", statusFail, "the store is not available or takes no writes", g.redactor.text(errorText(err))})
	}
	if g.python == nil {
		status := statusFail
		if g.noPython == errNotEnabled {
			status = statusPass // as configured
		}
		problems = append(problems, problem{"python", status, "Python is not running", g.noPython.Error()})
	} else if detailed {
		details["python"].Output = g.python.Describe()
	}
	status := statusPass
	for _, p := range problems {
		c := details[p.component]
		if c == nil {
			c = &component{Status: statusPass}
			details[p.component] = c
		}
		c.add(p, detailed)
		if p.status == statusFail || p.status == statusWarn && status == statusPass {
			status = p.status
		}
	}
	answer := map[string]any{
		"status": status, "description": "Tyk-compatible gateway with Python hooks", "details": details,
	}
	if detailed {
		answer["version"] = Version
	}
	writeJSON(w, http.StatusOK, answer)
}
