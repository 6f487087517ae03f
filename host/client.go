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

// errClientSlow is why a request's body did not arrive.
var errClientSlow = fmt.Errorf("the client sent the body too slowly: %w", os.ErrDeadlineExceeded)

// minRate is what a client must send of a body in each second beyond the timeout.
const minRate = 1 << 10

// lingerTimeout is how long the rest of a body is waited for when its request has ended.
const lingerTimeout = 500 * time.Millisecond

// clientBody is a request's body as the client sends it: read with a deadline, and never
// again once it has ended. The transport reads it from a goroutine of its own, even when
// the upstream has answered and the server has closed the body.
type clientBody struct {
	source  io.ReadCloser
	control *http.ResponseController
	timeout time.Duration

	reading  sync.Mutex // held while somebody reads
	ended    error
	waited   time.Duration
	received int64

	deadline sync.Mutex // guards what follows, and the connection's read deadline
	stopped  bool
}

func newClientBody(w http.ResponseWriter, source io.ReadCloser, timeout time.Duration) *clientBody {
	return &clientBody{source: source, control: http.NewResponseController(w), timeout: timeout}
}

// limit sets how long a read may take; it fails where there is no connection.
func (b *clientBody) limit(d time.Duration) {
	until := time.Time{}
	if d != 0 {
		until = time.Now().Add(d)
	}
	_ = b.control.SetReadDeadline(until)
}

// Read reads what has come. The client has the timeout for all of the body, and one more
// second for each KiB of it; the time that others take does not count.
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
		b.limit(0) // the server now watches the connection for its end
	}
	return n, err
}

// Close leaves the body to the server.
func (b *clientBody) Close() error { return nil }

// hasEnded tells whether all of the body has been read.
func (b *clientBody) hasEnded() bool {
	if b == nil {
		return true
	}
	if !b.reading.TryLock() {
		return false // somebody waits for more
	}
	defer b.reading.Unlock()
	return errors.Is(b.ended, io.EOF)
}

// isSlow tells whether the client was too slow; nobody reads after it.
func (b *clientBody) isSlow() bool {
	if b == nil {
		return false
	}
	b.stop()
	b.reading.Lock()
	defer b.reading.Unlock()
	return errors.Is(b.ended, errClientSlow)
}

// stop ends a read that is under way: the server takes the connection back.
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
