package driver

import (
	"encoding/binary"
	"errors"
	"math"
)

// The part of the protobuf encoding that the messages use: varints, 64-bit values and
// length-delimited fields.

const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

var errWire = errors.New("not a protobuf message")

func appendTag(b []byte, field, wireType int) []byte {
	return binary.AppendUvarint(b, uint64(field)<<3|uint64(wireType))
}

// appendString appends a string field, or nothing if s is empty. Invalid UTF-8, which
// protobuf rejects, becomes U+FFFD.
func appendString(b []byte, field int, s string) []byte {
	if s == "" {
		return b
	}
	return appendItem(b, field, s)
}

// appendItem appends an item of a list, which may be empty.
func appendItem(b []byte, field int, s string) []byte {
	s = toUTF8(s)
	b = appendTag(b, field, wireBytes)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendInt(b []byte, field int, v int64) []byte {
	if v == 0 {
		return b
	}
	return binary.AppendUvarint(appendTag(b, field, wireVarint), uint64(v))
}

func appendBool(b []byte, field int, v bool) []byte {
	if !v {
		return b
	}
	return append(appendTag(b, field, wireVarint), 1)
}

func appendDouble(b []byte, field int, v float64) []byte {
	if math.Float64bits(v) == 0 {
		return b
	}
	return binary.LittleEndian.AppendUint64(appendTag(b, field, wireFixed64), math.Float64bits(v))
}

// openMessage begins a nested message; closeMessage, given the result of openMessage,
// ends it. One byte is reserved for the length, which is enough for most messages.
func openMessage(b []byte, field int) ([]byte, int) {
	b = append(appendTag(b, field, wireBytes), 0)
	return b, len(b)
}

func closeMessage(b []byte, start int) []byte {
	size := len(b) - start
	if size < 0x80 {
		b[start-1] = byte(size)
		return b
	}
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(size))
	b = append(b, length[:n-1]...) // makes room; the contents are moved below
	copy(b[start-1+n:], b[start:start+size])
	copy(b[start-1:], length[:n])
	return b
}

// appendEntry appends an entry of a map<string, string>.
func appendEntry(b []byte, field int, key, value string) []byte {
	b, start := openMessage(b, field)
	b = appendItem(b, 1, key)
	b = appendItem(b, 2, value)
	return closeMessage(b, start)
}

// fields iterates over the fields of a message, in order. Its strings share memory with
// the message.
type fields struct {
	rest string
	err  error

	number int    // of the field read last
	value  uint64 // if it was a number
	text   string // if it was length-delimited
	raw    string // the whole field, tag included
}

// next decodes the next field. It returns false at the end and after an error (err).
func (f *fields) next() bool {
	if f.rest == "" || f.err != nil {
		return false
	}
	begin := f.rest
	tag := f.varint()
	f.number, f.text, f.value = int(tag>>3), "", 0
	switch tag & 7 {
	case wireVarint:
		f.value = f.varint()
	case wireFixed64:
		if chunk := f.take(8); chunk != "" {
			f.value = binary.LittleEndian.Uint64([]byte(chunk))
		}
	case wireBytes:
		f.text = f.take(f.varint())
	case wireFixed32:
		if chunk := f.take(4); chunk != "" {
			f.value = uint64(binary.LittleEndian.Uint32([]byte(chunk)))
		}
	default: // groups, which proto3 does not have
		f.err = errWire
	}
	if f.number == 0 {
		f.err = errWire
	}
	f.raw = begin[:len(begin)-len(f.rest)]
	return f.err == nil
}

func (f *fields) varint() uint64 {
	var v uint64
	for i := 0; i < len(f.rest) && i < binary.MaxVarintLen64; i++ {
		c := f.rest[i]
		if i == binary.MaxVarintLen64-1 && c > 1 {
			break // more than 64 bits
		}
		v |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			f.rest = f.rest[i+1:]
			return v
		}
	}
	f.err, f.rest = errWire, ""
	return 0
}

func (f *fields) take(n uint64) string {
	if n > uint64(len(f.rest)) {
		f.err, f.rest = errWire, ""
		return ""
	}
	chunk := f.rest[:n]
	f.rest = f.rest[n:]
	return chunk
}

// entry decodes an entry of a map<string, string>.
func (f *fields) entry() (p Pair) {
	inner := fields{rest: f.text}
	for inner.next() {
		switch inner.number {
		case 1:
			p.Name = inner.text
		case 2:
			p.Value = inner.text
		}
	}
	f.fail(inner.err)
	return p
}

func (f *fields) fail(err error) {
	if err != nil && f.err == nil {
		f.err = err
	}
}
