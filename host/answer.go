package host

import (
	"encoding/json"
	"net/http"
)

// writeError answers with the gateway's error body.
func writeError(w http.ResponseWriter, status int, message string) {
	body, _ := json.MarshalIndent(map[string]string{"error": message}, "", "    ")
	w.Header().Set("Content-Type", "application/json")
	w.Header().Del("Content-Length")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// writeJSON answers a call of the control API.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// retryAfter is when a client may try again, in seconds: what was full may not be then.
const retryAfter = "1"
