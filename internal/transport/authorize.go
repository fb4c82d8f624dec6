package transport

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// Authorize puts the token on requests to Origin and takes credentials off all others.
type Authorize struct {
	Next http.RoundTripper

	// Origin is the URL whose scheme, host and port may see the token; its path does not
	// count. With nil no request gets it.
	Origin *url.URL

	// Token is sent as "Authorization: Bearer …". The zero Token adds no header.
	Token Token
}

// RoundTrip sends req with the Authorization header it is due. Off the origin it removes
// Authorization and Cookie headers, whoever set them.
func (t *Authorize) RoundTrip(req *http.Request) (*http.Response, error) {
	if !SameOrigin(req.URL, t.Origin) {
		return t.Next.RoundTrip(withoutCredentials(req))
	}
	if t.Token.IsZero() {
		return t.Next.RoundTrip(req)
	}
	clone := *req
	clone.Header = cloneHeader(req.Header)
	clone.Header.Set("Authorization", t.Token.authorization())
	return t.Next.RoundTrip(&clone)
}

// CloseIdleConnections closes those of Next.
func (t *Authorize) CloseIdleConnections() { closeIdleConnections(t.Next) }

func withoutCredentials(req *http.Request) *http.Request {
	out := req
	// A caller may have set a key past the canonical form, so Header.Del is not enough.
	for key := range req.Header {
		if strings.EqualFold(key, "Authorization") || strings.EqualFold(key, "Cookie") {
			if out == req {
				clone := *req
				clone.Header = cloneHeader(req.Header)
				out = &clone
			}
			delete(out.Header, key)
		}
	}
	return out
}

// cloneHeader returns a copy that keys can be set in and taken from. The values are shared.
func cloneHeader(h http.Header) http.Header {
	if h == nil {
		return http.Header{}
	}
	return maps.Clone(h)
}

// SameOrigin reports whether two URLs have the same scheme, host and port.
func SameOrigin(a, b *url.URL) bool {
	return a != nil && b != nil &&
		strings.EqualFold(a.Scheme, b.Scheme) &&
		strings.EqualFold(a.Hostname(), b.Hostname()) &&
		effectivePort(a) == effectivePort(b)
}

func effectivePort(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	switch strings.ToLower(u.Scheme) {
	case "https":
		return "443"
	case "http":
		return "80"
	default:
		return ""
	}
}
