//go:build coprocess && python

package inproc

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func TestASlowStoreRaisesAtTheDeadline(t *testing.T) {
	host.with(t, nil, 10*time.Second)
	var group sync.WaitGroup
	for _, service := range storeServices {
		hook := bind(t, driver.Pre, "service", "service", service, "key", "k")
		group.Add(1)
		go func() {
			defer group.Done()
			begin := time.Now()
			_, err := hook.Dispatch(context.Background(), &driver.Call{})
			if err == nil || !strings.Contains(err.Error(), "StoreTimeoutError") || time.Since(begin) > 8*time.Second {
				t.Error(service, err, time.Since(begin))
			}
		}()
	}
	group.Wait()
}

func TestTwoHundredGoroutinesUseNumpyAtOnce(t *testing.T) {
	hook := bind(t, driver.Pre, "use_numpy")
	var group sync.WaitGroup
	for i := 0; i < 200; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 20; j++ {
				reply, err := hook.Dispatch(context.Background(), &driver.Call{})
				if err != nil || pairs(reply.SetHeaders)["X-Sum"] != "45" {
					t.Error(err)
					return
				}
			}
		}()
	}
	group.Wait()
}

func TestASleepingHookDoesNotBlockOthers(t *testing.T) {
	slow, fast := bind(t, driver.Pre, "sleep", "seconds", "1.5"), bind(t, driver.Pre, "add_one_header")
	var group sync.WaitGroup
	for i := 0; i < 20; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := slow.Dispatch(context.Background(), &driver.Call{}); err != nil {
				t.Error(err)
			}
		}()
	}
	time.Sleep(200 * time.Millisecond)
	done := make(chan struct{})
	go func() {
		for i := 0; i < 100; i++ {
			dispatch(t, fast, &driver.Call{})
		}
		close(done)
	}()
	finished := make(chan struct{})
	go func() { group.Wait(); close(finished) }()
	select {
	case <-done:
	case <-finished:
		t.Error("the sleepers ended before the fast hook was served")
	}
	<-finished
}

func TestAsyncHooksWaitManyAtOnce(t *testing.T) {
	hook := bind(t, driver.Pre, "sleeps_async", "seconds", "0.5")
	begin := time.Now()
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			reply, err := hook.Dispatch(context.Background(), &driver.Call{})
			if err != nil || pairs(reply.SetHeaders)["X-Slept"] != "0.5" {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	if one := 500 * time.Millisecond; time.Since(begin) > 20*one {
		t.Errorf("100 calls of %v took %v: they wait for each other", one, time.Since(begin))
	}
}
