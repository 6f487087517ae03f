package driver

import "runtime"

// body says which body of a call is asked for.
type body int

const (
	requestBody body = iota
	responseBody
)

// lent is what a call lends to the library beyond its message: bodies that the
// host reads when the hook first looks at them, while the call runs.
type lent struct {
	call   *Call
	pinner runtime.Pinner // bodies stay where they are until the call has returned
	unread error          // why one could not be read
}

func (l *lent) read(which body) ([]byte, error) {
	read := l.call.Request.ReadBody
	if which == responseBody {
		read = l.call.Response.ReadBody
	}
	data, err := read()
	if err != nil {
		l.unread = err
	} else if len(data) > 0 {
		l.pinner.Pin(&data[0])
	}
	return data, err
}

func (l *lent) takeBack() {
	l.pinner.Unpin()
	l.call, l.unread = nil, nil
}
