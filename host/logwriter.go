package host

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// Stderr is os.Stderr for the log and for last words. When nobody reads it, what is
// written waits for a moment only, and is lost: a full pipe would otherwise hold up
// whatever logs, requests and the end of the process among them.
var Stderr = &logWriter{out: os.Stderr}

// logPatience is how long a record waits, unless one before it has waited so long.
const logPatience = time.Second

// logWriter writes records to a file.
type logWriter struct {
	out   *os.File
	mu    sync.Mutex
	stuck bool
	lost  int
	rest  []byte // of a record that was begun
}

// Write writes a whole record, or loses it.
func (w *logWriter) Write(record []byte) (int, error) {
	w.write(escapeControls(record))
	return len(record), nil
}

func (w *logWriter) write(record []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost > 0 && w.finish() {
		w.rest = fmt.Appendf(nil, "{\"time\":%q,\"level\":\"WARN\",\"msg\":\"records of the log were lost: nobody read it\",\"records\":%d}\n",
			time.Now().Format(time.RFC3339Nano), w.lost)
		w.lost = 0
	}
	if !w.finish() {
		w.lost++
		return
	}
	w.rest = record
	if !w.finish() {
		if len(w.rest) == len(record) { // not begun
			w.rest = nil
			w.lost++
		}
		w.rest = slices.Clone(w.rest) // record is the caller's
	}
}

// escapeControls escapes what encoding/json leaves as it is, and terminals and readers of
// lines do not: DEL, the control characters of Latin-1 (one of them begins the same
// sequences as ESC), and those that change the direction of text.
func escapeControls(record []byte) []byte {
	if bytes.IndexFunc(record, isControl) < 0 {
		return record
	}
	var out []byte
	for _, c := range string(record) {
		if isControl(c) {
			out = fmt.Appendf(out, `\u%04x`, c)
		} else {
			out = utf8.AppendRune(out, c)
		}
	}
	return out
}

func isControl(c rune) bool {
	return c >= 0x7f && c < 0xa0 || c > 0xa0 && unicode.Is(unicode.Bidi_Control, c)
}

// finish writes rest, as far as somebody reads it.
func (w *logWriter) finish() bool {
	for len(w.rest) > 0 {
		if !w.ready() {
			return false
		}
		chunk := w.rest[:min(len(w.rest), 4096)] // a pipe that is ready takes as much at once
		if _, err := w.out.Write(chunk); err != nil {
			w.rest = nil // there is nowhere to tell it
			return true
		}
		w.rest = w.rest[len(chunk):]
	}
	w.rest = nil
	return true
}

// ready waits until a write would not block.
func (w *logWriter) ready() bool {
	patience := logPatience
	if w.stuck {
		patience = 0
	}
	end := time.Now().Add(patience)
	for {
		fds := []unix.PollFd{{Fd: int32(w.out.Fd()), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, int(max(time.Until(end), 0).Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		w.stuck = err == nil && n == 0 // a file that cannot be asked is written to
		return !w.stuck
	}
}
