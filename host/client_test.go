package host

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// closedAtItsEnd gives its bytes, and then what net/http's bodies give when the server
// has closed them.
type closedAtItsEnd struct{ read bool }

func (b *closedAtItsEnd) Read(p []byte) (int, error) {
	if b.read {
		return 0, http.ErrBodyReadAfterClose
	}
	b.read = true
	return copy(p, "abc"), io.EOF
}

func (*closedAtItsEnd) Close() error { return nil }

func TestABodyThatHasEndedIsNotReadAgain(t *testing.T) {
	_, r := newClientBody(httptest.NewRecorder(), httptest.NewRequest("POST", "/", &closedAtItsEnd{}), time.Second)
	b := r.Body.(*clientBody)
	if data, err := io.ReadAll(b); string(data) != "abc" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	for range 3 {
		if n, err := b.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("after its end: %d, %v", n, err)
		}
	}
	if !b.hasEnded() || b.isSlow() {
		t.Error("it has not ended, or was slow")
	}
}

// net/http's server reads the rest of a body before it writes an answer, unless it is
// told otherwise: it would take it from the upstream, and wait for the client.
func TestAnUpstreamMayAnswerWhileItReads(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.CopyN(w, r.Body, 1)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(w, r.Body)
	}))
	defer upstream.Close()
	target, err := url.Parse(upstream.URL)
	if err != nil {
		t.Fatal(err)
	}
	limits := timeouts{read: 10 * time.Second, write: 10 * time.Second, upstream: 10 * time.Second}
	transport := newTransport(limits)
	defer transport.CloseIdleConnections()
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &api{
			Definition: &Definition{target: target, UseKeyless: true}, timeouts: limits,
			log: slog.New(slog.DiscardHandler), inflight: &atomic.Int64{},
		}
		a.proxy = newProxy(a, transport)
		a.ServeHTTP(newClientBody(w, r, limits.read))
	}))
	defer gateway.Close()
	client := &http.Client{Timeout: 10 * time.Second}
	want := strings.Repeat("x", 100_000)
	for range 5 {
		read, write := io.Pipe()
		answered := make(chan struct{})
		go func() {
			_, _ = io.WriteString(write, want[:1000])
			<-answered
			_, _ = io.WriteString(write, want[1000:])
			_ = write.Close()
		}()
		response, err := client.Post(gateway.URL, "text/plain", read)
		if err != nil {
			t.Fatal(err)
		}
		close(answered)
		got, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || string(got) != want {
			t.Fatalf("%d bytes of %d came back, %v", len(got), len(want), err)
		}
	}
}

func FuzzAQueryHasOneReading(f *testing.F) {
	for _, seed := range []string{"a=1;b=2", "%", "a=%zz&%4", "a#b=c", "%3B;%", "a=%25zz", "a=1&b=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		normal := normalQuery(raw)
		params, err := url.ParseQuery(normal)
		if err != nil {
			t.Fatalf("%q: %q has no parameters: %v", raw, normal, err)
		}
		if again := normalQuery(normal); again != normal {
			t.Fatalf("%q: the normal form %q becomes %q", raw, normal, again)
		}
		strict, err := url.ParseQuery(raw)
		if err == nil && !strings.Contains(raw, "#") && params.Encode() != strict.Encode() {
			t.Fatalf("%q: a sound query has become %q", raw, normal)
		}
	})
}
