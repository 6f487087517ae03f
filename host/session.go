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

// session is the stored session of a key: the fields that hooks receive, and further ones
// of Tyk's JSON format. Requests do not write it; their usage is counted separately
// (usage.go).
type session struct {
	driver.Session
	rights map[string]accessRight // by API; empty means every API
	// smoothed and certificates are restrictions that this gateway does not support.
	smoothed     bool
	certificates []string
}

// sessionJSON is a session in Tyk's JSON format. Its fields replace those of the driver's
// session with the same JSON name.
type sessionJSON struct {
	*driver.Session
	AccessRights map[string]accessRight `json:"access_rights,omitempty"`
	Metadata     stringMap              `json:"meta_data,omitempty"`
	Smoothing    *smoothing             `json:"smoothing,omitempty"`
	Certificates []string               `json:"mtls_static_certificate_bindings,omitempty"`
}

// smoothing is a rate limit that starts below its rate.
type smoothing struct {
	Enabled bool `json:"enabled"`
}

func (s *smoothing) on() bool { return s != nil && s.Enabled }

// stringMap is a JSON object as a map of strings. Values that are not strings become JSON
// text.
type stringMap map[string]string

func (t *stringMap) UnmarshalJSON(data []byte) error {
	var values map[string]any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber() // keeps large numbers exact
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

// newSession returns the session that a hook created.
func newSession(s *driver.Session) *session {
	made := &session{Session: *s, rights: make(map[string]accessRight, len(s.AccessRights))}
	for api, right := range s.AccessRights {
		made.rights[api] = accessRight{AccessDefinition: right}
	}
	return made
}

// decodeSession decodes Tyk's JSON format.
func decodeSession(data []byte) (*session, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")) {
		return nil, errors.New("a session must be a JSON object") // null would be a session without limits
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

// syncRights updates AccessRights, which hooks see, from rights.
func (s *session) syncRights() {
	s.AccessRights = make(map[string]driver.AccessDefinition, len(s.rights))
	for api, right := range s.rights {
		s.AccessRights[api] = right.AccessDefinition
	}
}

// encode encodes the session in Tyk's JSON format.
func (s *session) encode() ([]byte, error) {
	form := sessionJSON{Session: &s.Session, AccessRights: s.rights, Metadata: s.Metadata}
	if s.smoothed {
		form.Smoothing = &smoothing{Enabled: true}
	}
	form.Certificates = s.certificates
	return json.Marshal(form)
}

// check returns an error if a limit is not a finite number.
func (s *session) check() error {
	for name, value := range map[string]float64{"rate": s.Rate, "per": s.Per, "allowance": s.Allowance} {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			return fmt.Errorf("%s %v is not a finite number", name, value)
		}
	}
	return nil
}

// inheritRestrictions copies restrictions that hooks cannot see from the stored session: a
// hook that creates the session again does not mean to remove them.
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

// lifetime returns how long the session is kept: its own lifetime, or else the API's.
func (s *session) lifetime(ofAPI int64) time.Duration {
	if s.SessionLifetime > 0 {
		return seconds(s.SessionLifetime)
	}
	return seconds(ofAPI)
}

// seconds returns a duration of at most a hundred years, which cannot overflow.
func seconds[N int64 | float64](n N) time.Duration {
	const most = 100 * 365 * 24 * 3600
	if n >= most {
		return most * time.Second
	}
	return time.Duration(float64(max(n, 0)) * float64(time.Second))
}

// keyName returns a name for a key in the log that does not reveal it.
func keyName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "sha256:" + hex.EncodeToString(sum[:6])
}

// sessions accesses the sessions in the store.
type sessions struct{ store Store }

func sessionKey(token string) string { return "apikey-" + token }

// maxToken is the maximum length of a key.
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
