package host

import (
	"context"
	"fmt"
	"math"
	"testing"
)

func TestOddRatesAllowTheSameOnEachStore(t *testing.T) {
	cases := []struct {
		rate, per float64
		allowed   int // of 6
	}{
		{1, 60, 1}, {3, 60, 3}, {0.5, 60, 1}, {1e-9, 1, 1}, {math.SmallestNonzeroFloat64, 1, 1},
		{1, 1e12, 1}, {2, 1e300, 2}, {1, math.MaxFloat64, 1},
		{2, 0, 2}, {2, -5, 2}, // no period: a second
		{1e19, 60, 6}, {math.MaxFloat64, 1, 6}, {1e19, 1e12, 6}, {5.9, 3600, 5},
	}
	stores(t, func(t *testing.T, s Store) {
		l := newLimits(s)
		for i, c := range cases {
			allowed := 0
			for range 6 {
				ok, err := l.allow(context.Background(), fmt.Sprint("key", i), c.rate, c.per)
				if err != nil {
					t.Fatal(c, err)
				}
				if ok {
					allowed++
				}
			}
			if allowed != c.allowed {
				t.Errorf("%v: %d of 6 were allowed", c, allowed)
			}
		}
	})
}

func TestTheFirstRequestOfAnyRateIsAllowed(t *testing.T) {
	stores(t, func(t *testing.T, s Store) {
		l := newLimits(s)
		for i := range 100 {
			ok, err := l.allow(context.Background(), fmt.Sprint("first", i), 1, math.MaxFloat64)
			if err != nil || !ok {
				t.Fatalf("request %d: allowed %v, error %v", i, ok, err)
			}
		}
	})
}

func TestARateBelowOneIsOneRequestInALongerTime(t *testing.T) {
	if interval, burst := pace(0.5, 60); interval.Seconds() != 120 || burst != 1 {
		t.Error(interval, burst)
	}
	if interval, burst := pace(10, 5); interval.Milliseconds() != 500 || burst != 10 {
		t.Error(interval, burst)
	}
}
