//go:build coprocess && python

package driver

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// inflightCall is one call into the library: its memory, used again by later calls,
// and its place. The goroutine of the call fills it and reads it when do has
// returned; in between it belongs to the goroutine that runs it.
type inflightCall struct {
	ticket
	lent
	rt     *Runtime
	index  uint64 // in inflightCalls.all
	uses   uint64
	reply  *reply
	err    error
	handle uint64
	// message is the encoded call of a hook, its buffer kept for the next; event is
	// the caller's JSON of an event.
	message, event []byte

	// Of the owner, under its lock.
	name uint64    // of the call in callbacks; 0 while this is idle
	idle time.Time // since when
	kept int64     // bytes that it keeps while idle
}

// run makes the call, on whatever goroutine has a place for it.
func (c *inflightCall) run() {
	defer func() {
		if fault := recover(); fault != nil {
			c.err = fmt.Errorf("the driver failed: %v\n%s", fault, debug.Stack())
		}
	}()
	if c.event != nil {
		_, c.err = c.rt.library.json(c.rt.library.dispatchEvent, c.name, c.event)
		return
	}
	c.err = c.rt.library.call(c)
}

// do runs the call when it has a place.
func (c *inflightCall) do(ctx context.Context, hook *hookStats) error {
	c.hook = hook
	return c.rt.admission.do(ctx, &c.ticket, c.name)
}

// inflightCalls are all that were ever made, and those that are idle. Buffers of idle
// ones are kept for later calls: no more than most bytes, and not for longer than
// keptFor.
type inflightCalls struct {
	rt   *Runtime
	most int64

	mu       sync.Mutex
	all      []*inflightCall
	idle     []*inflightCall // used last comes last, and is used first
	kept     int64           // bytes that idle ones keep
	trimming bool            // trim will run
}

// indexBits of a call's name say which inflightCall it is; the others count its uses,
// so that a late callback of an earlier call names no later one.
const indexBits = 24

// get returns an idle one, with a name of its own for this call.
func (p *inflightCalls) get() *inflightCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	var c *inflightCall
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
		p.kept -= c.kept
		c.kept = 0
	} else {
		c = &inflightCall{rt: p.rt, index: uint64(len(p.all)), reply: p.rt.library.newReply()}
		c.work, c.done = c, make(chan struct{}, 1)
		p.all = append(p.all, c)
	}
	c.uses++
	c.name = c.uses<<indexBits | c.index
	return c
}

// put ends the use of c.
func (p *inflightCalls) put(c *inflightCall) {
	c.takeBack()
	c.err, c.event = nil, nil
	size := int64(c.reply.size() + cap(c.message))
	p.mu.Lock()
	defer p.mu.Unlock()
	c.name = 0
	if p.kept+size > p.most {
		p.shrink(c)
		size = 0
	}
	c.kept = size
	p.kept += size
	c.idle = time.Now()
	p.idle = append(p.idle, c)
	if p.kept > 0 && !p.trimming {
		p.trimming = true
		time.AfterFunc(keptFor, p.trim)
	}
}

// trim gives back what has not been used for a while.
func (p *inflightCalls) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.idle {
		if time.Since(c.idle) < keptFor {
			break // later ones were used later
		}
		p.kept -= c.kept
		c.kept = 0
		p.shrink(c)
	}
	if p.trimming = p.kept > 0; p.trimming {
		time.AfterFunc(keptFor, p.trim)
	}
}

// shrink gives back the buffers of c. mu is held.
func (p *inflightCalls) shrink(c *inflightCall) {
	p.rt.library.shrink(c.reply)
	c.message = nil
}

// keptBytes is how much idle calls keep.
func (p *inflightCalls) keptBytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept
}

// of returns the call of that name; nil for 0, and when it has ended.
func (p *inflightCalls) of(name uint64) *inflightCall {
	index := name & (1<<indexBits - 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if name == 0 || index >= uint64(len(p.all)) || p.all[index].name != name {
		return nil
	}
	return p.all[index]
}
