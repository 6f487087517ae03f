package host

import (
	"bufio"
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver/inproc"
)

// silentRedis accepts connections and answers their greeting only, or nothing at all.
func silentRedis(t *testing.T, greets bool) StorageSettings {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				lines := bufio.NewScanner(c)
				for lines.Scan() {
					if greets && strings.EqualFold(lines.Text(), "hello") {
						_, _ = c.Write([]byte("-ERR unknown command\r\n"))
					}
				}
			}()
		}
	}()
	return StorageSettings{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port}
}

func TestEachCallOfASilentStoreEndsAtOneDeadline(t *testing.T) {
	for name, dial := range map[string]dialer{"usual": nil, "blocking": inproc.Dial} {
		for _, greets := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				store := newRedis(silentRedis(t, greets), dial)
				defer store.Close()
				for call, f := range map[string]func(context.Context) error{
					"get":       func(ctx context.Context) error { _, _, err := store.Get(ctx, "k"); return err },
					"set":       func(ctx context.Context) error { return store.Set(ctx, "k", []byte("v"), 0) },
					"increment": func(ctx context.Context) error { _, err := store.Increment(ctx, "k", 1, 0); return err },
					"delete":    func(ctx context.Context) error { _, err := store.Delete(ctx, "k"); return err },
					"ttl":       func(ctx context.Context) error { _, _, err := store.TTL(ctx, "k"); return err },
					"counter":   func(ctx context.Context) error { _, err := store.Increment(ctx, "k", 1, time.Minute); return err },
				} {
					begin := time.Now()
					err := f(context.Background())
					if took := time.Since(begin); err == nil || took > storeTimeout+time.Second {
						t.Errorf("%s ended after %v: %v", call, took, err)
					}
				}
			})
		}
	}
}
