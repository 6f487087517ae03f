package codec

import "github.com/tyk-cffi/tyk-cffi/driver"

// EncodeSession returns a session as an encoded SessionState.
func EncodeSession(s *driver.Session) []byte { return appendSession(nil, s) }

// DecodeSession decodes a SessionState.
func DecodeSession(data []byte) (*driver.Session, error) {
	s := &driver.Session{}
	return s, decodeSession(s, string(data))
}
