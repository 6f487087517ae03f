package driver

// EncodeCall appends c as a coprocess Object without spec and bodies. session is the
// range of the encoded session in out, for comparison with the reply.
func EncodeCall(b []byte, c *Call) (out []byte, session [2]int) { return appendCall(b, c) }

// DecodeReply decodes the reply to a call. session is the encoded session of that call.
func DecodeReply(data string, sent *Call, session string) (*Reply, error) {
	reply := &Reply{}
	if err := decodeReply(reply, data, sent, session); err != nil {
		return nil, err
	}
	return reply, nil
}

// CheckReply refuses values that must not become part of an HTTP message.
func CheckReply(r *Reply) error { return checkReply(r) }
