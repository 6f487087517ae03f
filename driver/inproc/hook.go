//go:build coprocess && python

package inproc

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/admit"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/codec"
)

// hook implements driver.Hook.
type hook struct {
	rt      *Runtime
	handle  uint64
	binding driver.Binding
	stats   hookStats
}

// hookStats is what the driver has learnt about one hook.
type hookStats struct {
	admit.Hook
	readsBody atomic.Bool
}

// Dispatch implements driver.Hook: one call into Python.
func (h *hook) Dispatch(ctx context.Context, call *driver.Call) (*driver.Reply, error) {
	c := h.rt.calls.get()
	defer h.rt.calls.put(c)
	var session [2]int
	c.attach(c.callID, call)
	c.handle = h.handle
	c.message, session = codec.AppendCall(c.message[:0], call)
	if err := c.do(ctx, &h.stats); err != nil {
		return nil, fmt.Errorf("%s: waiting for the interpreter: %w", h, err)
	}
	if c.err != nil && c.readErr != nil {
		return nil, fmt.Errorf("%s: %w", h, c.readErr)
	}
	if c.err != nil {
		return nil, c.err
	}

	sent := string(c.message[session[0]:session[1]])
	reply, err := codec.DecodeReply(c.reply.message(), call, sent)
	if err != nil {
		return nil, driver.NewError(driver.ErrBadMessage, fmt.Sprintf("%s: decoding the reply: %v", h, err))
	}
	if body, replaced := c.reply.body(); replaced {
		if h.binding.Type == driver.Response && reply.Response != nil {
			reply.Response.Body, reply.Response.BodyReplaced = body, true
		} else {
			reply.Body, reply.BodyReplaced = body, true
		}
	}
	if err := codec.CheckReply(reply); err != nil {
		return nil, driver.NewError(driver.ErrHookFailed, fmt.Sprintf("%s: %v", h, err))
	}
	return reply, nil
}

// ReadsBody implements driver.Hook.
func (h *hook) ReadsBody() bool { return h.stats.readsBody.Load() }

// Close implements driver.Hook.
func (h *hook) Close() {
	_, _ = h.rt.control.do(needsGIL, h.rt.importTimeout, func() ([]byte, error) {
		unbindHook(h.handle)
		return nil, nil
	})
}

// String implements driver.Hook.
func (h *hook) String() string {
	return fmt.Sprintf("hook %q (%s) of API %q", h.binding.Name, h.binding.Type, h.binding.Spec["APIID"])
}
