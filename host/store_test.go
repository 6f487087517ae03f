package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/inproc"
)

// stores runs a test on both stores, Redis a real one.
func stores(t *testing.T, test func(t *testing.T, store Store)) {
	t.Run("embedded", func(t *testing.T) {
		store, err := openStore(StorageSettings{})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		test(t, store)
	})
	t.Run("redis", func(t *testing.T) {
		store, err := openStore(startRedis(t))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		test(t, store)
	})
	t.Run("redis for Python", func(t *testing.T) {
		store := pluginStoreOf(startRedis(t))
		defer store.Close()
		test(t, store)
	})
}

func pluginStoreOf(s StorageSettings) *pluginStore {
	return &pluginStore{Store: newRedis(s, nil), direct: newRedis(s, inproc.Dial)}
}

func startRedis(t *testing.T) StorageSettings {
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not on PATH (apt-get install redis-server)")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close()
	server := exec.Command("redis-server", "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "")
	server.Dir = t.TempDir()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for range 200 {
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = c.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return StorageSettings{Type: "redis", Host: "127.0.0.1", Port: port}
}

func TestValuesAreKeptUntilTheyExpire(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		value := func(key string) string {
			v, found, err := s.Get(ctx, key)
			if err != nil || found != (len(v) > 0) {
				t.Fatal(key, v, found, err)
			}
			return string(v)
		}
		for _, err := range []error{
			s.Set(ctx, "short", []byte("a\x00\xff"), 200*time.Millisecond), s.Set(ctx, "long", []byte("b"), 0),
			s.Set(ctx, "again", []byte("c"), 200*time.Millisecond), s.Set(ctx, "again", []byte("d"), 0),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if value("short") != "a\x00\xff" || value("absent") != "" {
			t.Error("wrong values")
		}
		time.Sleep(400 * time.Millisecond)
		if value("short") != "" || value("long") != "b" || value("again") != "d" {
			t.Error("wrong values after a while")
		}
		if found, err := s.Delete(ctx, "long"); !found || err != nil || value("long") != "" {
			t.Error("not deleted", err)
		}
		if found, err := s.Delete(ctx, "long"); found || err != nil {
			t.Error("deleted twice", err)
		}
	})
}

func TestCountersCountEveryoneAndRenew(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		var group sync.WaitGroup
		for range 50 {
			group.Add(1)
			go func() {
				defer group.Done()
				if _, err := s.Increment(ctx, "n", 1, 500*time.Millisecond); err != nil {
					t.Error(err)
				}
			}()
		}
		group.Wait()
		if n, err := s.Increment(ctx, "n", 1, 500*time.Millisecond); n != 51 || err != nil {
			t.Error(n, err)
		}
		time.Sleep(700 * time.Millisecond)
		if n, err := s.Increment(ctx, "n", 1, time.Minute); n != 1 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestNoIncrementIsLost(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		var group sync.WaitGroup
		for range 8 {
			group.Add(1)
			go func() {
				defer group.Done()
				for range 500 {
					if _, err := s.Increment(ctx, "n", 3, time.Minute); err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		group.Wait()
		if n, err := s.Increment(ctx, "n", 0, 0); n != 8*500*3 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestAnIncrementKeepsTheTimeThatItsKeyHas(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		for key, ttl := range map[string]time.Duration{"written for ever": 0, "written": time.Hour} {
			if err := s.Set(ctx, key, []byte("7"), ttl); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Increment(ctx, "counted", 7, time.Hour); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]time.Duration{"written for ever": 0, "written": time.Hour, "counted": time.Hour} {
			if n, err := s.Increment(ctx, key, -10, time.Minute); n != -3 || err != nil {
				t.Error(key, n, err)
			}
			left, found, err := s.TTL(ctx, key)
			if !found || err != nil || left > want || left < want-want/10 {
				t.Error(key, left, found, err)
			}
		}
		if left, found, err := s.TTL(ctx, "absent"); left != 0 || found || err != nil {
			t.Error(left, found, err)
		}
	})
}

func TestAnIncrementIsExactOrChangesNothing(t *testing.T) {
	ctx := context.Background()
	const most, least = "9223372036854775807", "-9223372036854775808"
	stores(t, func(t *testing.T, s Store) {
		for _, c := range []struct {
			value string
			by    int64
			want  error
		}{
			{"", 1, driver.ErrNotInteger}, {"text", 1, driver.ErrNotInteger}, {"01", 1, driver.ErrNotInteger},
			{"+1", 1, driver.ErrNotInteger}, {" 1", 1, driver.ErrNotInteger}, {"9223372036854775808", -1, driver.ErrNotInteger},
			{most, 1, driver.ErrOverflow}, {"1", math.MaxInt64, driver.ErrOverflow}, {least, -1, driver.ErrOverflow},
			{"-1", math.MinInt64, driver.ErrOverflow}, {most, 0, nil}, {least, math.MaxInt64, nil}, {most, math.MinInt64, nil},
		} {
			if err := s.Set(ctx, "n", []byte(c.value), 0); err != nil {
				t.Fatal(err)
			}
			n, err := s.Increment(ctx, "n", c.by, 0)
			got, _, _ := s.Get(ctx, "n")
			old, _ := strconv.ParseInt(c.value, 10, 64)
			switch {
			case !errors.Is(err, c.want):
				t.Errorf("%q + %d: %v, want %v", c.value, c.by, err, c.want)
			case err != nil && string(got) != c.value:
				t.Errorf("%q + %d failed and left %q", c.value, c.by, got)
			case err == nil && (n != old+c.by || string(got) != strconv.FormatInt(n, 10)):
				t.Errorf("%q + %d = %d, stored as %q", c.value, c.by, n, got)
			}
		}
	})
}

func TestACounterWithoutATimeToLiveStays(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		for want := int64(1); want <= 4; want++ {
			if n, err := s.Increment(ctx, "n", 1, 0); n != want || err != nil {
				t.Errorf("got %d, want %d: %v", n, want, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

func TestRateLimitsAllowSoManyInThatTime(t *testing.T) {
	stores(t, func(t *testing.T, s Store) {
		l := newLimits(s)
		allowed := 0
		for range 20 {
			ok, err := l.allow(context.Background(), "token", 5, 60)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				allowed++
			}
		}
		if allowed != 5 {
			t.Errorf("%d of 20 were allowed, want 5", allowed)
		}
	})
}

func TestManyPluginCallsAtOnceAllGetTheirs(t *testing.T) {
	ctx := context.Background()
	p := pluginStoreOf(startRedis(t))
	defer p.Close()
	var group sync.WaitGroup
	for i := range 20 {
		group.Add(1)
		go func() {
			defer group.Done()
			key := fmt.Sprint("key", i)
			for j := range 50 {
				want := fmt.Sprint(i, j)
				if err := p.Set(ctx, key, []byte(want), time.Minute); err != nil {
					t.Error(err)
				}
				if got, found, err := p.Get(ctx, key); string(got) != want || !found || err != nil {
					t.Error(string(got), found, err)
				}
			}
		}()
	}
	group.Wait()
	if n := p.calls.Load(); n != 0 {
		t.Error(n, "calls are left")
	}
}

func TestAPluginCallEndsInTimeWhenRedisHangs(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	p := pluginStoreOf(StorageSettings{Host: "127.0.0.1", Port: silent.Addr().(*net.TCPAddr).Port})
	defer p.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, _, err := p.Get(ctx, "key")
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a value from nobody")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("waits for ever")
	}
}

func TestAPluginCallSurvivesARestartOfRedis(t *testing.T) {
	ctx := context.Background()
	p := pluginStoreOf(startRedis(t))
	defer p.Close()
	if err := p.Set(ctx, "key", []byte("value"), 0); err != nil {
		t.Fatal(err)
	}
	// Cuts every connection but the one that says it, as a restart does.
	cut, err := p.Store.(*redisStore).client.ClientKillByFilter(ctx, "TYPE", "normal", "SKIPME", "yes").Result()
	if err != nil || cut == 0 {
		t.Fatal(cut, "connections were cut:", err)
	}
	if got, _, err := p.Get(ctx, "key"); string(got) != "value" || err != nil {
		t.Error(string(got), err)
	}
}
