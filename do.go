package supportbee

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// Do makes any call that the SDK has no method for, with the same authorization, retries, limits
// and errors. The path begins with "/" and may hold a query; it is sent as it is, so escape what
// you put into it.
//
// The input in is sent as JSON unless it is nil; GET, HEAD and OPTIONS take none. The answer is
// decoded into out, a pointer, unless that is nil; nothing is unwrapped, and an empty answer
// leaves out as it is. The result types of this package can be used in out; JSON names match
// exactly, as in encoding/json/v2.
//
// GET and HEAD are repeated as reads are, PUT and DELETE as repeatable writes, and everything
// else as writes that create something.
//
//	err := client.Do(ctx, http.MethodPost, "/tickets/7/star", nil, nil)
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	const op = "Do"
	target, err := url.Parse(path)
	switch {
	case err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || target.Fragment != "":
		return refuse(op, invalid("path", "must begin with one \"/\" and be a path at the base URL"))
	case strings.Contains("/"+target.Path+"/", "/../") || strings.Contains("/"+target.Path+"/", "/./"):
		return refuse(op, invalid("path", "must not hold \".\" or \"..\" segments"))
	case !validMethod(method):
		return refuse(op, invalid("method", "%q is not an HTTP method", method))
	case in != nil && (method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions):
		return refuse(op, invalid("in", "cannot be sent with %s, which has no body", method))
	case out != nil && (reflect.TypeOf(out).Kind() != reflect.Pointer || reflect.ValueOf(out).IsNil()):
		return refuse(op, invalid("out", "must be a pointer that is not nil, got %T", out))
	}
	var body *bytes.Reader
	if in != nil {
		encoded, err := encodeBody("", in)
		if err != nil {
			return refuse(op, invalid("in", "cannot be written as JSON: %s", describe(err)))
		}
		body = bytes.NewReader(encoded)
	}
	ex := exchange{
		call: call{op: op, method: method, route: routeOf(target.Path)}, path: target.EscapedPath(),
		target: c.config.baseText + target.RequestURI(),
	}
	defer ex.report.Release()
	if body != nil {
		err = c.send(ctx, &ex, body, "application/json")
	} else {
		err = c.send(ctx, &ex, nil, "")
	}
	if err != nil || out == nil || ex.isEmpty() {
		return err
	}
	return ex.decode("", out)
}

func validMethod(method string) bool {
	return method != "" && !strings.ContainsFunc(method, func(r rune) bool { return r < 'A' || r > 'Z' })
}

// routeOf is the path for logs: what may be an ID, a name or an address is left out.
func routeOf(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if strings.ContainsFunc(s, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
			segments[i] = "{}"
		}
	}
	return strings.Join(segments, "/")
}
