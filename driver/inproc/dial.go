package inproc

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Dial connects as net.Dial does, but reads and writes block their thread. It is meant
// for a store client that only the store methods of Host use.
//
// The goroutine of a callback is locked to its thread. If it waits in Go's poller,
// another thread must first see that data has arrived and then wake the first one. A
// thread that waits in the kernel is woken by the data itself.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	polled, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer polled.Close() // removes it from the poller; the copy stays open
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

// blockingCopy duplicates a descriptor and puts the socket into blocking mode.
func blockingCopy(original int) (int, error) {
	// Prevents a fork from inheriting a descriptor that is not close-on-exec yet.
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

// blockingConn is a connection that does not use Go's poller. A kernel timeout bounds
// each read and write; it is set to the remaining time before each, so that together
// they keep the deadline. Close does not interrupt a read or write; the timeout does.
type blockingConn struct {
	file          *os.File
	raw           syscall.RawConn // the file's
	local, remote net.Addr
	reads, writes limit
}

// limit is the deadline of reads or writes.
type limit struct {
	deadline atomic.Int64 // in nanoseconds since 1970; 0 is none
	applied  atomic.Bool  // it has just been set in the kernel
}

func (c *blockingConn) Read(p []byte) (int, error) {
	if err := c.renew(&c.reads, syscall.SO_RCVTIMEO); err != nil {
		return 0, err
	}
	n, err := c.file.Read(p)
	return n, timedOut(err)
}

// Write repeats until all of p is written: the kernel writes a part when it times out.
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
	var left time.Duration // 0 means no timeout
	if !t.IsZero() {
		deadline, left = t.UnixNano(), max(time.Until(t), time.Microsecond)
	}
	l.deadline.Store(deadline)
	l.applied.Store(true)
	return c.timeout(option, left)
}

// renew sets the kernel's timeout for the next read or write to the remaining time.
func (c *blockingConn) renew(l *limit, option int) error {
	deadline := l.deadline.Load()
	if l.applied.Swap(false) || deadline == 0 {
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

// timedOut converts the kernel's timeout error to os.ErrDeadlineExceeded.
func timedOut(err error) error {
	if errors.Is(err, syscall.EAGAIN) {
		return os.ErrDeadlineExceeded
	}
	return err
}
