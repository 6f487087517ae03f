//go:build coprocess && python

package driver

import (
	"context"
	"fmt"
)

// Hook is one hook of one API. It follows its source: when Load swaps the code,
// the next call runs the new one.
type Hook struct {
	rt      *Runtime
	handle  uint64
	binding Binding
	stats   hookStats
}

// Dispatch runs the hook: one call into Python and back. ctx bounds the wait
// for the interpreter, not the hook.
//
// When it fails the request must not pass: the error says why, without a
// traceback; an *Error's Detail has that.
func (h *Hook) Dispatch(ctx context.Context, call *Call) (*Reply, error) {
	c := h.rt.calls.get()
	defer h.rt.calls.put(c)
	var session [2]int
	c.lend(c.name, call)
	c.handle = h.handle
	c.message, session = appendCall(c.message[:0], call)
	if err := c.do(ctx, &h.stats); err != nil {
		return nil, fmt.Errorf("%s waited for the interpreter: %w", h, err)
	}
	if c.err != nil && c.unread != nil {
		return nil, fmt.Errorf("%s: %w", h, c.unread)
	}
	if c.err != nil {
		return nil, c.err
	}

	reply := &Reply{}
	sent := string(c.message[session[0]:session[1]])
	if err := decodeReply(reply, c.reply.message(), call, sent); err != nil {
		return nil, &Error{kind: ErrBadMessage, text: fmt.Sprintf("the reply of %s does not decode: %v", h, err)}
	}
	if body, replaced := c.reply.body(); replaced {
		if h.binding.Type == Response && reply.Response != nil {
			reply.Response.Body, reply.Response.BodyReplaced = body, true
		} else {
			reply.Body, reply.BodyReplaced = body, true
		}
	}
	if err := reply.check(); err != nil {
		return nil, &Error{kind: ErrHookFailed, text: fmt.Sprintf("%s: %v", h, err)}
	}
	return reply, nil
}

// ReadsBody tells whether the hook is known to look at bodies. Then the host does
// well to read the body before Dispatch: a hook that waits for it holds a thread.
func (h *Hook) ReadsBody() bool { return h.stats.readsBody.Load() }

// Close forgets the hook. Calls that run finish.
func (h *Hook) Close() {
	_, _ = h.rt.managed.do(pythonAnswers, h.rt.importTimeout, func() ([]byte, error) {
		h.rt.library.forget(h.handle)
		return nil, nil
	})
}

// String names the hook as the log does.
func (h *Hook) String() string {
	return fmt.Sprintf("hook %q (%s) of API %q", h.binding.Name, h.binding.Type, h.binding.Spec["APIID"])
}
