package host

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"
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

func TestARecordHasNoControlCharacters(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	text := "é \x1b[0m \x7f \u0085 \u009b31m \u2028 \u202e \u2066 \r\n\x00 日本"
	slog.New(slog.NewJSONHandler(&logWriter{out: write}, nil)).Error(text)
	_ = write.Close()
	record, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSuffix(string(record), "\n")
	for _, c := range line {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == 0x2028 {
			t.Errorf("%U in %q", c, line)
		}
	}
	var fields map[string]string
	if err := json.Unmarshal(record, &fields); err != nil || fields["msg"] != text {
		t.Errorf("%q, %v", fields["msg"], err)
	}
}
