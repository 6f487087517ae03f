package host

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// errClientSlow is returned for the body of a client that sends too slowly.
var errClientSlow = fmt.Errorf("the client sent the body too slowly: %w", os.ErrDeadlineExceeded)

// minRate is the number of bytes for which a client gets one more second.
const minRate = 1 << 10

// lingerTimeout is how long the server waits for the rest of a body after the response.
const lingerTimeout = 500 * time.Millisecond

// clientBody is the body that the client sends. Reads have a deadline, and the body is not
// read again after its end. The transport reads it on its own goroutine, even after the
// upstream has responded and the server has closed the body.
type clientBody struct {
	source  io.ReadCloser
	control *http.ResponseController
	timeout time.Duration

	reading  sync.Mutex // locked during a read
	ended    error
	waited   time.Duration
	received int64

	deadline sync.Mutex // guards what follows, and the connection's read deadline
	stopped  bool
}

// newClientBody returns a copy of the request with a clientBody, and the writer for
// responses that the gateway makes itself. The server uses the original request, and its
// body, after the handler has returned.
func newClientBody(w http.ResponseWriter, r *http.Request, timeout time.Duration) (http.ResponseWriter, *http.Request) {
	body := &clientBody{source: r.Body, control: http.NewResponseController(w), timeout: timeout}
	body.limit(timeout) // also bounds the server's own reading of a body that no handler has read
	r = r.WithContext(r.Context())
	r.Body = body
	return &ownWriter{w, body}, r
}

// ownWriter writes a response that the gateway makes itself. Before the server sends it, it
// reads the rest of the request's body. It must not wait long for that: the client may be
// waiting for the response before it sends more.
type ownWriter struct {
	http.ResponseWriter
	body *clientBody
}

func (w *ownWriter) WriteHeader(status int) {
	w.body.stop()
	w.ResponseWriter.WriteHeader(status)
}

func (w *ownWriter) Write(p []byte) (int, error) {
	w.body.stop()
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *ownWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// limit sets the read deadline of the connection, if there is one; 0 removes it.
func (b *clientBody) limit(d time.Duration) {
	until := time.Time{}
	if d != 0 {
		until = time.Now().Add(d)
	}
	_ = b.control.SetReadDeadline(until)
}

// Read implements io.Reader. The client has the timeout for the whole body, plus one
// second for each KiB received. Only the time spent in Read counts.
func (b *clientBody) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.ended != nil {
		return 0, b.ended
	}
	allowed := b.timeout + time.Duration(b.received/minRate)*time.Second - b.waited
	b.deadline.Lock()
	if b.stopped {
		b.deadline.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	allowed = max(allowed, time.Millisecond)
	b.limit(allowed)
	b.deadline.Unlock()
	begin := time.Now()
	n, err := b.source.Read(p)
	took := time.Since(begin)
	b.waited += took
	b.received += int64(n)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && took >= allowed {
		err = errClientSlow
	}
	b.ended = err
	b.deadline.Lock()
	defer b.deadline.Unlock()
	if errors.Is(err, io.EOF) && !b.stopped {
		b.limit(0) // the server now watches for the end of the connection
	}
	return n, err
}

// Close does nothing: the server closes the body.
func (b *clientBody) Close() error { return nil }

// hasEnded reports whether the whole body has been read.
func (b *clientBody) hasEnded() bool {
	if b == nil {
		return true
	}
	if !b.reading.TryLock() {
		return false // a read is under way
	}
	defer b.reading.Unlock()
	return errors.Is(b.ended, io.EOF)
}

// isSlow stops reading and reports whether the client was too slow.
func (b *clientBody) isSlow() bool {
	if b == nil {
		return false
	}
	b.stop()
	b.reading.Lock()
	defer b.reading.Unlock()
	return errors.Is(b.ended, errClientSlow)
}

// stop ends a read that is under way, and returns the connection to the server.
func (b *clientBody) stop() {
	if b == nil || b.hasEnded() {
		return
	}
	b.deadline.Lock()
	b.stopped = true
	b.limit(-time.Second)
	b.deadline.Unlock()
	b.reading.Lock()
	defer b.reading.Unlock()
	b.limit(lingerTimeout)
}
