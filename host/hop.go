package host

import (
	"net/http"
	"slices"
	"strings"
)

// hopHeaders returns the headers that a client names in its Connection header: they are
// for the gateway, and none of them goes upstream unless a hook sets it.
func hopHeaders(header http.Header) (names []string) {
	for _, value := range header["Connection"] {
		for token := range strings.SplitSeq(value, ",") {
			token = strings.Trim(token, " \t")
			switch strings.ToLower(token) {
			case "", "close", "keep-alive", "upgrade":
			default:
				names = append(names, http.CanonicalHeaderKey(token))
			}
		}
	}
	return names
}

// exemptHopHeader is told of each header that the gateway's side sets: it goes upstream
// whatever the client said of its own.
func (x *exchange) exemptHopHeader(name string) {
	if len(x.hop) > 0 {
		name = http.CanonicalHeaderKey(name)
		x.hop = slices.DeleteFunc(x.hop, func(hop string) bool { return hop == name })
	}
}

// removeHopHeaders makes the request's headers those of the connection to the upstream. The
// client's are left as they are: response hooks are shown them.
func (x *exchange) removeHopHeaders() {
	header := x.r.Header
	if x.hop == nil && len(header["Upgrade"])+len(header["Http2-Settings"]) == 0 {
		return // the reverse proxy does the rest
	}
	x.r.Header = header.Clone()
	for _, name := range x.hop {
		x.r.Header.Del(name)
	}
	for _, name := range []string{"Connection", "Upgrade", "Http2-Settings"} {
		x.r.Header.Del(name)
	}
	if x.api.websockets && isWebsocket(x.r.Method, header) && x.client == nil && x.body == nil {
		x.r.Header.Set("Connection", "Upgrade")
		x.r.Header.Set("Upgrade", "websocket")
	}
}

// isWebsocket reports whether a request asks for a websocket and for nothing else: in
// another protocol a client could reach the upstream past hooks and authentication.
func isWebsocket(method string, header http.Header) bool {
	upgrade := header["Upgrade"]
	if method != http.MethodGet || len(upgrade) != 1 || !strings.EqualFold(upgrade[0], "websocket") {
		return false
	}
	for _, value := range header["Connection"] {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.Trim(token, " \t"), "upgrade") {
				return true
			}
		}
	}
	return false
}

// removeFraming removes headers that say where a message ends: the server writes them.
func removeFraming(header http.Header) {
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Trailer", "Upgrade", "Keep-Alive"} {
		delete(header, name)
	}
}
