//go:build coprocess && python

package driver

import (
	"context"
	"fmt"
	"runtime"
)

// Hook is one hook of one API. It follows its source: when Load swaps the code,
// the next call runs the new one.
type Hook struct {
	rt      *Runtime
	handle  uint64
	binding Binding
	habits  habits
}

// buffers is the memory of one call, used again.
type buffers struct {
	message []byte
	reply   *reply
}

// Replies above this size are given back after the call, not kept for the next.
const keptReply = 4 << 20

// Dispatch runs the hook: one crossing into Python and back, on the calling
// goroutine's thread. ctx bounds the wait for the interpreter, not the hook.
//
// When it fails the request must not pass: the error says why, without a
// traceback; an *Error's Detail has that.
func (h *Hook) Dispatch(ctx context.Context, call *Call) (*Reply, error) {
	rt := h.rt
	b := rt.buffers.Get().(*buffers)
	defer rt.putBuffers(b)
	message, session := appendCall(b.message[:0], call)
	b.message = message

	place, err := rt.admission.enter(ctx, &h.habits, call)
	if err != nil {
		return nil, fmt.Errorf("%s waited for the interpreter: %w", h, err)
	}
	err = rt.library.call(place.id, h.handle, message, call, b.reply)
	unread := rt.admission.leave(place)
	if err != nil && unread != nil {
		return nil, fmt.Errorf("%s: %w", h, unread)
	}
	if err != nil {
		return nil, err
	}

	reply := &Reply{}
	if err := decodeReply(reply, b.reply.message(), call, string(message[session[0]:session[1]])); err != nil {
		return nil, &Error{kind: ErrBadMessage, text: fmt.Sprintf("the reply of %s does not decode: %v", h, err)}
	}
	if body, replaced := b.reply.body(); replaced {
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
func (h *Hook) ReadsBody() bool { return h.habits.looks.Load() }

// Close forgets the hook. Calls that run finish.
func (h *Hook) Close() { h.rt.library.forget(h.handle) }

// String names the hook as the log does.
func (h *Hook) String() string {
	return fmt.Sprintf("hook %q (%s) of API %q", h.binding.Name, h.binding.Type, h.binding.Spec["APIID"])
}

func (rt *Runtime) newBuffers() any {
	b := &buffers{reply: rt.library.newReply()}
	// The pool may drop it at any collection; its C memory goes with it.
	runtime.SetFinalizer(b, func(b *buffers) { rt.library.freeReply(b.reply) })
	return b
}

func (rt *Runtime) putBuffers(b *buffers) {
	if b.reply.size() > keptReply {
		rt.library.shrink(b.reply)
	}
	rt.buffers.Put(b)
}
