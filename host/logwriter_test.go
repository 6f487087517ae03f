package host

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func TestALogThatNobodyReadsHoldsUpNothing(t *testing.T) {
	reader, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w := &logWriter{out: pipe}
	begin, records := time.Now(), 0
	write := func(size int) {
		_, _ = fmt.Fprintf(w, "{\"n\": %d, \"text\": %q}\n", records, strings.Repeat("x", size))
		records++
	}
	for ; time.Since(begin) < logPatience; write(10_000) { // the pipe fills within one of them
	}
	for range 10_000 {
		write(5)
	}
	if took := time.Since(begin); took > 3*logPatience {
		t.Errorf("it took %v", took)
	}

	lines := make(chan string)
	go func() {
		defer close(lines)
		for text := bufio.NewScanner(reader); text.Scan(); {
			lines <- text.Text()
		}
	}()
	for deadline := time.Now().Add(10 * time.Second); w.lost > 0 && time.Now().Before(deadline); write(5) {
	}
	_ = pipe.Close()
	read, lost := 0, 0
	for line := range lines {
		var record struct{ Records int }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Errorf("%v: %.80q", err, line)
		}
		if record.Records > 0 {
			lost += record.Records
		} else {
			read++
		}
	}
	if read+lost != records || lost < 10_000 {
		t.Errorf("of %d records %d came and %d are said to be lost", records, read, lost)
	}
}
