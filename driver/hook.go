//go:build coprocess && python

package driver

import (
	"context"
	"fmt"
)

// Hook is one hook of one API. After Load has replaced the code of its source, the
// next call runs the new code.
type Hook struct {
	rt      *Runtime
	handle  uint64
	binding Binding
	stats   hookStats
}

// Dispatch runs the hook: one call into Python. ctx bounds the wait for the
// interpreter, not the hook itself.
//
// When Dispatch returns an error the request must not pass. The error's text has no
// traceback; the Detail of an *Error does.
func (h *Hook) Dispatch(ctx context.Context, call *Call) (*Reply, error) {
	c := h.rt.calls.get()
	defer h.rt.calls.put(c)
	var session [2]int
	c.attach(c.callID, call)
	c.handle = h.handle
	c.message, session = appendCall(c.message[:0], call)
	if err := c.do(ctx, &h.stats); err != nil {
		return nil, fmt.Errorf("%s: waiting for the interpreter: %w", h, err)
	}
	if c.err != nil && c.readErr != nil {
		return nil, fmt.Errorf("%s: %w", h, c.readErr)
	}
	if c.err != nil {
		return nil, c.err
	}

	reply := &Reply{}
	sent := string(c.message[session[0]:session[1]])
	if err := decodeReply(reply, c.reply.message(), call, sent); err != nil {
		return nil, &Error{kind: ErrBadMessage, text: fmt.Sprintf("%s: decoding the reply: %v", h, err)}
	}
	if body, replaced := c.reply.body(); replaced {
		if h.binding.Type == Response && reply.Response != nil {
			reply.Response.Body, reply.Response.BodyReplaced = body, true
		} else {
			reply.Body, reply.BodyReplaced = body, true
		}
	}
	if err := checkReply(reply); err != nil {
		return nil, &Error{kind: ErrHookFailed, text: fmt.Sprintf("%s: %v", h, err)}
	}
	return reply, nil
}

// ReadsBody reports whether the hook is known to read bodies. If so, the host should
// read the body before it calls Dispatch: a hook that waits for it blocks a thread.
func (h *Hook) ReadsBody() bool { return h.stats.readsBody.Load() }

// Close unbinds the hook. Running calls finish.
func (h *Hook) Close() {
	_, _ = h.rt.control.do(needsGIL, h.rt.importTimeout, func() ([]byte, error) {
		h.rt.library.unbindHook(h.handle)
		return nil, nil
	})
}

// String returns the hook's name for the log.
func (h *Hook) String() string {
	return fmt.Sprintf("hook %q (%s) of API %q", h.binding.Name, h.binding.Type, h.binding.Spec["APIID"])
}
