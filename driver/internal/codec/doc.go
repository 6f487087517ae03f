// Package codec is the wire form of calls, replies and sessions: the protobuf messages of
// tyk_cffi/proto, encoded from the driver's types and decoded into them.
package codec
