package codec

import "github.com/tyk-cffi/tyk-cffi/driver"

import "testing"

func TestAHookCannotSetTheMethodToCONNECT(t *testing.T) {
	reply := driver.Reply{Method: "CONNECT"}
	if err := CheckReply(&reply); err == nil {
		t.Error("CONNECT passed")
	}
}
