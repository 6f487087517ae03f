//go:build coprocess && python

package inproc

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Whatever a plugin sends, however large: an exception, a cut text or a failed call, and
// the next call is served.
func TestWhatIsLargerThanALimitIsRefusedAndTheNextCallRuns(t *testing.T) {
	limits := python.limits
	next := bind(t, driver.Pre, "add_one_header")
	for what, limit := range map[string]int{
		"log": limits.LogMessage, "store": limits.StoreValue, "key": limits.StoreValue,
		"delete_data": limits.StoreValue, "increment_data": limits.StoreValue,
		"ttl": limits.StoreValue, "exists": limits.StoreValue,
		"event": limits.EventPayload, "header": limits.Message, "body": limits.Body,
		"override": limits.Message, "error": limits.LogMessage,
	} {
		for _, size := range []int{limit + 1, 3 * limit} {
			hook := bind(t, driver.Pre, "sends_much", "what", what, "size", strconv.Itoa(size))
			_, err := hook.Dispatch(context.Background(), &driver.Call{})
			switch {
			case what == "log" && err != nil:
				t.Errorf("%s of %d bytes: %v", what, size, err)
			case what != "log" && !errors.Is(err, driver.ErrHookFailed):
				t.Errorf("%s of %d bytes: %v", what, size, err)
			case what != "log" && what != "error" && !strings.Contains(err.Error(), strconv.Itoa(limit)):
				t.Errorf("the error does not name the limit: %v", err)
			}
			if err != nil && len(err.(*driver.Error).Detail()) > 2*limits.LogMessage {
				t.Errorf("%s: an error of %d bytes", what, len(err.(*driver.Error).Detail()))
			}
			if reply := dispatch(t, next, &driver.Call{}); len(reply.SetHeaders) != 1 {
				t.Fatalf("after %s of %d bytes the next call gives %+v", what, size, reply)
			}
		}
	}
	host.mu.Lock()
	defer host.mu.Unlock()
	for _, r := range host.logs {
		if len(r.Message) > limits.LogMessage+logNote {
			t.Errorf("a log message of %d bytes", len(r.Message))
		}
	}
}

func TestPythonMakesNoRecordsThatTheHostDrops(t *testing.T) {
	hook := bind(t, driver.Pre, "logs_debug")
	logged := func() (n int) {
		dispatch(t, hook, &driver.Call{})
		host.mu.Lock()
		defer host.mu.Unlock()
		for _, r := range host.logs {
			if strings.HasPrefix(r.Message, "a debug record") {
				n++
			}
		}
		return n
	}
	for _, level := range []string{"info", "debug", "error"} {
		before := logged()
		if err := python.SetLogLevel(level); err != nil {
			t.Fatal(err)
		}
		more := logged() - before
		if want := map[string]int{"debug": 2}[level]; more != want {
			t.Errorf("level %s: %d records, want %d", level, more, want)
		}
	}
	if err := python.SetLogLevel("debug"); err != nil {
		t.Fatal(err)
	}
}

func TestACallThatHasEndedHasNoCallbacks(t *testing.T) {
	c := python.calls.get()
	read := 0
	call := &driver.Call{Request: driver.Request{ReadBody: func() ([]byte, error) { read++; return []byte("body"), nil }}}
	c.attach(c.callID, call)
	first := c.callID
	if data, err := c.read(first, requestBody); string(data) != "body" || err != nil {
		t.Fatal(data, err)
	}
	python.calls.put(c)
	again := python.calls.get() // the same memory, for another call
	defer python.calls.put(again)
	again.attach(again.callID, call)
	if again != c || again.callID == first {
		t.Fatalf("names are used again: %d, %d", first, again.callID)
	}
	if python.calls.lookup(first) != nil || python.calls.lookup(again.callID) != again {
		t.Error("a name of an earlier call leads to a later one")
	}
	if _, err := again.read(first, requestBody); !errors.Is(err, errEnded) || read != 1 {
		t.Error("a late callback reads another call's body:", err)
	}
	for _, name := range []uint64{0, 1<<63 + 1, 1<<indexBits - 1} {
		if python.calls.lookup(name) != nil {
			t.Error("a name that no call ever had")
		}
	}
}

func TestAPanicOfTheHostFailsTheCallbackOnly(t *testing.T) {
	host.with(t, nil, -1) // panics
	_, err := bind(t, driver.Pre, "get").Dispatch(context.Background(), &driver.Call{})
	if err == nil || !strings.Contains(err.Error(), "StoreError") {
		t.Error(err)
	}
	dispatch(t, bind(t, driver.Pre, "add_one_header"), &driver.Call{})
}

func TestBuffersAreKeptWithinTheirLimitAndForAWhile(t *testing.T) {
	large := make([]byte, python.limits.KeptBuffers/2)
	hook := bind(t, driver.Pre, "swap_body")
	done := make(chan struct{}, 4)
	for range 4 {
		go func() {
			dispatch(t, hook, &driver.Call{Request: driver.Request{Body: large}})
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	if kept := python.Usage().KeptBytes; kept > int64(python.limits.KeptBuffers) {
		t.Errorf("%d bytes are kept", kept)
	}
	begin := time.Now()
	within(t, "the end of idle buffers", func() {
		for python.Usage().KeptBytes > 0 {
			time.Sleep(10 * time.Millisecond)
		}
	})
	if took := time.Since(begin); took > 3*maxIdle {
		t.Error("it took", took)
	}
}
