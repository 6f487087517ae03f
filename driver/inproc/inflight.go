//go:build coprocess && python

package inproc

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver/internal/admit"
)

// maxIdle is how long unused buffers are kept.
const maxIdle = 5 * time.Second

// inflightCall is one call into the library: its buffers, which later calls reuse, and
// its ticket. The goroutine of the call fills it, and reads it after do has returned;
// in between it belongs to the goroutine that runs it.
type inflightCall struct {
	admit.Ticket
	callBodies
	rt     *Runtime
	hook   *hookStats
	index  uint64 // in inflightCalls.all
	uses   uint64
	reply  *reply
	err    error
	handle uint64
	// message is the encoded call of a hook, in a buffer that is reused; event is the
	// caller's JSON of an event.
	message, event []byte

	// Guarded by the mutex of inflightCalls.
	callID uint64 // identifies the call in callbacks; 0 while idle
	idle   uint64 // the round of trim in which it became idle
	kept   int64  // size of its buffers while idle
}

// Run makes the call. Any goroutine may run it.
func (c *inflightCall) Run() {
	defer func() {
		if fault := recover(); fault != nil {
			c.err = fmt.Errorf("panic in the driver: %v\n%s", fault, debug.Stack())
		}
	}()
	if c.event != nil {
		c.err = callEvent(c.callID, c.event)
		return
	}
	c.err = callDispatch(c)
}

// do runs the call when it is admitted.
func (c *inflightCall) do(ctx context.Context, hook *hookStats) error {
	c.hook, c.Hook = hook, &hook.Hook
	return c.rt.admission.Do(ctx, &c.Ticket, c.callID)
}

// inflightCalls is the pool of calls. It keeps the buffers of idle ones for later
// calls: at most maxKept bytes, and for at most two rounds of trim, one each maxIdle/2.
type inflightCalls struct {
	rt      *Runtime
	maxKept int64

	mu       sync.Mutex
	all      []*inflightCall
	idle     []*inflightCall // a stack, most recently used last
	kept     int64           // size of the buffers of idle calls
	trimming bool            // trim is scheduled
	rounds   uint64          // how often trim has run; cheaper than the time of each call
}

// indexBits is how many bits of a callID are the index of its inflightCall. The others
// count its uses, so that a late callback of an earlier call does not reach a later one.
const indexBits = 24

// get returns an idle or new call with a fresh callID.
func (p *inflightCalls) get() *inflightCall {
	p.mu.Lock()
	defer p.mu.Unlock()
	var c *inflightCall
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
		p.kept -= c.kept
		c.kept = 0
	} else {
		c = &inflightCall{rt: p.rt, index: uint64(len(p.all)), reply: newReply()}
		c.Init(c)
		p.all = append(p.all, c)
	}
	c.uses++
	c.callID = c.uses<<indexBits | c.index
	return c
}

// put returns c to the pool.
func (p *inflightCalls) put(c *inflightCall) {
	c.detach()
	c.err, c.event = nil, nil
	size := int64(c.reply.size() + cap(c.message))
	p.mu.Lock()
	defer p.mu.Unlock()
	c.callID = 0
	if p.kept+size > p.maxKept {
		p.shrink(c)
		size = 0
	}
	c.kept = size
	p.kept += size
	c.idle = p.rounds
	p.idle = append(p.idle, c)
	if p.kept > 0 && !p.trimming {
		p.trimming = true
		time.AfterFunc(maxIdle/2, p.trim)
	}
}

// trim frees buffers that have not been used for a whole round.
func (p *inflightCalls) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rounds++
	for _, c := range p.idle {
		if p.rounds-c.idle < 2 {
			break // the others were used more recently
		}
		p.kept -= c.kept
		c.kept = 0
		p.shrink(c)
	}
	if p.trimming = p.kept > 0; p.trimming {
		time.AfterFunc(maxIdle/2, p.trim)
	}
}

// shrink frees the buffers of c. mu must be held.
func (p *inflightCalls) shrink(c *inflightCall) {
	c.reply.shrink()
	c.message = nil
}

// keptBytes returns the size of the buffers of idle calls.
func (p *inflightCalls) keptBytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept
}

// lookup returns the running call with that id; nil for 0 and for a call that has ended.
func (p *inflightCalls) lookup(id uint64) *inflightCall {
	index := id & (1<<indexBits - 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if id == 0 || index >= uint64(len(p.all)) || p.all[index].callID != id {
		return nil
	}
	return p.all[index]
}
