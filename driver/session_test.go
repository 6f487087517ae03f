package driver

import (
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"testing/quick"
)

func TestSessionComesBackAsItWasWritten(t *testing.T) {
	same := func(s Session) bool {
		var back Session
		err := decodeSession(&back, string(appendSession(nil, &s)))
		return err == nil && reflect.DeepEqual(s, back)
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 500, Values: sessions}); err != nil {
		t.Error(err)
	}
}

// Otherwise the test above proves less than its name says.
func TestRandomSessionsHaveAValueInEveryField(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	filled := map[string]bool{}
	for range 500 {
		var values [1]reflect.Value
		sessions(values[:], r)
		note(filled, values[0], "Session")
	}
	for _, field := range []string{
		"Session.Alias", "Session.OAuthKeys[]", "Session.Tags[]", "Session.Monitor.TriggerLimits[]",
		"Session.BasicAuthData.Hash", "Session.AccessRights[].AllowedURLs[].Methods[]",
	} {
		if _, known := filled[field]; !known {
			t.Errorf("%s was never reached", field)
		}
	}
	for field, was := range filled {
		if !was && !strings.HasSuffix(field, ".Unknown") {
			t.Errorf("%s was never set", field)
		}
	}
}

func TestMalformedMessagesInASessionAreRefused(t *testing.T) {
	nested := func(content []byte, numbers ...int) []byte {
		for _, number := range numbers {
			b, start := openMessage(nil, number)
			content = closeMessage(append(b, content...), start)
		}
		return content
	}
	for _, numbers := range [][]int{
		{sessionStateOAuthKeys}, {sessionStateBasicAuthData}, {sessionStateJWTData}, {sessionStateMonitor},
		{sessionStateAccessRights}, {mapValue, sessionStateAccessRights},
		{accessDefinitionAllowedURLs, mapValue, sessionStateAccessRights},
	} {
		cutOff := nested([]byte{1<<3 | wireBytes, 5, 'a'}, numbers...)
		if err := decodeSession(&Session{}, string(cutOff)); err == nil {
			t.Errorf("a string that is cut off in the fields %v was accepted", numbers)
		}
	}
}

// note records which fields below v have ever had a value.
func note(filled map[string]bool, v reflect.Value, name string) {
	filled[name] = filled[name] || !v.IsZero()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			note(filled, v.Field(i), name+"."+v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			note(filled, v.Elem(), name)
		}
	case reflect.Slice:
		for i := range v.Len() {
			note(filled, v.Index(i), name+"[]")
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			note(filled, v.MapIndex(key), name+"[]")
		}
	}
}

// sessions makes random sessions for testing/quick.
func sessions(values []reflect.Value, r *rand.Rand) {
	values[0] = reflect.New(reflect.TypeFor[Session]()).Elem()
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
