// Package host implements the bundled gateway, as docs/contract.md describes it.
package host

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// Version is the version of the gateway, as shown by /hello.
const Version = "0.2.0"

// Gateway serves the APIs of a folder of definitions.
type Gateway struct {
	settings *Settings
	log      *slog.Logger
	redactor *redactor
	health   *health
	store    Store
	events   *events
	limits   *limits
	python   *registry.Registry
	noPython error // why python is nil
	metrics  *metrics
	bodies   *budget

	current   atomic.Pointer[routeSet]
	reloading chan struct{} // a lock: contains a value during a reload
	// bundlesTimedOut is set if the bundle server was too slow for the first load.
	bundlesTimedOut bool
	publicKey       *rsa.PublicKey // the last valid one, or nil
	server          *http.Server
	timeouts        timeouts
	transport       http.RoundTripper // shared by all APIs
}

// New returns a gateway that has loaded everything. Its errors are one line. If ctx ends
// first, New stops what has been loaded; an import may then still be running.
func New(ctx context.Context, s *Settings) (*Gateway, error) {
	level, levelName, err := s.level()
	if err != nil {
		return nil, err
	}
	redactor := &redactor{}
	redactor.addSecrets(s.Secret, s.Storage.Password)
	if base, err := url.Parse(s.BundleBaseURL); err == nil {
		redactor.addURL(base)
	}
	log := slog.New(slog.NewJSONHandler(Stderr, &slog.HandlerOptions{Level: level, ReplaceAttr: redactor.attr}))
	slog.SetDefault(log) // for libraries that log, such as net/http
	store, err := openStore(s.Storage)
	if err != nil {
		return nil, err
	}
	metrics := newMetrics()
	g := &Gateway{
		settings: s, log: log, redactor: redactor, health: &health{}, reloading: make(chan struct{}, 1), limits: newLimits(store), metrics: metrics,
		store: measuredStore{store, metrics}, bodies: newBudget(s.Coprocess.MaxBodiesBytes),
		events: newEvents(log, s.Coprocess.MaxEventBytes, s.Coprocess.MaxEventsBytes), timeouts: s.timeouts(),
	}
	g.transport = newTransport(g.timeouts)
	g.metrics.watchMemory(g.bodies, g.events)
	if err := g.startPython(levelName); err != nil {
		return nil, err
	}
	if s.Secret == "" {
		log.Warn("secret is empty: the control API is disabled")
	}
	if len(s.ignored) > 0 {
		log.Warn("this gateway does not act on some of the settings", "settings", strings.Join(s.ignored, ", "))
	}
	if _, err := os.ReadDir(s.AppPath); err != nil {
		return nil, fmt.Errorf("app_path: %w", err)
	}
	g.cleanBundles()
	loaded := make(chan struct{})
	go func() {
		_ = g.Reload() // errors have been logged; everything else is served
		close(loaded)
	}()
	select {
	case <-loaded:
	case <-ctx.Done():
		limit := s.ShutdownLimit()
		err := g.stopPlugins(time.Now().Add(limit), min(limit/5, 3*time.Second))
		return nil, errors.Join(errors.New("stopped by a signal while loading"), err, g.store.Close())
	}
	if g.bundlesTimedOut {
		go func() { _ = g.Reload() }()
	}
	return g, nil
}

// startPython starts the interpreter if it is enabled. A binary without Python serves
// too; APIs with hooks then respond 500.
func (g *Gateway) startPython(level string) error {
	if !g.settings.Coprocess.Enable {
		g.noPython = errNotEnabled
		return nil
	}
	backend, err := startCoprocess(&g.settings.Coprocess, level, &services{g.pluginStore(), g.events, g.log})
	if errors.Is(err, errNoTags) {
		g.noPython = err
		return nil
	}
	if err != nil {
		return fmt.Errorf("python: %w", err)
	}
	g.python = registry.New(backend)
	g.metrics.watch(backend.Usage)
	g.events.start(backend.DispatchEvent)
	g.log.Info("python started", "python", backend.Describe())
	return nil
}

// Serve serves until ctx ends, then waits for running requests and stops (see stop).
func (g *Gateway) Serve(ctx context.Context) error {
	address := net.JoinHostPort(g.settings.ListenAddress, strconv.Itoa(g.settings.ListenPort))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listen_port: %w: stop the process that uses the port, or choose another one", err)
	}
	listener = progressListener{listener, g.timeouts.write}
	g.server = &http.Server{
		Handler: g, ReadHeaderTimeout: min(30*time.Second, g.timeouts.read), IdleTimeout: g.timeouts.read,
		ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelWarn),
	}
	g.log.Info("gateway listening", "address", address)
	ended := make(chan error, 1)
	go func() { ended <- g.server.Serve(listener) }() // recovers panics of handlers
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	return g.stop()
}

// ServeHTTP serves a request with the current route set.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	set := g.enter()
	defer set.leave()
	defer g.recovered(w, r)
	if g.log.Enabled(r.Context(), slog.LevelDebug) {
		begin := time.Now()
		defer func() {
			g.log.Debug("request", "method", r.Method, "path", showPath(r.URL.Path), "took", time.Since(begin))
		}()
	}
	if r.Body != http.NoBody {
		w, r = newClientBody(w, r, g.timeouts.read)
	}
	switch {
	case tooManyHeaders(r.Header):
		writeError(w, http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
	case normalise(r) != nil:
		writeError(w, http.StatusBadRequest, "Bad Request")
	default:
		set.router.ServeHTTP(w, r)
	}
}

// maxHeaders bounds the header lines of a request; the server bounds their bytes.
const maxHeaders = 1000

func tooManyHeaders(header http.Header) bool {
	lines := 0
	for _, values := range header {
		lines += len(values)
	}
	return lines > maxHeaders
}

// recovered handles a panic of the gateway.
func (g *Gateway) recovered(w http.ResponseWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(fault) // the reverse proxy aborts an incomplete response this way
	}
	g.log.Error("panic while serving a request", "path", showPath(r.URL.Path), "fault", fmt.Sprint(fault))
	writeError(w, http.StatusInternalServerError, "Internal Server Error")
}
