package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/drivertest"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// chain is a listening gateway with one API below /a/, whose hooks are functions of the
// test.
type chain struct {
	*httptest.Server
	gateway *Gateway
	backend *drivertest.Backend
	store   *failingStore
}

// newChain serves an API. fields are added to its definition.
func newChain(t *testing.T, target string, hooks map[string]drivertest.Func, fields map[string]any) *chain {
	t.Helper()
	folder, middleware := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(middleware, "python"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &Settings{
		LogLevel: "error", Secret: secret, AppPath: folder, MiddlewarePath: middleware,
		HTTPServer: HTTPServerSettings{EnableWebSockets: true}, ProxyDefaultTimeout: 20,
	}
	s.Coprocess.MaxEventBytes, s.Coprocess.MaxEventsBytes = 1<<16, 1<<16
	s.Coprocess.MaxBodyBytes, s.Coprocess.MaxBodiesBytes = 1<<20, 1<<24
	g, err := New(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	c := &chain{gateway: g, backend: &drivertest.Backend{Hooks: hooks}, store: &failingStore{Store: g.store}}
	g.store, g.python = c.store, registry.New(c.backend)
	d := map[string]any{
		"name": "a", "api_id": "a", "org_id": "org", "active": true, "use_keyless": true,
		"proxy": map[string]any{"listen_path": "/a/", "target_url": target, "strip_listen_path": true},
	}
	for name, value := range fields {
		d[name] = value
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	write(t, folder, map[string]any{"a.json": string(text)})
	if err := g.Reload(); err != nil {
		t.Fatal(err)
	}
	c.Server = httptest.NewServer(g)
	t.Cleanup(c.Close)
	return c
}

// waitUntil fails when a condition does not become true.
func waitUntil(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what + " did not come")
		}
	}
}

// get returns status and body.
func (c *chain) get(t *testing.T, path string) (int, string) {
	t.Helper()
	response, err := http.Get(c.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// failingStore is a store of which one call fails.
type failingStore struct {
	Store
	call atomic.Value // name of the call
}

var errStoreDown = errors.New("the store is down")

func (s *failingStore) fails(call string) bool { return s.call.Load() == call }

func (s *failingStore) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if s.fails("Get") {
		return nil, false, errStoreDown
	}
	return s.Store.Get(ctx, key)
}

func (s *failingStore) Revision(ctx context.Context) (int64, error) {
	if s.fails("Revision") {
		return 0, errStoreDown
	}
	return s.Store.Revision(ctx)
}

func (s *failingStore) PutSession(ctx context.Context, key string, value []byte, ttl time.Duration, revision int64) (bool, error) {
	if s.fails("PutSession") {
		return false, errStoreDown
	}
	return s.Store.PutSession(ctx, key, value, ttl, revision)
}

func (s *failingStore) Count(ctx context.Context, key string, ttl time.Duration) (int64, time.Duration, error) {
	if s.fails("Count") {
		return 0, 0, errStoreDown
	}
	return s.Store.Count(ctx, key, ttl)
}

func (s *failingStore) Counted(ctx context.Context, key string) (int64, time.Duration, error) {
	if s.fails("Counted") {
		return 0, 0, errStoreDown
	}
	return s.Store.Counted(ctx, key)
}

// upstream counts its requests and describes them.
func upstream(t *testing.T) (url string, requests *atomic.Int64) {
	t.Helper()
	requests = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		fmt.Fprintf(w, "%s %s host %s", r.Method, r.RequestURI, r.Host)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests
}

func section(hooks map[string]any) map[string]any {
	hooks["driver"] = "python"
	return hooks
}

// named is a list of one hook.
func named(name string) []any { return []any{map[string]any{"name": name}} }

func TestNoRequestPassesWhenTheStoreFails(t *testing.T) {
	target, requests := upstream(t)
	session := &driver.Session{
		QuotaMax: 100, QuotaRenewalRate: 60, Metadata: map[string]string{"token": "t"},
		AccessRights: map[string]driver.AccessDefinition{"a": {APIID: "a", APIName: "a"}},
	}
	c := newChain(t, target, map[string]drivertest.Func{
		"check": func(context.Context, *driver.Call) (*driver.Reply, error) {
			return &driver.Reply{Session: session}, nil
		},
		"pass": drivertest.Pass,
	}, map[string]any{
		"use_keyless": false, "enable_coprocess_auth": true, "custom_middleware": section(map[string]any{
			"auth_check": map[string]any{"name": "check"}, "post_key_auth": named("pass"),
		}),
	})
	for i, call := range []string{"Revision", "Get", "PutSession", "Counted", "Count"} {
		session.Alias = fmt.Sprint(i) // another session each time, so that it is stored
		c.store.call.Store(call)
		if status, body := c.get(t, "/a/x"); status != http.StatusInternalServerError || strings.Contains(body, "store") {
			t.Errorf("%s fails: %d %s", call, status, body)
		}
	}
	if n := requests.Load(); n != 0 {
		t.Errorf("%d requests have reached the upstream", n)
	}
	c.store.call.Store("")
	if status, body := c.get(t, "/a/x"); status != http.StatusOK {
		t.Errorf("with the store again: %d %s", status, body)
	}
}

func TestNoRequestPassesWhenItsRateCannotBeCounted(t *testing.T) {
	target, requests := upstream(t)
	c := newChain(t, target, map[string]drivertest.Func{
		"check": func(context.Context, *driver.Call) (*driver.Reply, error) {
			return &driver.Reply{Session: &driver.Session{Rate: 100, Per: 1, Metadata: map[string]string{"token": "t"}}}, nil
		},
	}, map[string]any{
		"use_keyless": false, "enable_coprocess_auth": true,
		"custom_middleware": section(map[string]any{"auth_check": map[string]any{"name": "check"}}),
	})
	if status, _ := c.get(t, "/a/x"); status != http.StatusOK || requests.Load() != 1 {
		t.Fatal(status)
	}
	down := newRedis(StorageSettings{Host: "127.0.0.1", Port: 1}, nil)
	defer down.Close()
	c.gateway.limits.shared = newLimits(down).shared
	if status, _ := c.get(t, "/a/x"); status != http.StatusInternalServerError || requests.Load() != 1 {
		t.Errorf("%d, %d requests", status, requests.Load())
	}
}

func TestADeadUpstreamIs502AndThePanicOfAHookIs500(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := "http://" + listener.Addr().String()
	listener.Close()
	c := newChain(t, target, map[string]drivertest.Func{
		"pre": func(_ context.Context, call *driver.Call) (*driver.Reply, error) {
			if strings.HasPrefix(call.Request.URL, "/a/panics") {
				panic("on purpose")
			}
			return drivertest.Pass(context.Background(), call)
		},
	}, map[string]any{"custom_middleware": section(map[string]any{"pre": named("pre")})})
	for range 2 { // the gateway survives
		if status, body := c.get(t, "/a/panics"); status != http.StatusInternalServerError || strings.Contains(body, "purpose") {
			t.Errorf("a panic: %d %s", status, body)
		}
		if status, body := c.get(t, "/a/x"); status != http.StatusBadGateway || strings.Contains(body, target) {
			t.Errorf("a dead upstream: %d %s", status, body)
		}
	}
	for _, a := range c.gateway.current.Load().apis {
		waitUntil(t, "the end of all requests", func() bool { return a.inflight.Load() == 0 })
	}
}

func TestTheTargetHasAPathAndTheHostIsPreserved(t *testing.T) {
	target, _ := upstream(t)
	for _, preserve := range []bool{false, true} {
		c := newChain(t, target, nil, map[string]any{"proxy": map[string]any{
			"listen_path": "/a/", "target_url": target + "/base?q=1", "strip_listen_path": true, "preserve_host_header": preserve,
		}})
		host := strings.TrimPrefix(target, "http://")
		if preserve {
			host = strings.TrimPrefix(c.URL, "http://")
		}
		if status, body := c.get(t, "/a/x?z=2"); status != http.StatusOK || body != "GET /base/x?q=1&z=2 host "+host {
			t.Errorf("preserve_host_header %v: %d %s", preserve, status, body)
		}
	}
}

func TestEventsBeyondTheBoundAreDroppedAndRequestsGoOn(t *testing.T) {
	target, _ := upstream(t)
	var c *chain
	c = newChain(t, target, map[string]drivertest.Func{
		"fires": func(_ context.Context, call *driver.Call) (*driver.Reply, error) {
			for range 100 {
				(&services{c.gateway.store, c.gateway.events, c.gateway.log}).TriggerEvent("a", "E", strings.Repeat("x", 1000))
			}
			return drivertest.Pass(context.Background(), call)
		},
	}, map[string]any{
		"custom_middleware": section(map[string]any{"pre": named("fires")}),
		"event_handlers": map[string]any{"events": map[string]any{"E": []any{map[string]any{
			"handler_name": "cp_dynamic_handler", "handler_meta": map[string]any{"name": "function"},
		}}}},
	})
	end := make(chan struct{})
	var handled atomic.Int64
	c.backend.Event = func(context.Context, []byte) error { <-end; handled.Add(1); return nil }
	c.gateway.events.start(c.gateway.python.DispatchEvent)
	for range 3 {
		if status, body := c.get(t, "/a/x"); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	}
	if dropped := c.gateway.events.dropped.Load(); dropped < 200 {
		t.Errorf("%d events are dropped", dropped)
	}
	close(end)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.gateway.events.stop(ctx); err != nil {
		t.Error(err)
	}
	if n := handled.Load() + c.gateway.events.dropped.Load(); n != 300 || c.gateway.events.bytes.Load() != 0 {
		t.Errorf("%d events, %d bytes are left", n, c.gateway.events.bytes.Load())
	}
}

func TestAnUpgradedConnectionCarriesBothDirections(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(both, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Seen: %s\r\n\r\n", r.Header.Get("X-Hook"))
		_ = both.Flush()
		line, _ := both.ReadString('\n')
		fmt.Fprintf(both, "you said %s", line)
		_ = both.Flush()
	}))
	defer server.Close()
	c := newChain(t, server.URL, map[string]drivertest.Func{
		"adds": func(context.Context, *driver.Call) (*driver.Reply, error) {
			return &driver.Reply{SetHeaders: []driver.Pair{{Name: "X-Hook", Value: "ran"}}}, nil
		},
	}, map[string]any{"custom_middleware": section(map[string]any{"pre": named("adds")})})
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(conn, "GET /a/ws HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols || response.Header.Get("X-Seen") != "ran" {
		t.Fatal(response, err)
	}
	fmt.Fprint(conn, "hello\n")
	if line, err := reader.ReadString('\n'); line != "you said hello\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
}

func TestARequestOfTheOldRoutesKeepsItsHookUntilItEnds(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	target, _ := upstream(t)
	c := newChain(t, target, map[string]drivertest.Func{
		"waits": func(_ context.Context, call *driver.Call) (*driver.Reply, error) {
			if strings.HasSuffix(call.Request.URL, "/waits") {
				close(begun)
				<-end
			}
			return drivertest.Pass(context.Background(), call)
		},
		"second": drivertest.Pass,
	}, map[string]any{"custom_middleware": section(map[string]any{
		"pre": []any{map[string]any{"name": "waits"}, map[string]any{"name": "second"}},
	})})
	answered := make(chan int)
	go func() {
		status, _ := c.get(t, "/a/waits")
		answered <- status
	}()
	<-begun
	write(t, c.gateway.settings.AppPath, map[string]any{"a.json": definition("a", "/a/", target)})
	for range 2 {
		if err := c.gateway.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(c.backend.Bound()); n != 2 {
		t.Errorf("%d hooks are bound while a request uses them", n)
	}
	close(end)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the old request: %d", status)
	}
	waitUntil(t, "the end of the hooks", func() bool { return len(c.backend.Bound()) == 0 })
}
