package codec

import (
	"errors"
	"fmt"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// CheckReply refuses values that must not become part of an HTTP message: a newline in a
// name or value would start another header.
func CheckReply(r *driver.Reply) error {
	if err := checkPairs(r.SetHeaders); err != nil {
		return err
	}
	if err := checkPairs(r.Overrides.Headers); err != nil {
		return err
	}
	if r.Method != "" && !isToken(r.Method) {
		return fmt.Errorf("%q is not a valid HTTP method", r.Method)
	}
	if r.Method == "CONNECT" {
		return errors.New("a hook cannot change the method to CONNECT")
	}
	if r.Response == nil {
		return nil
	}
	for name, values := range r.Response.Headers {
		for _, value := range values {
			if err := checkHeader(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkPairs(pairs []driver.Pair) error {
	for _, p := range pairs {
		if err := checkHeader(p.Name, p.Value); err != nil {
			return err
		}
	}
	return nil
}

func checkHeader(name, value string) error {
	if !isToken(name) {
		return fmt.Errorf("%q is not a valid header name", name)
	}
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("the value of header %q contains the control character %q", name, c)
		}
	}
	return nil
}

// isToken reports whether s is a token as RFC 9110 defines it for names and methods.
// httpguts has this too; see wire.go for why this module requires no other.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenBytes = func() (table [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		table[c] = true
	}
	return table
}()
