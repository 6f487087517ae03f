package driver

import (
	"errors"
	"runtime"
	"sync"
)

// body says which body of a call is asked for.
type body int

const (
	requestBody body = iota
	responseBody
)

// errEnded is why a body was not read: its call has ended.
var errEnded = errors.New("the call has ended")

// lent is what a call lends to the library beyond its message: bodies that the
// host reads when the hook first looks at them, while the call runs. Threads of
// plugins may ask too, at once and late.
type lent struct {
	reading sync.RWMutex // shared by those who read, whole for the call's begin and end
	id      uint64       // of the call; 0 when there is none
	call    *Call

	mu     sync.Mutex     // for the two below
	pinner runtime.Pinner // bodies stay where they are until the call has returned
	unread error          // why one could not be read
}

// lend begins call id.
func (l *lent) lend(id uint64, call *Call) {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.id, l.call = id, call
}

// read returns a body of call id, pinned until that returns.
func (l *lent) read(id uint64, which body) ([]byte, error) {
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
		l.unread = err
	} else if len(data) > 0 {
		l.pinner.Pin(&data[0])
	}
	return data, err
}

// takeBack ends the call; it waits for those who still read.
func (l *lent) takeBack() {
	l.reading.Lock()
	defer l.reading.Unlock()
	l.pinner.Unpin()
	l.id, l.call, l.unread = 0, nil, nil
}
