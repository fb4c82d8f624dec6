package transport

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// Authorize adds the token and further headers to requests to Origin, and removes credentials
// from all others. It changes the header of the request itself, which must be the caller's own and
// must not be nil: a copy would cost more than all else that it does.
type Authorize struct {
	Next http.RoundTripper

	// Origin is the URL whose scheme, host and port get the headers. If it is nil, no request
	// does.
	Origin *url.URL

	// Token is sent as "Authorization: Bearer …". The zero Token adds no header.
	Token Token

	// Header holds further headers, in canonical form. They replace those of the same name.
	// It is added here and not by whoever makes the request, since redirects copy a request's
	// headers: http.Client does so before it sends the first request.
	Header http.Header
}

// RoundTrip sends req with the headers of the origin, or without Authorization and Cookie
// headers, whoever set them, to any other.
func (t *Authorize) RoundTrip(req *http.Request) (*http.Response, error) {
	if !SameOrigin(req.URL, t.Origin) {
		// Header.Del would miss a key that is not in canonical form.
		maps.DeleteFunc(req.Header, func(key string, _ []string) bool {
			return strings.EqualFold(key, "Authorization") || strings.EqualFold(key, "Cookie")
		})
		return t.Next.RoundTrip(req)
	}
	maps.Copy(req.Header, t.Header)
	if !t.Token.IsZero() {
		req.Header["Authorization"] = t.Token.header()
	}
	return t.Next.RoundTrip(req)
}

// SameOrigin reports whether two URLs have the same scheme, host and port.
func SameOrigin(a, b *url.URL) bool {
	if a == nil || b == nil {
		return false
	}
	if a.Scheme == b.Scheme && a.Host == b.Host { // as in most requests, whose URLs are made of the origin
		return true
	}
	return strings.EqualFold(a.Scheme, b.Scheme) &&
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
