//go:build coprocess && python

package driver

import (
	"context"
	"sync"
)

// crossing is one call into the library: its memory, used again by later calls,
// and its place. The goroutine of the call fills it and reads it when do has
// returned; in between it belongs to the goroutine that runs it.
type crossing struct {
	ticket
	lent
	rt     *Runtime
	id     uint32 // its name in callbacks, from 1
	reply  *reply
	err    error
	handle uint64
	// message is the encoded call of a hook, or the JSON of an event.
	message []byte
}

// keptBytes: memory above this size is given back after the call, not kept.
const keptBytes = 4 << 20

// run makes the crossing, on whatever goroutine has a place for it.
func (c *crossing) run() {
	if c.call == nil {
		_, c.err = c.rt.library.json(c.rt.library.dispatchEvent, c.id, c.message)
		return
	}
	c.err = c.rt.library.call(c)
}

// do runs the crossing when it has a place.
func (c *crossing) do(ctx context.Context, hook *habits) error {
	c.hook = hook
	return c.rt.admission.do(ctx, &c.ticket)
}

// crossings are all that were ever made, and those that are not in use.
type crossings struct {
	mu   sync.Mutex
	all  []*crossing // by id-1
	idle []*crossing
}

// get returns one that is not in use.
func (p *crossings) get(rt *Runtime) *crossing {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		return c
	}
	c := &crossing{rt: rt, id: uint32(len(p.all) + 1), reply: rt.library.newReply()}
	c.work, c.done = c, make(chan struct{}, 1)
	p.all = append(p.all, c)
	return c
}

// put ends the use of c.
func (p *crossings) put(c *crossing) {
	c.takeBack()
	c.err = nil
	if c.reply.size() > keptBytes {
		c.rt.library.shrink(c.reply)
	}
	if cap(c.message) > keptBytes {
		c.message = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, c)
}

// of returns the crossing of that id, nil for 0.
func (p *crossings) of(id uint32) *crossing {
	if id == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all[id-1]
}
