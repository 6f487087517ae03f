// Package wiretest makes sessions for property tests of their wire form.
package wiretest

import (
	"math"
	"math/rand"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Sessions makes random sessions whose strings are UTF-8, as the wire's are, for testing/quick.
func Sessions(values []reflect.Value, r *rand.Rand) {
	values[0] = reflect.New(reflect.TypeFor[driver.Session]()).Elem()
	fill(values[0], r)
}

// fill sets v to a random value. quick.Value cannot: it divides the size of a value by
// the number of fields, which leaves every map and list of a Session empty.
func fill(v reflect.Value, r *rand.Rand) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(anyText(r))
	case reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> r.Intn(64))
	case reflect.Float64:
		v.SetFloat(r.NormFloat64())
	case reflect.Bool:
		v.SetBool(r.Intn(2) == 0)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Unknown" { // random bytes are no fields
				fill(v.Field(i), r)
			}
		}
	case reflect.Pointer:
		if r.Intn(4) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), r)
		}
	case reflect.Slice:
		for range r.Intn(4) + 20*(r.Intn(8)/7) { // sometimes longer than a length of one byte allows
			item := reflect.New(v.Type().Elem()).Elem()
			fill(item, r)
			v.Set(reflect.Append(v, item))
		}
	case reflect.Map:
		for range r.Intn(4) {
			if v.IsNil() {
				v.Set(reflect.MakeMap(v.Type()))
			}
			key, item := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, r)
			fill(item, r)
			v.SetMapIndex(key, item)
		}
	default:
		panic("a kind of field that no session has: " + v.Kind().String())
	}
}

// anyText returns a text of up to a few hundred bytes: lengths of one byte and of two.
func anyText(r *rand.Rand) string {
	pieces := []string{"a", "Z", "é", "日本", "\x00", "\uFFFD", strings.Repeat("long ", 30)}
	var out strings.Builder
	for range r.Intn(5) {
		out.WriteString(pieces[r.Intn(len(pieces))])
	}
	return out.String()
}

// Tidy replaces what the wire cannot tell apart: empty and nil, odd bytes in
// strings, and NaN, which equals nothing.
func Tidy(s driver.Session) driver.Session {
	clean(reflect.ValueOf(&s).Elem())
	return s
}

func clean(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			v.SetString(strings.ToValidUTF8(v.String(), "\uFFFD"))
		}
	case reflect.Float64:
		if math.IsNaN(v.Float()) {
			v.SetFloat(0)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			clean(v.Field(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			clean(v.Elem())
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
		}
		for i := 0; i < v.Len(); i++ {
			clean(v.Index(i))
		}
	case reflect.Map:
		if v.Len() == 0 {
			v.SetZero()
			return
		}
		m := reflect.MakeMap(v.Type())
		for _, key := range v.MapKeys() {
			k, e := reflect.New(key.Type()).Elem(), reflect.New(v.Type().Elem()).Elem()
			k.Set(key)
			e.Set(v.MapIndex(key))
			clean(k)
			clean(e)
			m.SetMapIndex(k, e)
		}
		v.Set(m)
	}
}
