package host

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// errTooLarge is returned for a body that exceeds max_body_bytes.
var errTooLarge = errors.New("the body is larger than coprocess_options.max_body_bytes")

// errUnreadable is returned for a body that was not received completely.
var errUnreadable = errors.New("the body was not received completely")

// body is the body of a request or response. It is streamed from its source, and read
// into memory only when a hook reads it; the stream then starts with the bytes in memory.
//
// The transport reads a request's body on its own goroutine while response hooks run,
// which must not wait for a client that waits for the response.
type body struct {
	limit int64
	// keep is set if streamed bytes are kept for hooks that run later.
	keep bool
	// ctx ends when the body is no longer needed. share is the memory that data has
	// reserved.
	ctx   context.Context
	share *reservation

	source  io.ReadCloser
	reading sync.Mutex // locked by those that read from source or change data

	mu       sync.Mutex // guards the fields below; held only briefly
	data     []byte     // the bytes read so far
	streamed int        // bytes of data already streamed
	whole    bool       // data is the complete body
	broken   error      // read error of the source
	lost     error      // why data was dropped while the stream continues
	tooLarge bool
	replaced bool
}

// newBody returns a body that reads from source. Hooks can read at most limit bytes.
func newBody(ctx context.Context, source io.ReadCloser, limit int64, memory *budget) *body {
	return &body{ctx: ctx, source: source, limit: limit, share: memory.reserve(limit + 1)}
}

// bytes returns the complete body, and reads it into memory first if necessary. It
// returns nil if there is no body.
func (b *body) bytes() ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	if !b.whole && !b.tooLarge && b.broken == nil && b.lost == nil {
		b.readAll()
	}
	switch {
	case b.lost != nil:
		return nil, b.lost
	case b.tooLarge:
		return nil, errTooLarge
	case b.broken != nil:
		return nil, errors.Join(errUnreadable, b.broken)
	}
	return b.data, nil
}

// readAll reads the rest into data. It reserves memory before it reads.
func (b *body) readAll() {
	for {
		if len(b.data) == cap(b.data) {
			if b.lost = b.grow(); b.lost != nil {
				return
			}
		}
		n, err := b.source.Read(b.data[len(b.data):cap(b.data)])
		b.mu.Lock()
		b.data = b.data[:len(b.data)+n]
		switch {
		case int64(len(b.data)) > b.limit:
			b.tooLarge = true
		case errors.Is(err, io.EOF):
			b.whole = true
			b.share.shrink(int64(cap(b.data)))
		case err != nil:
			b.broken = err
		}
		ended := b.tooLarge || b.whole || b.broken != nil
		b.mu.Unlock()
		if ended {
			return
		}
	}
}

// firstBuffer is the initial size of a body's buffer, which grows by doubling.
const firstBuffer = 16 << 10

// grow enlarges the buffer. It waits until memory is available.
func (b *body) grow() error {
	size := min(max(2*int64(cap(b.data)), firstBuffer), b.limit+1)
	if err := b.share.acquire(b.ctx, size-int64(cap(b.data))); err != nil {
		return err
	}
	b.data = append(make([]byte, 0, size), b.data...)
	return nil
}

// hasRoom enlarges the buffer for n more bytes if memory is available. It does not wait,
// so that the stream is not delayed.
func (b *body) hasRoom(n int) bool {
	if len(b.data)+n <= cap(b.data) {
		return true
	}
	size := max(2*cap(b.data), firstBuffer, len(b.data)+n)
	if !b.share.tryAcquire(int64(size - cap(b.data))) {
		b.lost = errBusy
		return false
	}
	b.data = append(make([]byte, 0, size), b.data...)
	return true
}

// prefetch reads the body for a hook that is known to look at bodies: waiting for it here
// holds no thread. What is wrong shows when the hook looks.
func (b *body) prefetch(h driver.Hook) *body {
	if b != nil && h.ReadsBody() {
		_, _ = b.bytes()
	}
	return b
}

// forHook returns the body for a hook: its bytes where they are in memory, and how to
// read them where not.
func (b *body) forHook() (data []byte, read func() ([]byte, error)) {
	if b == nil {
		return nil, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.whole {
		return b.data, nil
	}
	return nil, b.bytes
}

// isWhole reports whether the complete body is in memory.
func (b *body) isWhole() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole
}

// replace replaces the body. It returns errBusy if no memory is available.
func (b *body) replace(data []byte) error {
	b.reading.Lock()
	defer b.reading.Unlock()
	if more := int64(len(data)) - b.share.size(); more > 0 {
		if err := b.share.acquire(b.ctx, more); err != nil { // may wait, so without mu
			return err
		}
	}
	b.share.shrink(int64(len(data)))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data, b.streamed = data, 0
	b.whole, b.broken, b.lost, b.tooLarge, b.replaced = true, nil, nil, false, true
	return nil
}

// release frees the reserved memory. The body must not be used afterwards.
func (b *body) release() {
	if b != nil {
		b.share.close()
	}
}

// Read streams the body.
func (b *body) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if n, err := b.readKept(p); n > 0 || err != nil {
		return n, err
	}
	n, err := b.source.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil && !errors.Is(err, io.EOF) {
		b.broken = err
	}
	if b.keep && !b.tooLarge && b.lost == nil && b.hasRoom(n) {
		b.data = append(b.data, p[:n]...)
		b.streamed = len(b.data)
		b.tooLarge = int64(b.streamed) > b.limit
		b.whole = errors.Is(err, io.EOF) && !b.tooLarge
	}
	return n, err
}

// readKept gives what is in memory, and how the body ends; nothing where it goes on
// in the source.
func (b *body) readKept(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streamed < len(b.data) {
		n := copy(p, b.data[b.streamed:])
		b.streamed += n
		return n, nil
	}
	switch {
	case b.whole:
		return 0, io.EOF
	case b.broken != nil:
		return 0, b.broken
	case (b.tooLarge || b.lost != nil) && b.data != nil: // hooks cannot read it
		b.data, b.streamed = nil, 0
		b.share.shrink(0)
	}
	return 0, nil
}

// Close closes the source.
func (b *body) Close() error { return b.source.Close() }
