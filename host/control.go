package host

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/go-chi/chi/v5"
)

// control adds the routes of the control API.
func (g *Gateway) control(mux chi.Router) {
	mux.Get("/hello", g.hello)
	mux.With(g.requireSecret).Handle("/metrics", g.metrics.handler())
	mux.Route("/tyk", func(r chi.Router) {
		r.Use(g.requireSecret)
		r.Get("/reload/group", g.reload)
		r.Get("/keys/{key}", withKey(g.getKey))
		r.Post("/keys/{key}", withKey(g.putKey))
		r.Put("/keys/{key}", withKey(g.putKey))
		r.Delete("/keys/{key}", withKey(g.deleteKey))
	})
}

// requireSecret rejects requests without the secret.
func (g *Gateway) requireSecret(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.authorized(r) {
			writeStatus(w, http.StatusForbidden, "Attempted administrative access with invalid or missing key!")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authorized reports whether a request carries the secret. An empty secret never matches.
func (g *Gateway) authorized(r *http.Request) bool {
	given := r.Header.Get("X-Tyk-Authorization")
	if given == "" { // for Prometheus
		given = stripBearer(r.Header.Get("Authorization"))
	}
	want, got := sha256.Sum256([]byte(g.settings.Secret)), sha256.Sum256([]byte(given))
	return g.settings.Secret != "" && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func (g *Gateway) storeError(w http.ResponseWriter, err error) {
	g.log.Error("store failed", "error", err)
	writeStatus(w, http.StatusInternalServerError, "the store is not available")
}

func writeStatus(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"status": "error", "message": message})
}
