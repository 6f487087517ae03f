package driver

import (
	"context"
	"errors"
	"net"
	"os"
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
	return &blockingConn{file, raw, polled.LocalAddr(), polled.RemoteAddr()}, nil
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

// blockingConn is a connection outside of Go's poller. A deadline becomes the
// kernel's timeout of each read or write from then on. Close does not end one that
// runs: the timeout does.
type blockingConn struct {
	file          *os.File
	raw           syscall.RawConn // the file's
	local, remote net.Addr
}

func (c *blockingConn) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	return n, timedOut(err)
}

func (c *blockingConn) Write(p []byte) (int, error) {
	n, err := c.file.Write(p)
	return n, timedOut(err)
}

func (c *blockingConn) Close() error         { return c.file.Close() }
func (c *blockingConn) LocalAddr() net.Addr  { return c.local }
func (c *blockingConn) RemoteAddr() net.Addr { return c.remote }

func (c *blockingConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *blockingConn) SetReadDeadline(t time.Time) error {
	return c.timeout(syscall.SO_RCVTIMEO, t)
}

func (c *blockingConn) SetWriteDeadline(t time.Time) error {
	return c.timeout(syscall.SO_SNDTIMEO, t)
}

func (c *blockingConn) timeout(option int, t time.Time) error {
	var left time.Duration // 0 is for ever
	if !t.IsZero() {
		left = max(time.Until(t), time.Microsecond)
	}
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
