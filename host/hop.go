package host

import (
	"net/http"
	"slices"
	"strings"
)

// hopHeaders returns the headers that a client names in Connection. They are meant for the
// gateway and are not forwarded, unless a hook sets them.
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

// exemptHopHeader is called for each header that a hook sets: it is forwarded even if the
// client names it in Connection.
func (x *exchange) exemptHopHeader(name string) {
	if len(x.hop) > 0 {
		name = http.CanonicalHeaderKey(name)
		x.hop = slices.DeleteFunc(x.hop, func(hop string) bool { return hop == name })
	}
}

// removeHopHeaders removes hop-by-hop headers from a copy of the request's headers.
// Response hooks still receive the original ones.
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

// isWebsocket reports whether a request asks for an upgrade to websocket only. With another
// protocol a client could bypass hooks and authentication.
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

// removeFraming removes headers that describe the framing: the server writes them.
func removeFraming(header http.Header) {
	for _, name := range []string{"Content-Length", "Transfer-Encoding", "Trailer", "Upgrade", "Keep-Alive"} {
		delete(header, name)
	}
}
