package host

import (
	"errors"
	"io"
	"sync"
)

// errTooLarge is why a hook was not given a body: it is above max_body_bytes.
var errTooLarge = errors.New("the body is larger than coprocess_options.max_body_bytes")

// errUnreadable is why a hook was not given a body: it did not arrive whole.
var errUnreadable = errors.New("the body did not arrive")

// body is a request's or a response's. It is streamed from its source to whoever
// reads it, and read into memory only when a hook looks at it; the stream then
// gives what is in memory first.
//
// The transport reads a request's body from a goroutine of its own while response
// hooks may look at it.
type body struct {
	limit int64
	// keep: what is streamed is kept, for hooks that run when it is gone.
	keep bool

	mu       sync.Mutex
	source   io.ReadCloser
	data     []byte // what has been read, from the beginning
	streamed int    // how much of data the stream has given
	whole    bool   // data is all of it
	broken   error  // of the source: what follows data never comes
	tooLarge bool
	replaced bool
}

// bytes returns the whole body, read into memory when it is not there yet; nothing
// where there is no body.
func (b *body) bytes() ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.whole && !b.tooLarge && b.broken == nil {
		var rest []byte
		rest, b.broken = io.ReadAll(io.LimitReader(b.source, b.limit+1-int64(len(b.data))))
		b.data = append(b.data, rest...)
		b.tooLarge = int64(len(b.data)) > b.limit
		b.whole = !b.tooLarge && b.broken == nil
	}
	switch {
	case b.tooLarge:
		return nil, errTooLarge
	case b.broken != nil:
		return nil, errors.Join(errUnreadable, b.broken)
	}
	return b.data, nil
}

// lend returns the body for a hook: its bytes where they are in memory, and how to
// read them where not. For a hook that is known to look at bodies it is read here,
// where waiting for it holds no thread; what is wrong shows when the hook looks.
func (b *body) lend(h hook) (data []byte, read func() ([]byte, error)) {
	if b == nil {
		return nil, nil
	}
	if h.ReadsBody() {
		_, _ = b.bytes()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.whole {
		return b.data, nil
	}
	return nil, b.bytes
}

// isWhole tells whether all of the body is in memory.
func (b *body) isWhole() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.whole
}

// replace puts another body in this one's place.
func (b *body) replace(data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data, b.streamed = data, 0
	b.whole, b.broken, b.tooLarge, b.replaced = true, nil, false, true
}

// Read streams the body.
func (b *body) Read(p []byte) (int, error) {
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
	case b.tooLarge: // no hook will be given it
		b.data, b.streamed = nil, 0
	}
	n, err := b.source.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.broken = err
	}
	if b.keep && !b.tooLarge {
		b.data = append(b.data, p[:n]...)
		b.streamed = len(b.data)
		b.tooLarge = int64(b.streamed) > b.limit
		b.whole = errors.Is(err, io.EOF) && !b.tooLarge
	}
	return n, err
}

// Close closes the source.
func (b *body) Close() error { return b.source.Close() }
