// Package wire converts the driver's sessions from and to protobuf, for hosts that hold
// sessions as protobuf messages.
package wire

import (
	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/codec"
)

// EncodeSession returns a session as an encoded coprocess.SessionState.
func EncodeSession(s *driver.Session) []byte { return codec.EncodeSession(s) }

// DecodeSession decodes a coprocess.SessionState.
func DecodeSession(data []byte) (*driver.Session, error) { return codec.DecodeSession(data) }
