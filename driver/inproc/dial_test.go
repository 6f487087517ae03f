package inproc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// served dials a server that handles its one connection with serve.
func served(t *testing.T, serve func(net.Conn)) net.Conn {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		if c, err := listener.Accept(); err == nil {
			defer c.Close()
			serve(c)
		}
	}()
	c, err := Dial(context.Background(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if c.RemoteAddr().String() != listener.Addr().String() {
		t.Error("connected to", c.RemoteAddr())
	}
	return c
}

func TestABlockingConnectionCarriesBytesBothWays(t *testing.T) {
	c := served(t, func(c net.Conn) { _, _ = io.Copy(c, c) })
	sent := bytes.Repeat([]byte("0123456789"), 100_000)
	go func() { _, _ = c.Write(sent) }()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatal(err)
	}
}

func TestABlockingConnectionEndsWithItsPeer(t *testing.T) {
	c := served(t, func(net.Conn) {})
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatal(n, err)
	}
}

func TestABlockingReadEndsAtItsDeadline(t *testing.T) {
	silent := make(chan struct{})
	defer close(silent)
	c := served(t, func(net.Conn) { <-silent })
	for _, deadline := range []time.Duration{50 * time.Millisecond, -time.Second} {
		begin := time.Now()
		if err := c.SetDeadline(begin.Add(deadline)); err != nil {
			t.Fatal(err)
		}
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		if took := time.Since(begin); took < deadline-time.Millisecond {
			t.Error("gave up after", took)
		}
	}
}

func TestABlockingWriteEndsAtItsDeadline(t *testing.T) {
	deaf := make(chan struct{})
	defer close(deaf)
	c := served(t, func(net.Conn) { <-deaf })
	if err := c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestADeadlineTakenBackDoesNotEndARead(t *testing.T) {
	c := served(t, func(c net.Conn) {
		time.Sleep(100 * time.Millisecond)
		_, _ = c.Write([]byte("x"))
	})
	for _, deadline := range []time.Time{time.Now().Add(10 * time.Millisecond), {}} {
		if err := c.SetReadDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

func TestAClosedBlockingConnectionReturnsErrClosed(t *testing.T) {
	c := served(t, func(net.Conn) {})
	_ = c.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Error("read:", err)
	}
	if err := c.SetDeadline(time.Now()); err == nil {
		t.Error("a deadline for a closed connection")
	}
}

func TestDialErrorsNameTheAddress(t *testing.T) {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	address := listener.Addr().String()
	_ = listener.Close()
	if _, err := Dial(context.Background(), "tcp", address); err == nil || !bytes.Contains([]byte(err.Error()), []byte(address)) {
		t.Fatal(err)
	}
}

func TestSeveralReadsAndWritesKeepWithinOneDeadline(t *testing.T) {
	end := make(chan struct{})
	defer close(end)
	trickle := func(c net.Conn) {
		for {
			select {
			case <-end:
				return
			case <-time.After(30 * time.Millisecond): // less than the deadline, for ever
			}
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1<<20)) // takes a little of what is written
		}
	}
	for name, use := range map[string]func(net.Conn) error{
		"read":  func(c net.Conn) error { _, err := io.ReadFull(c, make([]byte, 1000)); return err },
		"write": func(c net.Conn) error { _, err := c.Write(make([]byte, 1<<30)); return err },
		"read again": func(c net.Conn) error {
			_, _ = io.ReadFull(c, make([]byte, 1000))
			_, err := c.Read(make([]byte, 1))
			return err
		},
	} {
		c := served(t, trickle)
		begin := time.Now()
		if err := c.SetDeadline(begin.Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		err := use(c)
		if took := time.Since(begin); !errors.Is(err, os.ErrDeadlineExceeded) || took > 2*time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
	}
}
