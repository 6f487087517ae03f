package host

import (
	"context"
	"errors"
	"math/rand"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestABudgetIsNeverExceededAndAllOfItComesBack(t *testing.T) {
	const total, each = 1000, 300
	b := newBudget(total)
	var group sync.WaitGroup
	for i := range 30 {
		group.Add(1)
		go func() {
			defer group.Done()
			r := rand.New(rand.NewSource(int64(i)))
			for range 30 {
				s := b.reserve(each)
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+r.Intn(20))*time.Millisecond)
				for taken := 0; taken < each; {
					n := 1 + r.Intn(each-taken)
					if err := s.acquire(ctx, int64(n)); err != nil {
						break
					}
					taken += n
					if used := b.inUse(); used > total {
						t.Errorf("%d of %d in use", used, total)
					}
				}
				if r.Intn(2) == 0 {
					s.shrink(int64(r.Intn(each)))
				}
				s.close()
				cancel()
				if err := s.acquire(context.Background(), 1); !errors.Is(err, errBusy) {
					t.Error("a share that is closed takes more")
				}
			}
		}()
	}
	group.Wait()
	if b.inUse() != 0 || len(b.shares)+len(b.waiting) != 0 {
		t.Errorf("left behind: %d bytes, %d shares, %d claims", b.inUse(), len(b.shares), len(b.waiting))
	}
}

func TestBodiesThatAreHalfThereDoNotWaitForEachOther(t *testing.T) {
	const content = 1 << 20
	b := newBudget(content + content/2)
	ended := make(chan error, 10)
	for range 10 {
		go func() {
			one := newBody(context.Background(), nil, content, b)
			one.source = slowly{strings.NewReader(strings.Repeat("x", content))}
			data, err := one.bytes()
			if err == nil && len(data) != content {
				err = errors.New("a part of it")
			}
			one.release()
			ended <- err
		}()
	}
	for range 10 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if b.inUse() != 0 {
		t.Error(b.inUse(), "bytes are lost")
	}
}

// slowly gives a little at a time, so that others come in between.
type slowly struct{ *strings.Reader }

func (s slowly) Read(p []byte) (int, error) {
	time.Sleep(time.Microsecond)
	return s.Reader.Read(p[:min(len(p), 32<<10)])
}

func (s slowly) Close() error { return nil }

func TestAClientThatLeavesNoLongerWaitsForMemory(t *testing.T) {
	b := newBudget(10)
	if err := b.reserve(10).acquire(context.Background(), 10); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.reserve(5).acquire(ctx, 5); !errors.Is(err, context.Canceled) || len(b.waiting) != 0 {
		t.Error(err, len(b.waiting))
	}
}

func TestAStreamGoesOnWithoutMemoryAndALaterLookSaysWhy(t *testing.T) {
	const content = "0123456789"
	b := bodyFrom(strings.NewReader(content), 20)
	b.keep, b.share = true, newBudget(1).reserve(20)
	streamed := make([]byte, 100)
	n, _ := b.Read(streamed)
	if string(streamed[:n]) != content {
		t.Errorf("streamed %q", streamed[:n])
	}
	if _, err := b.bytes(); !errors.Is(err, errBusy) {
		t.Error(err)
	}
}
