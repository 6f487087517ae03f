package host

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// control adds the control API.
func (g *Gateway) control(mux chi.Router) {
	mux.Get("/hello", g.hello)
	mux.With(g.secured).Handle("/metrics", g.metrics.handler())
	mux.Route("/tyk", func(r chi.Router) {
		r.Use(g.secured)
		r.Get("/reload/group", g.reload)
		r.Get("/keys/{key}", g.getKey)
		r.Post("/keys/{key}", g.putKey)
		r.Put("/keys/{key}", g.putKey)
		r.Delete("/keys/{key}", g.deleteKey)
	})
}

// secured lets in who knows the secret.
func (g *Gateway) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.knowsSecret(r) {
			writeStatus(w, http.StatusForbidden, "Attempted administrative access with invalid or missing key!")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knowsSecret tells whether a request carries the secret; none does while it is empty.
func (g *Gateway) knowsSecret(r *http.Request) bool {
	given := r.Header.Get("X-Tyk-Authorization")
	if given == "" { // what Prometheus can send
		given = strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	want, got := sha256.Sum256([]byte(g.settings.Secret)), sha256.Sum256([]byte(given))
	return g.settings.Secret != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// reload answers when the reload is done.
func (g *Gateway) reload(w http.ResponseWriter, _ *http.Request) {
	if err := g.Reload(); err != nil {
		writeStatus(w, http.StatusInternalServerError, "not everything was loaded; the log says what, and what was there before stays")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "message": ""})
}

func (g *Gateway) getKey(w http.ResponseWriter, r *http.Request) {
	session, found, err := sessions{g.store}.get(r.Context(), chi.URLParam(r, "key"))
	switch {
	case err != nil:
		g.storeError(w, err)
	case !found:
		writeStatus(w, http.StatusNotFound, "Key not found")
	default:
		writeJSON(w, http.StatusOK, session)
	}
}

func (g *Gateway) putKey(w http.ResponseWriter, r *http.Request) {
	key := chi.URLParam(r, "key")
	session := &driver.Session{}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(session); err != nil {
		writeStatus(w, http.StatusBadRequest, "Request malformed: "+err.Error())
		return
	}
	_, found, err := sessions{g.store}.get(r.Context(), key)
	if err == nil {
		session.KeyID = key
		err = sessions{g.store}.put(r.Context(), key, session, 0)
	}
	if err == nil {
		_, err = g.store.Delete(r.Context(), "quota-"+key)
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

func (g *Gateway) deleteKey(w http.ResponseWriter, r *http.Request) {
	key := chi.URLParam(r, "key")
	found, err := sessions{g.store}.delete(r.Context(), key)
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

// keyEvent tells of a change of a key; that is no API's, so gateway-wide handlers hear it.
func (g *Gateway) keyEvent(name, orgID, key string) {
	g.events.fire("", name, map[string]any{"Message": name, "Org": orgID, "Key": key, "OriginatingRequest": ""})
}

func (g *Gateway) storeError(w http.ResponseWriter, err error) {
	g.log.Error("the store failed", "error", err)
	writeStatus(w, http.StatusInternalServerError, "the store does not answer")
}

func writeStatus(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"status": "error", "message": message})
}
