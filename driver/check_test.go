package driver

import "testing"

func TestAHookCannotSetTheMethodToCONNECT(t *testing.T) {
	reply := Reply{Method: "CONNECT"}
	if err := checkReply(&reply); err == nil {
		t.Error("CONNECT passed")
	}
}
