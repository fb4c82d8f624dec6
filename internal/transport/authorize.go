package transport

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
)

// Authorize adds the token and further headers to requests to Origin, and removes credentials
// from all others.
type Authorize struct {
	Next http.RoundTripper

	// Origin is the URL whose scheme, host and port get the headers. If it is nil, no request
	// does.
	Origin *url.URL

	// Token is sent as "Authorization: Bearer …". The zero Token adds no header.
	Token Token

	// Header holds further headers, in canonical form. They replace those of the same name.
	// It is added here and not to the request, since redirects copy a request's headers.
	Header http.Header
}

// RoundTrip sends req with the headers of the origin, or without Authorization and Cookie
// headers, whoever set them, to any other.
func (t *Authorize) RoundTrip(req *http.Request) (*http.Response, error) {
	if !SameOrigin(req.URL, t.Origin) {
		return t.Next.RoundTrip(withoutCredentials(req))
	}
	if t.Token.IsZero() && len(t.Header) == 0 {
		return t.Next.RoundTrip(req)
	}
	clone := *req
	clone.Header = cloneHeader(req.Header)
	maps.Copy(clone.Header, t.Header)
	if !t.Token.IsZero() {
		clone.Header.Set("Authorization", t.Token.authorization())
	}
	return t.Next.RoundTrip(&clone)
}

func withoutCredentials(req *http.Request) *http.Request {
	out := req
	// Header.Del would miss a key that is not in canonical form.
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

// cloneHeader returns a copy of h that shares its values.
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
