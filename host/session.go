package host

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// session is a key's session as the store has it: what hooks are given, and what
// Tyk's JSON form holds besides. Requests only read it; what they use up is
// counted beside it (usage.go).
type session struct {
	driver.Session
	rights map[string]accessRight // by API; empty means every API
	// smoothed and certificates limit a key in ways that this gateway does not know.
	smoothed     bool
	certificates []string
}

// sessionJSON is a session in Tyk's JSON form. Its fields hide those of the
// driver's session that have the same name there.
type sessionJSON struct {
	*driver.Session
	AccessRights map[string]accessRight `json:"access_rights,omitempty"`
	Metadata     stringMap              `json:"meta_data,omitempty"`
	Smoothing    *smoothing             `json:"smoothing,omitempty"`
	Certificates []string               `json:"mtls_static_certificate_bindings,omitempty"`
}

// smoothing is a rate limit that begins below its rate.
type smoothing struct {
	Enabled bool `json:"enabled"`
}

func (s *smoothing) on() bool { return s != nil && s.Enabled }

// stringMap is a map whose values hooks see as strings: other JSON values are its text.
type stringMap map[string]string

func (t *stringMap) UnmarshalJSON(data []byte) error {
	var values map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // a long id stays what it is
	if err := decoder.Decode(&values); err != nil {
		return err
	}
	*t = make(stringMap, len(values))
	for name, value := range values {
		if text, is := value.(string); is {
			(*t)[name] = text
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		(*t)[name] = string(text)
	}
	return nil
}

// newSession is the session that a hook made.
func newSession(s *driver.Session) *session {
	made := &session{Session: *s, rights: make(map[string]accessRight, len(s.AccessRights))}
	for api, right := range s.AccessRights {
		made.rights[api] = accessRight{AccessDefinition: right}
	}
	return made
}

// decodeSession reads Tyk's JSON form.
func decodeSession(data []byte) (*session, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return nil, errors.New("a session must be a JSON object") // null would be one without limits
	}
	s := &session{}
	form := sessionJSON{Session: &s.Session}
	if err := json.Unmarshal(data, &form); err != nil {
		return nil, err
	}
	s.Metadata, s.rights = form.Metadata, form.AccessRights
	s.smoothed, s.certificates = form.Smoothing.on(), form.Certificates
	s.syncRights()
	return s, nil
}

// syncRights brings what hooks see of the rights in step with them.
func (s *session) syncRights() {
	s.AccessRights = make(map[string]driver.AccessDefinition, len(s.rights))
	for api, right := range s.rights {
		s.AccessRights[api] = right.AccessDefinition
	}
}

// encode writes Tyk's JSON form.
func (s *session) encode() ([]byte, error) {
	form := sessionJSON{Session: &s.Session, AccessRights: s.rights, Metadata: s.Metadata}
	if s.smoothed {
		form.Smoothing = &smoothing{Enabled: true}
	}
	form.Certificates = s.certificates
	return json.Marshal(form)
}

// check refuses numbers that are none: no limit could be made of them.
func (s *session) check() error {
	for name, value := range map[string]float64{"rate": s.Rate, "per": s.Per, "allowance": s.Allowance} {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return fmt.Errorf("%s %v is not a finite number", name, value)
		}
	}
	return nil
}

// carry takes over from the stored session what restricts a key and hooks cannot
// see: a hook that makes the session anew does not mean to lift it.
func (s *session) inheritRestrictions(stored []byte) error {
	before, err := decodeSession(stored)
	if err != nil {
		return fmt.Errorf("decoding the stored session of key %s: %w", keyName(s.KeyID), err)
	}
	s.smoothed, s.certificates = before.smoothed, before.certificates
	for api, right := range s.rights {
		kept, named := before.rights[api]
		if !named {
			continue
		}
		kept.AccessDefinition = right.AccessDefinition
		s.rights[api] = kept
	}
	return nil
}

// lifetime is how long the session is kept: its own time, else that of the API.
func (s *session) lifetime(ofAPI int64) time.Duration {
	if s.SessionLifetime > 0 {
		return seconds(s.SessionLifetime)
	}
	return seconds(ofAPI)
}

// seconds is a duration of at most a hundred years, which no time overflows.
func seconds[N int64 | float64](n N) time.Duration {
	const most = 100 * 365 * 24 * 3600
	if n >= most {
		return most * time.Second
	}
	return time.Duration(float64(max(n, 0)) * float64(time.Second))
}

// keyName names a key in the log, without telling it.
func keyName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:6])
}

// sessions keeps the sessions of keys in the store.
type sessions struct{ store Store }

func sessionKey(token string) string { return "apikey-" + token }

// maxToken is the longest key that is looked up.
const maxToken = 4096

func (s sessions) get(ctx context.Context, token string) (*session, bool, error) {
	if len(token) > maxToken {
		return nil, false, nil
	}
	data, found, err := s.store.Get(ctx, sessionKey(token))
	if err != nil || !found {
		return nil, false, err
	}
	session, err := decodeSession(data)
	if err != nil {
		return nil, false, fmt.Errorf("decoding the stored session of key %s: %w", keyName(token), err)
	}
	session.KeyID = token
	return session, true, nil
}
