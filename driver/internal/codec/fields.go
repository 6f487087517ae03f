package codec

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

var errWire = errors.New("not a protobuf message")

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
func (f *fields) entry() (p driver.Pair) {
	inner := fields{rest: f.text}
	for inner.next() {
		switch inner.number {
		case mapKey:
			p.Name = inner.text
		case mapValue:
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

// into adds the current entry to m, which it allocates if it is nil.
func (f *fields) into(m map[string]string) map[string]string {
	if m == nil {
		m = map[string]string{}
	}
	p := f.entry()
	m[p.Name] = p.Value
	return m
}

// doubles adds the current field to a list. proto3 packs lists of numbers; a decoder
// also accepts one value for each field, as in proto2.
func (f *fields) doubles(list []float64) []float64 {
	if f.text == "" && len(f.raw) > 8 {
		return append(list, math.Float64frombits(f.value))
	}
	for packed := []byte(f.text); len(packed) >= 8; packed = packed[8:] {
		list = append(list, math.Float64frombits(binary.LittleEndian.Uint64(packed)))
	}
	return list
}
