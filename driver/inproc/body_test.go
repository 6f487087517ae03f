//go:build coprocess && python

package inproc

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func TestBodiesOfAllSizesAreReplaced(t *testing.T) {
	hook := bind(t, driver.Pre, "swap_body")
	for _, size := range []int{1, 2, 127, 4096, 65537, 3 << 20} {
		body := bytes.Repeat([]byte{0, 1, 0xff}, size/3+1)[:size]
		reply := dispatch(t, hook, &driver.Call{Request: driver.Request{Body: body}})
		want := append([]byte{}, body...)
		for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
			want[i], want[j] = want[j], want[i]
		}
		if !reply.BodyReplaced || !bytes.Equal(reply.Body, want) {
			t.Errorf("a body of %d bytes came back wrong", size)
		}
	}
}

func TestABodyIsReadWhenAHookFirstReadsIt(t *testing.T) {
	reads := 0
	call := &driver.Call{Request: driver.Request{ReadBody: func() ([]byte, error) {
		reads++
		return []byte("abc"), nil
	}}}
	blind, looks := bind(t, driver.Pre, "add_one_header"), bind(t, driver.Pre, "swap_body")
	if dispatch(t, blind, call); reads != 0 || blind.ReadsBody() {
		t.Errorf("a hook that does not look at the body had it read %d times", reads)
	}
	if looks.ReadsBody() {
		t.Error("a hook that never ran is said to read bodies")
	}
	if reply := dispatch(t, looks, call); string(reply.Body) != "cba" || reads != 1 || !looks.ReadsBody() {
		t.Errorf("got %q after %d reads", reply.Body, reads)
	}
	async := bind(t, driver.Pre, "sleeps_async", "seconds", "0")
	if !async.ReadsBody() {
		t.Error("an async hook would hold up the event loop while the body comes in")
	}
}

func TestABodyThatCannotBeReadFailsTheHookWithThatError(t *testing.T) {
	broken := errors.New("the client went away")
	read := func() ([]byte, error) { return nil, broken }
	_, err := bind(t, driver.Pre, "swap_body").Dispatch(context.Background(), &driver.Call{Request: driver.Request{ReadBody: read}})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	gone := map[string][]string{"X-Gone": {"a"}} // the hook removes it
	response := &driver.UpstreamResponse{StatusCode: 200, Headers: gone, ReadBody: read}
	_, err = bind(t, driver.Response, "respond").Dispatch(context.Background(), &driver.Call{Response: response})
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestManyBodiesAreReadAtOnce(t *testing.T) {
	hook := bind(t, driver.Pre, "swap_body")
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			read := func() ([]byte, error) {
				time.Sleep(time.Millisecond)
				return []byte{byte(i), 0xff}, nil
			}
			reply, err := hook.Dispatch(context.Background(), &driver.Call{Request: driver.Request{ReadBody: read}})
			if err != nil || !bytes.Equal(reply.Body, []byte{0xff, byte(i)}) {
				t.Error(err, reply)
			}
		}()
	}
	group.Wait()
}
