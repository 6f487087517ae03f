package driver

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Dial connects as net.Dial does, for a store client that StoreGet and StoreSet use
// and nothing else does: reads and writes block their thread.
//
// The goroutine of a callback is bound to its thread. When it waits in Go's poller
// another thread must first see that its data has come, and then wake that one;
// a thread that waits in the kernel is woken by the data itself.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	polled, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer polled.Close() // takes it out of the poller; the copy stays open
	raw, err := polled.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var copyErr error
	err = raw.Control(func(original uintptr) { fd, copyErr = blockingCopy(int(original)) })
	if err := errors.Join(err, copyErr); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), address)
	if raw, err = file.SyscallConn(); err != nil {
		return nil, err
	}
	return &blockingConn{file: file, raw: raw, local: polled.LocalAddr(), remote: polled.RemoteAddr()}, nil
}

// blockingCopy returns another descriptor of the same socket, which blocks now.
func blockingCopy(original int) (int, error) {
	// Held against a fork, which would take along a descriptor that is not close-on-exec yet.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Dup(original)
	if err != nil {
		return 0, err
	}
	syscall.CloseOnExec(fd)
	if err := syscall.SetNonblock(fd, false); err != nil {
		_ = syscall.Close(fd)
		return 0, err
	}
	return fd, nil
}

// blockingConn is a connection outside of Go's poller. The kernel's timeout bounds each
// read or write; it is set anew to what is left, so that several of them keep within one
// deadline. Close does not end one that runs: the timeout does.
type blockingConn struct {
	file          *os.File
	raw           syscall.RawConn // the file's
	local, remote net.Addr
	reads, writes limit
}

// limit is the deadline of reads or writes.
type limit struct {
	deadline atomic.Int64 // in nanoseconds since 1970; 0 is none
	fresh    atomic.Bool  // the kernel has just been told it
}

func (c *blockingConn) Read(p []byte) (int, error) {
	if err := c.renew(&c.reads, syscall.SO_RCVTIMEO); err != nil {
		return 0, err
	}
	n, err := c.file.Read(p)
	return n, timedOut(err)
}

// Write goes on until all is written: the kernel takes a part when its time is up.
func (c *blockingConn) Write(p []byte) (written int, err error) {
	for written < len(p) {
		if err := c.renew(&c.writes, syscall.SO_SNDTIMEO); err != nil {
			return written, err
		}
		var n int
		var writeErr error
		err := c.raw.Control(func(fd uintptr) { n, writeErr = syscall.Write(int(fd), p[written:]) })
		if err := errors.Join(err, timedOut(writeErr)); err != nil && !errors.Is(err, syscall.EINTR) {
			return written, err
		}
		written += max(n, 0)
	}
	return written, nil
}

func (c *blockingConn) Close() error         { return c.file.Close() }
func (c *blockingConn) LocalAddr() net.Addr  { return c.local }
func (c *blockingConn) RemoteAddr() net.Addr { return c.remote }

func (c *blockingConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *blockingConn) SetReadDeadline(t time.Time) error {
	return c.set(&c.reads, syscall.SO_RCVTIMEO, t)
}

func (c *blockingConn) SetWriteDeadline(t time.Time) error {
	return c.set(&c.writes, syscall.SO_SNDTIMEO, t)
}

func (c *blockingConn) set(l *limit, option int, t time.Time) error {
	var deadline int64
	var left time.Duration // 0 is for ever
	if !t.IsZero() {
		deadline, left = t.UnixNano(), max(time.Until(t), time.Microsecond)
	}
	l.deadline.Store(deadline)
	l.fresh.Store(true)
	return c.timeout(option, left)
}

// renew tells the kernel what is left of a deadline for one more read or write.
func (c *blockingConn) renew(l *limit, option int) error {
	deadline := l.deadline.Load()
	if l.fresh.Swap(false) || deadline == 0 {
		return nil
	}
	left := time.Until(time.Unix(0, deadline))
	if left <= 0 {
		return os.ErrDeadlineExceeded
	}
	return c.timeout(option, max(left, time.Microsecond))
}

func (c *blockingConn) timeout(option int, left time.Duration) error {
	timeval := syscall.NsecToTimeval(left.Nanoseconds())
	var optionErr error
	err := c.raw.Control(func(fd uintptr) {
		optionErr = syscall.SetsockoptTimeval(int(fd), syscall.SOL_SOCKET, option, &timeval)
	})
	return errors.Join(err, optionErr)
}

// timedOut is err, as the rest of the world knows it.
func timedOut(err error) error {
	if errors.Is(err, syscall.EAGAIN) {
		return os.ErrDeadlineExceeded
	}
	return err
}
