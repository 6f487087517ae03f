package codec

import (
	"encoding/binary"
	"math"
)

// The part of the protobuf encoding that the messages use: varints, 64-bit values and
// length-delimited fields.
//
// protowire would do the same at the same speed. But a requirement of this module counts
// in Tyk's build, where it could replace the release that Tyk pins, and protowire decodes
// byte slices: strings would be copied, or made with unsafe.

// Wire types.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

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

// Field numbers of the entries of maps.
const (
	mapKey   = 1
	mapValue = 2
)

// appendEntry appends an entry of a map<string, string>.
func appendEntry(b []byte, field int, key, value string) []byte {
	b, start := openMessage(b, field)
	b = appendItem(b, mapKey, key)
	b = appendItem(b, mapValue, value)
	return closeMessage(b, start)
}

func appendMap(b []byte, field int, m map[string]string) []byte {
	for key, value := range m {
		b = appendEntry(b, field, key, value)
	}
	return b
}

func appendItems(b []byte, field int, items []string) []byte {
	for _, item := range items {
		b = appendItem(b, field, item)
	}
	return b
}

// appendDoubles appends a packed list, as proto3 does.
func appendDoubles(b []byte, field int, list []float64) []byte {
	if len(list) == 0 {
		return b
	}
	b, start := openMessage(b, field)
	for _, v := range list {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return closeMessage(b, start)
}
