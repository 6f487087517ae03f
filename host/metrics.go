package host

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// metrics are the Prometheus metrics of the gateway.
type metrics struct {
	registry *prometheus.Registry
	latency  *prometheus.HistogramVec // by api, hook, type; includes the number of calls
	errors   *prometheus.CounterVec   // by api, hook, type
	reloads  *prometheus.CounterVec   // by result
	store    *prometheus.CounterVec   // by call, result
	hooks    map[[3]string]bool       // labels of hooks that are shown; the reload's
}

var hookLabels = []string{"api", "hook", "type"}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(), hooks: map[[3]string]bool{},
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_hook_seconds", Help: "Duration of hook calls, including the wait for the interpreter.",
			Buckets: []float64{5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2, .1, .5, 1, 5},
		}, hookLabels),
		errors:  counter("gateway_hook_errors_total", "Hook calls that failed.", hookLabels...),
		reloads: counter("gateway_reloads_total", "Reloads, by result: ok or error.", "result"),
		store:   counter("gateway_store_calls_total", "Store calls, by result: ok or error.", "call", "result"),
	}
	m.registry.MustRegister(m.latency, m.errors, m.reloads, m.store,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// watch adds the metrics of the driver's runtime.
func (m *metrics) watch(usage func() driver.Usage) {
	gauge := func(name, help string, value func(driver.Usage) int) {
		opts := prometheus.GaugeOpts{Name: name, Help: help}
		m.registry.MustRegister(prometheus.NewGaugeFunc(opts, func() float64 { return float64(value(usage())) }))
	}
	gauge("gateway_python_running", "Hook calls that use the interpreter.",
		func(u driver.Usage) int { return u.Running })
	gauge("gateway_python_unslotted", "Hook calls inside Python without a slot, such as blocked ones.",
		func(u driver.Usage) int { return u.Unslotted })
	gauge("gateway_python_waiting", "Hook calls that wait for the interpreter.",
		func(u driver.Usage) int { return u.Waiting })
	gauge("gateway_python_kept_bytes", "Size of buffers that are kept between calls.",
		func(u driver.Usage) int { return int(u.KeptBytes) })
	m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "gateway_python_waited_seconds_total", Help: "Total time that hook calls have waited for the interpreter.",
	}, func() float64 { return usage().Waited.Seconds() }))
}

// watchMemory adds the metrics of bodies and events in memory.
func (m *metrics) watchMemory(bodies *budget, events *events) {
	gauge := func(name, help string, value func() int64) {
		opts := prometheus.GaugeOpts{Name: name, Help: help}
		m.registry.MustRegister(prometheus.NewGaugeFunc(opts, func() float64 { return float64(value()) }))
	}
	counter := func(name, help string, value func() int64) {
		opts := prometheus.CounterOpts{Name: name, Help: help}
		m.registry.MustRegister(prometheus.NewCounterFunc(opts, func() float64 { return float64(value()) }))
	}
	gauge("gateway_bodies_bytes", "Size of request and response bodies in memory.", bodies.inUse)
	counter("gateway_bodies_refused_total", "Bodies refused because max_bodies_bytes was reached.", bodies.refused.Load)
	gauge("gateway_events_bytes", "Size of events that are queued or being handled.", events.bytes.Load)
	gauge("gateway_events_waiting", "Events in the queue.", func() int64 { return int64(len(events.queue)) })
	counter("gateway_events_lost_total", "Events dropped because the queue was full.", events.dropped.Load)
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}

// measuredHook records each call in the metrics.
type measuredHook struct {
	driver.Hook
	latency prometheus.Observer
	errors  prometheus.Counter
}

func (m *metrics) hook(h driver.Hook, api, name string, hookType driver.HookType) driver.Hook {
	labels := [3]string{api, name, hookType.String()}
	m.hooks[labels] = true
	return &measuredHook{h, m.latency.WithLabelValues(labels[:]...), m.errors.WithLabelValues(labels[:]...)}
}

// keep forgets hooks that no definition names any longer.
func (m *metrics) keep(set *routeSet) {
	named := map[[3]string]bool{}
	for _, a := range set.apis {
		for hookType, hooks := range a.hooks {
			for _, h := range hooks {
				named[[3]string{a.APIID, h.name, hookType.String()}] = true
			}
		}
	}
	for labels := range m.hooks {
		if !named[labels] {
			m.latency.DeleteLabelValues(labels[:]...)
			m.errors.DeleteLabelValues(labels[:]...)
			delete(m.hooks, labels)
		}
	}
}

func (h *measuredHook) Dispatch(ctx context.Context, call *driver.Call) (*driver.Reply, error) {
	begin := time.Now()
	reply, err := h.Hook.Dispatch(ctx, call)
	h.latency.Observe(time.Since(begin).Seconds())
	if err != nil {
		h.errors.Inc()
	}
	return reply, err
}

// measuredStore records each call in the metrics.
type measuredStore struct {
	Store
	metrics *metrics
}

func (s measuredStore) count(call string, err error) {
	s.metrics.store.WithLabelValues(call, result(err)).Inc()
}

func (s measuredStore) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, found, err := s.Store.Get(ctx, key)
	s.count("get", err)
	return value, found, err
}

func (s measuredStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	err := s.Store.Set(ctx, key, value, ttl)
	s.count("set", err)
	return err
}

func (s measuredStore) Delete(ctx context.Context, key string) (bool, error) {
	found, err := s.Store.Delete(ctx, key)
	s.count("delete", err)
	return found, err
}

func (s measuredStore) Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	n, err := s.Store.Increment(ctx, key, by, ttl)
	s.count("increment", err)
	return n, err
}

func (s measuredStore) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	ttl, found, err := s.Store.TTL(ctx, key)
	s.count("ttl", err)
	return ttl, found, err
}
