package driver

import "runtime"

// body says which body of a call is asked for.
type body int

const (
	requestBody body = iota
	responseBody
)

// lent is what a call lends to the library beyond its message: bodies that the
// host reads when the hook first looks at them. It is used under the admission's
// lock or by the call alone: the library asks while the call runs only.
type lent struct {
	call   *Call
	pinner runtime.Pinner // bodies stay where they are until the call has returned
	err    error          // why one could not be read
}

func (l *lent) read(which body) ([]byte, error) {
	read := l.call.Request.ReadBody
	if which == responseBody {
		read = l.call.Response.ReadBody
	}
	data, err := read()
	if err != nil {
		l.err = err
	} else if len(data) > 0 {
		l.pinner.Pin(&data[0])
	}
	return data, err
}

// takeBack ends the loan; it returns why a body could not be read.
func (l *lent) takeBack() error {
	err := l.err
	l.pinner.Unpin()
	l.call, l.err = nil, nil
	return err
}
