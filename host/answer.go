package host

import (
	"encoding/json"
	"net/http"
)

// writeError writes the gateway's error response.
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

// writeJSON writes a response of the control API.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer)
}

// retryAfter is the value of Retry-After, in seconds.
const retryAfter = "1"
