//go:build coprocess && python

package inproc

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func TestACallThatHangsTimesOutAndIsReportedFromThenOn(t *testing.T) {
	var m controlCalls
	end := make(chan struct{})
	hang := func() ([]byte, error) { <-end; return nil, nil }
	quick := func() ([]byte, error) { return []byte("answer"), nil }
	for i := range 3 {
		begin := time.Now()
		_, err := m.do("loading a", 20*time.Millisecond, hang)
		if !errors.Is(err, driver.ErrTimedOut) {
			t.Fatal(err)
		}
		if i > 0 && time.Since(begin) > 10*time.Second {
			t.Error("a call of its kind waits again")
		}
	}
	if answer, err := m.do("binding", time.Minute, quick); string(answer) != "answer" || err != nil {
		t.Error("what does not load is held up:", err)
	}
	if _, err := m.do("loading b", time.Minute, quick); err == nil || !strings.Contains(err.Error(), "loading a has been hanging") {
		t.Error("a load that would wait for the first says:", err)
	}
	close(end)
	within(t, "another try once the first has ended", func() {
		for {
			if _, err := m.do("loading a", time.Minute, quick); err == nil {
				return
			}
		}
	})
}

func TestControlCallsFailWhileTheGILIsHeld(t *testing.T) {
	var m controlCalls
	end := make(chan struct{})
	defer close(end)
	_, _ = m.do(needsGIL, time.Millisecond, func() ([]byte, error) { <-end; return nil, nil })
	_, err := m.do("loading b", time.Minute, func() ([]byte, error) { t.Error("it ran"); return nil, nil })
	if !errors.Is(err, driver.ErrTimedOut) {
		t.Error(err)
	}
}

func TestAPanicOfAControlCallIsAnError(t *testing.T) {
	var m controlCalls
	if _, err := m.do("it", time.Minute, func() ([]byte, error) { panic("on purpose") }); err == nil {
		t.Error("no error")
	}
}
