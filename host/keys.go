package host

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"
)

// The keys API replaces stored sessions. Its changes take precedence over sessions that
// requests store at the same time.

const maxSession = 1 << 20 // size of a session in JSON

// keyOf returns the key named by a request to the keys API.
func keyOf(r *http.Request) (string, error) {
	key := chi.URLParam(r, "key")
	if r.URL.RawPath != "" { // the router took the parameter from there
		unescaped, err := url.PathUnescape(key)
		if err != nil {
			return "", err
		}
		key = unescaped
	}
	if key == "" || len(key) > maxToken {
		return "", errors.New("a key must have 1 to 4096 bytes")
	}
	return key, nil
}

// withKey calls serve with the key named by the request.
func withKey(serve func(w http.ResponseWriter, r *http.Request, key string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		key, err := keyOf(r)
		if err != nil {
			writeStatus(w, http.StatusBadRequest, "Request malformed: "+err.Error())
			return
		}
		serve(w, r, key)
	}
}

// getKey returns a session as requests use it: with policies applied, and with the
// remaining quota.
func (g *Gateway) getKey(w http.ResponseWriter, r *http.Request, key string) {
	kept := sessions{g.store}
	data, found, err := g.store.Get(r.Context(), sessionKey(key))
	if err == nil && !found {
		writeStatus(w, http.StatusNotFound, "Key not found")
		return
	}
	var session *session
	if err == nil {
		session, err = decodeSession(data)
	}
	if err == nil {
		if err := g.policies().apply(session, ""); err != nil {
			g.log.Warn("policies of key not applied", "key", keyName(key), "error", err)
		}
		session.KeyID = key
		err = kept.readQuotas(r.Context(), key, session)
	}
	var shown map[string]json.RawMessage
	if err == nil {
		shown, err = kept.show(data, session)
	}
	if err != nil {
		g.storeError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, shown)
}

// show returns a session in JSON, including fields of the stored one that this gateway
// does not know.
func (sessions) show(stored []byte, session *session) (map[string]json.RawMessage, error) {
	known, err := session.encode()
	if err != nil {
		return nil, err
	}
	shown := map[string]json.RawMessage{}
	if err := json.Unmarshal(stored, &shown); err != nil {
		return nil, err
	}
	metadata := shown["meta_data"] // as stored: values may be objects
	current := map[string]json.RawMessage{}
	if err := json.Unmarshal(known, &current); err != nil {
		return nil, err
	}
	maps.Copy(shown, current)
	if len(metadata) > 0 {
		shown["meta_data"] = metadata
	}
	return shown, nil
}

// putKey stores a session as received, including fields that this gateway does not know.
// It resets the quota unless suppress_reset is 1.
func (g *Gateway) putKey(w http.ResponseWriter, r *http.Request, key string) {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSession))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		writeStatus(w, http.StatusRequestEntityTooLarge, "Request malformed: a session has at most 1 MiB")
		return
	}
	var session *session
	if err == nil {
		session, err = decodeSession(data)
	}
	if err != nil {
		writeStatus(w, http.StatusBadRequest, "Request malformed: "+err.Error())
		return
	}
	counters, err := g.countersOf(r, key)
	found := false
	if err == nil {
		counters = append(counters, session.counters(key)...)
		if r.URL.Query().Get("suppress_reset") == "1" {
			counters = nil
		}
		found, err = g.store.Change(r.Context(), sessionKey(key), data, session.lifetime(0), counters)
	}
	if err != nil {
		g.storeError(w, err)
		return
	}
	action, event := "added", "TokenCreated"
	if found {
		action, event = "modified", "TokenUpdated"
	}
	g.keyEvent(event, session.OrgID, key)
	writeJSON(w, http.StatusOK, map[string]string{"key": key, "status": "ok", "action": action})
}

func (g *Gateway) deleteKey(w http.ResponseWriter, r *http.Request, key string) {
	counters, err := g.countersOf(r, key)
	found := false
	if err == nil {
		found, err = g.store.Change(r.Context(), sessionKey(key), nil, 0, counters)
	}
	switch {
	case err != nil:
		g.storeError(w, err)
	case !found:
		writeStatus(w, http.StatusNotFound, "There is no such key found")
	default:
		g.keyEvent("TokenDeleted", "", key)
		writeJSON(w, http.StatusOK, map[string]string{"key": key, "status": "ok", "action": "deleted"})
	}
}

// countersOf returns the counters of a key's stored session and of its policies. A session
// that cannot be decoded has only the default counter.
func (g *Gateway) countersOf(r *http.Request, key string) ([]string, error) {
	data, found, err := g.store.Get(r.Context(), sessionKey(key))
	if err != nil || !found {
		return []string{quotaCounter("", key)}, err
	}
	session, err := decodeSession(data)
	if err != nil {
		return []string{quotaCounter("", key)}, nil
	}
	counters := session.counters(key)
	if g.policies().apply(session, "") == nil {
		counters = append(counters, session.counters(key)...)
	}
	slices.Sort(counters)
	return slices.Compact(counters), nil
}

// keyEvent fires an event about a key. It belongs to no API, so gateway-wide handlers
// receive it.
func (g *Gateway) keyEvent(name, orgID, key string) {
	g.events.fire("", name, map[string]any{"Message": name, "Org": orgID, "Key": key, "OriginatingRequest": ""})
}
