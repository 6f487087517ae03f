package codec

import (
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"testing/quick"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/wiretest"
)

func TestSessionComesBackAsItWasWritten(t *testing.T) {
	same := func(s driver.Session) bool {
		var back driver.Session
		err := decodeSession(&back, string(appendSession(nil, &s)))
		return err == nil && reflect.DeepEqual(s, back)
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 500, Values: wiretest.Sessions}); err != nil {
		t.Error(err)
	}
}

// Otherwise the test above proves less than its name says.
func TestRandomSessionsHaveAValueInEveryField(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	filled := map[string]bool{}
	for range 500 {
		var values [1]reflect.Value
		wiretest.Sessions(values[:], r)
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
		if err := decodeSession(&driver.Session{}, string(cutOff)); err == nil {
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
