//go:build coprocess && python

package inproc

import (
	"errors"
	"runtime"
	"sync"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// body selects one of the two bodies of a call.
type body int

const (
	requestBody body = iota
	responseBody
)

// errEnded is returned for a body whose call has ended.
var errEnded = errors.New("the call has ended")

// callBodies are the bodies of one call that the host reads when the hook first
// accesses them, while the call runs. Threads of plugins may access them too,
// concurrently and after the call has ended.
type callBodies struct {
	reading sync.RWMutex // read-locked while a body is read, locked at the call's begin and end
	id      uint64       // of the call; 0 if there is none
	call    *driver.Call

	mu      sync.Mutex     // guards the fields below
	pinner  runtime.Pinner // pins bodies until the call has returned
	readErr error          // why a body could not be read
}

// attach begins the call with that id.
func (l *callBodies) attach(id uint64, call *driver.Call) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.id, l.call = id, call
}

// read returns a body of the call with that id, pinned until the call returns.
func (l *callBodies) read(id uint64, which body) ([]byte, error) {
	l.reading.RLock()
	defer l.reading.RUnlock()
	if l.id != id || l.call == nil {
		return nil, errEnded
	}
	read := l.call.Request.ReadBody
	if which == responseBody {
		if l.call.Response == nil {
			return nil, errors.New("there is no response yet")
		}
		read = l.call.Response.ReadBody
	}
	if read == nil {
		return nil, errors.New("there is no body to read")
	}
	data, err := read()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.readErr = err
	} else if len(data) > 0 {
		l.pinner.Pin(&data[0])
	}
	return data, err
}

// detach ends the call; it waits for reads that are under way.
func (l *callBodies) detach() {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.pinner.Unpin()
	l.id, l.call, l.readErr = 0, nil, nil
}
