package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func bodyFrom(r io.Reader, limit int64) *body {
	return newBody(context.Background(), io.NopCloser(r), limit, newBudget(1<<20))
}

func bodyOf(content string, limit int64, keep bool) *body {
	b := bodyFrom(iotest.OneByteReader(strings.NewReader(content)), limit)
	b.keep = keep
	return b
}

// Whoever looks whenever, the stream gives all of the body once, and a look gives
// all of it or says why not.
func TestABodyIsStreamedWholeWheneverSomebodyLooks(t *testing.T) {
	const content, limit = "0123456789", 10
	for _, c := range []struct {
		content string
		keep    bool
	}{{content, true}, {content, false}, {content + "x", true}, {content + "x", false}, {"", true}} {
		for seed := range int64(50) {
			r := rand.New(rand.NewSource(seed))
			b := bodyOf(c.content, limit, c.keep)
			var streamed bytes.Buffer
			looked := false
			for ended := false; !ended; {
				// Without keep nobody looks once the stream has begun.
				if r.Intn(3) == 0 && (c.keep || streamed.Len() == 0 || looked) {
					data, err := b.bytes()
					looked = true
					if len(c.content) > limit && !errors.Is(err, errTooLarge) || len(c.content) <= limit && string(data) != c.content {
						t.Fatalf("%+v, seed %d: a look gives %q, %v", c, seed, data, err)
					}
				}
				p := make([]byte, 1+r.Intn(4))
				n, err := b.Read(p)
				streamed.Write(p[:n])
				ended = err != nil
			}
			if streamed.String() != c.content {
				t.Fatalf("%+v, seed %d: streamed %q", c, seed, streamed.String())
			}
		}
	}
}

func TestABodyThatWasReplacedIsStreamedFromItsBeginning(t *testing.T) {
	b := bodyOf("old", 10, true)
	if _, err := b.bytes(); err != nil {
		t.Fatal(err)
	}
	_ = b.replace([]byte("new"))
	data, err := io.ReadAll(b)
	if string(data) != "new" || err != nil {
		t.Errorf("got %q, %v", data, err)
	}
	if data, err := b.bytes(); string(data) != "new" || err != nil {
		t.Errorf("a look gives %q, %v", data, err)
	}
}

func TestABodyThatBreaksOffSaysSo(t *testing.T) {
	b := bodyFrom(iotest.TimeoutReader(strings.NewReader("abc")), 10)
	if _, err := b.bytes(); !errors.Is(err, errUnreadable) {
		t.Error(err)
	}
}

// brokenOff gives some bytes, then says once that the rest did not come, then EOF, as
// net/http's body of a request does.
type brokenOff struct{ reads int }

func (b *brokenOff) Read(p []byte) (int, error) {
	b.reads++
	switch b.reads {
	case 1:
		return copy(p, "abc"), nil
	case 2:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, io.EOF
}

func TestABodyThatBrokeOffNeverCountsAsWhole(t *testing.T) {
	b := bodyFrom(&brokenOff{}, 10)
	for range 3 {
		if data, err := b.bytes(); !errors.Is(err, errUnreadable) {
			t.Errorf("a look gives %q, %v", data, err)
		}
	}
	if data, err := io.ReadAll(b); string(data) != "abc" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the stream gives %q, %v", data, err)
	}
	kept := bodyFrom(&brokenOff{}, 10)
	kept.keep = true
	_, _ = io.ReadAll(kept)
	if data, err := kept.bytes(); !errors.Is(err, errUnreadable) {
		t.Errorf("after it was streamed a look gives %q, %v", data, err)
	}
}

func TestABodyThatWaitsForMemoryToBeReplacedCanBeAskedMeanwhile(t *testing.T) {
	memory := newBudget(10)
	other := memory.reserve(10)
	if err := other.acquire(context.Background(), 10); err != nil {
		t.Fatal(err)
	}
	b := newBody(context.Background(), http.NoBody, 10, memory)
	replaced := make(chan error, 1)
	go func() { replaced <- b.replace([]byte("new")) }()
	waits := func() bool {
		memory.mu.Lock()
		defer memory.mu.Unlock()
		return len(memory.waiting) > 0
	}
	for !waits() {
		runtime.Gosched()
	}
	asked := make(chan bool, 1)
	go func() { asked <- b.isWhole() }()
	select {
	case whole := <-asked:
		if whole {
			t.Error("it is whole already")
		}
	case <-time.After(budgetTimeout / 2):
		t.Error("the question waits for memory too")
	}
	other.close()
	if err := <-replaced; err != nil || !b.isWhole() {
		t.Error(err)
	}
}
