//go:build cgo && coprocess && python && standin

package gateway

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver/wire"
)

// The driver's codec against protobuf's own: each field has its number and its type.
func TestTheDriverReadsAndWritesSessionsAsProtobufDoes(t *testing.T) {
	sent := &coprocess.SessionState{}
	setAll(sent.ProtoReflect())
	data, err := proto.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	session, err := wire.DecodeSession(data)
	if err != nil {
		t.Fatal(err)
	}
	if unknown := session.Unknown; unknown != nil || session.AccessRights["key"].Unknown != nil {
		t.Errorf("the driver does not know fields of %+v", session)
	}
	back := &coprocess.SessionState{}
	if err := proto.Unmarshal(wire.EncodeSession(session), back); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(sent, back) {
		t.Errorf("%v became %v", sent, back)
	}
}

// setAll sets every field of a message, and of the messages in it.
func setAll(m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case field.IsMap() && field.MapValue().Kind() == protoreflect.MessageKind:
			entries := m.Mutable(field).Map()
			setAll(entries.Mutable(protoreflect.ValueOfString("key").MapKey()).Message())
		case field.IsMap():
			m.Mutable(field).Map().Set(protoreflect.ValueOfString("key").MapKey(), scalar(field.MapValue()))
		case field.IsList() && field.Kind() == protoreflect.MessageKind:
			setAll(m.Mutable(field).List().AppendMutable().Message())
		case field.IsList():
			list := m.Mutable(field).List()
			list.Append(scalar(field))
			list.Append(scalar(field))
		case field.Kind() == protoreflect.MessageKind:
			setAll(m.Mutable(field).Message())
		default:
			m.Set(field, scalar(field))
		}
	}
}

// scalar returns a value that no other field of the message has, where its type allows.
func scalar(field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(string(field.FullName()))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(field.Number()) + 0.5)
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	default:
		return protoreflect.ValueOfInt64(-int64(field.Number()))
	}
}
