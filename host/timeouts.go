package host

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// timeouts bounds every wait for a client or an upstream. While data is transferred, only
// a lack of progress counts.
type timeouts struct {
	read     time.Duration // for a client to send its request
	write    time.Duration // for a client to read, and an upstream to continue, a response
	upstream time.Duration // to connect, and to start the response
}

const (
	defaultClientTimeout   = 120 * time.Second // Tyk's
	defaultUpstreamTimeout = 30 * time.Second  // Tyk's
	maxTimeout             = 365 * 24 * time.Hour
)

// errUpstreamSlow means that an upstream stopped sending its response.
var errUpstreamSlow = fmt.Errorf("the upstream stopped sending its response: %w", os.ErrDeadlineExceeded)

func (s *Settings) timeouts() timeouts {
	seconds := func(n float64, otherwise time.Duration) time.Duration {
		if n == 0 {
			return otherwise
		}
		return time.Duration(n * float64(time.Second))
	}
	return timeouts{
		read:     seconds(float64(s.HTTPServer.ReadTimeout), defaultClientTimeout),
		write:    seconds(float64(s.HTTPServer.WriteTimeout), defaultClientTimeout),
		upstream: seconds(s.ProxyDefaultTimeout, defaultUpstreamTimeout),
	}
}

func (s *Settings) checkTimeouts() error {
	for name, n := range map[string]float64{
		"http_server_options.read_timeout":  float64(s.HTTPServer.ReadTimeout),
		"http_server_options.write_timeout": float64(s.HTTPServer.WriteTimeout),
		"proxy_default_timeout":             s.ProxyDefaultTimeout,
	} {
		if !(n >= 0 && n <= maxTimeout.Seconds()) {
			return fmt.Errorf("%s %v: it must be a number of seconds up to a year, or 0 for the default", name, n)
		}
	}
	return nil
}

// progressListener accepts connections whose writes must make progress.
type progressListener struct {
	net.Listener
	timeout time.Duration
}

func (l progressListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &progressConn{conn, l.timeout}, nil
}

// progressConn fails a write when the peer reads nothing for the timeout.
type progressConn struct {
	net.Conn
	timeout time.Duration
}

// writeChunk is the number of bytes that the peer must read within the timeout.
const writeChunk = 64 << 10

func (c *progressConn) Write(p []byte) (written int, err error) {
	for {
		chunk := p[written:min(len(p), written+writeChunk)]
		if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return written, err
		}
		n, err := c.Conn.Write(chunk)
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
	}
}

// CloseWrite shuts down the writing side, which the server does before it closes.
func (c *progressConn) CloseWrite() error {
	if conn, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return conn.CloseWrite()
	}
	return errors.ErrUnsupported
}
