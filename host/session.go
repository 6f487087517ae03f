package host

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// sessions keeps the sessions of keys in the store.
type sessions struct{ store Store }

func sessionKey(token string) string { return "apikey-" + token }

func (s sessions) get(ctx context.Context, token string) (*driver.Session, bool, error) {
	data, found, err := s.store.Get(ctx, sessionKey(token))
	if err != nil || !found {
		return nil, false, err
	}
	session := &driver.Session{}
	if err := json.Unmarshal(data, session); err != nil {
		return nil, false, fmt.Errorf("the stored session is not readable: %w", err)
	}
	return session, true, nil
}

// put stores a session for its own lifetime, else that of the API, in seconds.
func (s sessions) put(ctx context.Context, token string, session *driver.Session, lifetime int64) error {
	data, err := json.Marshal(session)
	if err != nil {
		return err
	}
	if session.SessionLifetime > 0 {
		lifetime = session.SessionLifetime
	}
	return s.store.Set(ctx, sessionKey(token), data, time.Duration(max(lifetime, 0))*time.Second)
}

func (s sessions) delete(ctx context.Context, token string) (bool, error) {
	return s.store.Delete(ctx, sessionKey(token))
}
