// Package wiretest makes sessions for property tests of their wire form.
package wiretest

import (
	"math"
	"math/rand"
	"reflect"
	"strings"
	"testing/quick"
	"unicode/utf8"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Sessions makes sessions whose strings are UTF-8, as the wire's are.
func Sessions(values []reflect.Value, r *rand.Rand) {
	v, _ := quick.Value(reflect.TypeOf(driver.Session{}), r)
	values[0] = reflect.ValueOf(Tidy(v.Interface().(driver.Session)))
}

// Tidy replaces what the wire cannot tell apart: empty and nil, odd bytes in
// strings, and NaN, which equals nothing.
func Tidy(s driver.Session) driver.Session {
	v := reflect.ValueOf(&s).Elem()
	clean(v)
	for api, right := range s.AccessRights {
		right.Unknown = nil // random bytes are no fields
		s.AccessRights[api] = right
	}
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
