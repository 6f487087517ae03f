package host

import (
	"context"
	"fmt"
	"math/rand"
	"sync"
	"testing"
	"time"
)

func TestASessionOfARequestDoesNotUndoAChange(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		for _, change := range [][]byte{[]byte("changed"), nil} {
			began, err := s.Revision(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := s.PutSession(ctx, "k", []byte("hook's"), 0, began); !stored || err != nil {
				t.Fatal("not stored", err)
			}
			if found, err := s.Change(ctx, "k", change, 0, nil); !found || err != nil {
				t.Fatal(found, err)
			}
			if stored, err := s.PutSession(ctx, "k", []byte("hook's"), 0, began); stored || err != nil {
				t.Error("stored over a change", err)
			}
			if value, _, _ := s.Get(ctx, "k"); string(value) != string(change) {
				t.Errorf("%q, not %q", value, change)
			}
			if stored, err := s.PutSession(ctx, "other", []byte("x"), 0, began); !stored || err != nil {
				t.Error("another key's change counts", err)
			}
		}
	})
}

// TestSessionsFollowTheirModel drives a store with requests that begin and end in
// any order, and changes between them.
func TestSessionsFollowTheirModel(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		for seed := range int64(20) {
			random := rand.New(rand.NewSource(seed))
			key := func() string { return fmt.Sprint("key", seed, "-", random.Intn(2)) }
			want, changed := map[string]string{}, map[string]int{}
			type request struct {
				revision int64
				began    int
			}
			var running []request
			for step := 1; step < 60; step++ {
				switch k := key(); random.Intn(4) {
				case 0:
					revision, err := s.Revision(ctx)
					if err != nil {
						t.Fatal(err)
					}
					running = append(running, request{revision, step})
				case 1:
					value := fmt.Sprint("changed ", step)
					if _, err := s.Change(ctx, k, []byte(value), 0, nil); err != nil {
						t.Fatal(err)
					}
					want[k], changed[k] = value, step
				case 2:
					found, err := s.Change(ctx, k, nil, 0, nil)
					if err != nil || found != (want[k] != "") {
						t.Fatal(seed, step, found, err)
					}
					want[k], changed[k] = "", step
				default:
					if len(running) == 0 {
						continue
					}
					i := random.Intn(len(running))
					r := running[i]
					running = append(running[:i], running[i+1:]...)
					value := fmt.Sprint("made ", step)
					stored, err := s.PutSession(ctx, k, []byte(value), 0, r.revision)
					if err != nil || stored != (changed[k] < r.began) {
						t.Fatal(seed, step, stored, err)
					}
					if stored {
						want[k] = value
					}
				}
			}
			for k, value := range want {
				if got, _, err := s.Get(ctx, k); string(got) != value || err != nil {
					t.Errorf("seed %d: %s is %q, not %q: %v", seed, k, got, value, err)
				}
			}
		}
	})
}

func TestADeletedKeyStaysDeletedWhateverRuns(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		for round := range 30 {
			key := fmt.Sprint("key", round)
			began, err := s.Revision(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var group sync.WaitGroup
			for i := range 8 {
				group.Add(1)
				go func() {
					defer group.Done()
					if i == 4 {
						if _, err := s.Change(ctx, key, nil, 0, nil); err != nil {
							t.Error(err)
						}
						return
					}
					if _, err := s.PutSession(ctx, key, []byte("made"), 0, began); err != nil {
						t.Error(err)
					}
				}()
			}
			group.Wait()
			if _, found, err := s.Get(ctx, key); found || err != nil {
				t.Fatal("it came back", err)
			}
		}
	})
}

func TestAnUnchangedSessionKeepsItsTimeToLive(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		for _, ttl := range []time.Duration{300 * time.Millisecond, time.Hour} {
			if stored, err := s.PutSession(ctx, "k", []byte("v"), ttl, 0); !stored || err != nil {
				t.Fatal(stored, err)
			}
		}
		deadline := time.Now().Add(10 * time.Second)
		for found := true; found; {
			var err error
			if _, found, err = s.Get(ctx, "k"); err != nil || time.Now().After(deadline) {
				t.Fatal("it lives on", err)
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
}

func TestCountersAreReadRemovedAndRenewed(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		if n, left, err := s.Counted(ctx, "n"); n != 0 || left != 0 || err != nil {
			t.Error(n, left, err)
		}
		if n, left, err := s.Count(ctx, "n", 0); n != 1 || left != 0 || err != nil {
			t.Error(n, left, err)
		}
		// One that had no time to live gets one, and keeps it.
		for want := int64(2); want < 4; want++ {
			n, left, err := s.Count(ctx, "n", time.Duration(4-want)*time.Hour)
			if n != want || left > 2*time.Hour || left < 119*time.Minute || err != nil {
				t.Error(n, left, err)
			}
		}
		if n, left, err := s.Counted(ctx, "n"); n != 3 || left < time.Hour || err != nil {
			t.Error(n, left, err)
		}
		if _, err := s.Change(ctx, "k", []byte("v"), 0, []string{"n", "none"}); err != nil {
			t.Error(err)
		}
		if n, _, err := s.Counted(ctx, "n"); n != 0 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestAValueThatIsNotACounterIsAnErrorNotZero(t *testing.T) {
	ctx := context.Background()
	stores(t, func(t *testing.T, s Store) {
		if err := s.Set(ctx, "no-counter", []byte("many"), 0); err != nil {
			t.Fatal(err)
		}
		if n, _, err := s.Counted(ctx, "no-counter"); err == nil {
			t.Errorf("counted %d", n)
		}
		if n, _, err := s.Count(ctx, "no-counter", 0); err == nil {
			t.Errorf("counted to %d", n)
		}
	})
}
