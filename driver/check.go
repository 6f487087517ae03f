package driver

import (
	"errors"
	"fmt"
)

// check refuses what must not reach an HTTP message: a name or a value with a
// newline would be a header of its own.
func (r *Reply) check() error {
	if err := checkPairs(r.SetHeaders); err != nil {
		return err
	}
	if err := checkPairs(r.Overrides.Headers); err != nil {
		return err
	}
	if r.Method != "" && !isToken(r.Method) {
		return fmt.Errorf("%q is no HTTP method", r.Method)
	}
	if r.Method == "CONNECT" {
		return errors.New("CONNECT: a hook cannot make a request into a tunnel")
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

func checkPairs(pairs []Pair) error {
	for _, p := range pairs {
		if err := checkHeader(p.Name, p.Value); err != nil {
			return err
		}
	}
	return nil
}

func checkHeader(name, value string) error {
	if !isToken(name) {
		return fmt.Errorf("%q is no header name", name)
	}
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("the value of header %q holds the control character %q", name, c)
		}
	}
	return nil
}

// isToken tells whether s is a token of RFC 9110, which names and methods are.
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
