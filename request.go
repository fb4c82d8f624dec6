package supportbee

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-resty/resty/v2"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// call describes one API request and where its result lies in the answer.
type call struct {
	op         string     // "Tickets.Get": names the call in errors and logs
	method     string     // GET when empty
	route      string     // "/tickets/{id}"
	args       []segment  // what stands in for the route's {…}, in their order
	query      url.Values // may be nil
	invalid    error      // why the input is refused, nil if it is not
	wrap       string     // the JSON key that the body is sent under; empty for a bare one
	body       any        // sent as JSON unless nil
	key        string     // the JSON key of the result; empty for a bare one
	repeatable bool       // a POST that changes nothing further when it is repeated
	anonymous  bool       // works without a token
	mayBeEmpty bool       // an empty answer leaves the result zero
}

// segment is an unescaped part of a path that comes from the caller.
type segment interface{ segment() (string, error) }

// idSegment is the [segment] of a numeric ID.
func idSegment(id int64) (string, error) {
	if id <= 0 {
		return "", fmt.Errorf("must be positive, got %d", id)
	}
	return strconv.FormatInt(id, 10), nil
}

// nameSegment is a name in a path, such as a label's.
type nameSegment string

func (s nameSegment) segment() (string, error) {
	switch strings.TrimSpace(string(s)) {
	case "", ".", "..":
		return "", fmt.Errorf("must not be empty, %q or %q, got %q", ".", "..", string(s))
	}
	return url.PathEscape(string(s)), nil
}

// do makes a call and returns the result that lies in its answer.
func do[T any](ctx context.Context, c *Client, in call) (T, error) {
	var out, zero T
	if err := c.call(ctx, in, &out); err != nil {
		return zero, err
	}
	return out, nil
}

// exec makes a call whose answer holds nothing.
func exec(ctx context.Context, c *Client, in call) error { return c.call(ctx, in, nil) }

func (c *Client) call(ctx context.Context, in call, out any) error {
	var body io.Reader
	if in.body != nil && in.invalid == nil {
		encoded, err := encodeBody(in.wrap, in.body)
		if err != nil {
			return refuse(in.op, invalid("the request", "cannot be written as JSON: %s", describe(err)))
		}
		body = bytes.NewReader(encoded)
	}
	ex := exchange{call: in}
	defer ex.report.Release()
	if err := c.send(ctx, &ex, body, "application/json"); err != nil {
		gone := ex.method == http.MethodDelete && ex.status == http.StatusNotFound && ex.report.Unanswered
		if gone && out == nil {
			return nil // an earlier attempt, whose answer was lost, has done the work
		}
		return err
	}
	if out == nil {
		return nil
	}
	if in.mayBeEmpty && ex.isEmpty() {
		return nil
	}
	return ex.decode(in.key, out)
}

// exchange is one call on its way: what is asked, and what came of it.
type exchange struct {
	call
	path   string           // "/tickets/7", as errors show it; made from the route unless set
	target string           // the URL; made from the route and the query unless set
	stream bool             // leaves the answer's body to be read from res
	report transport.Report // what the transport chain tells of the attempts, and the answer's body
	res    *http.Response
	status int
	header http.Header
	redact func(string) string
}

// send makes the request. Everything but a 2xx answer is an error. The body is sent with its
// length if it is a [*bytes.Reader] or an [*upload].
func (c *Client) send(ctx context.Context, ex *exchange, body io.Reader, contentType string) error {
	if ex.method == "" {
		ex.method = http.MethodGet
	}
	target, err := c.resolve(ctx, ex)
	if err != nil {
		return err
	}
	up, isUpload := body.(*upload)
	ex.report = transport.Report{Op: ex.op, Method: ex.method, Route: ex.route, Class: ex.class(), Streaming: isUpload || ex.stream}
	if !ex.stream {
		ex.report.MaxBody = c.config.maxResponse
	}
	ex.redact = c.config.token.Redact
	ctx = transport.WithReport(ctx, &ex.report)
	req := c.http.R().SetDoNotParseResponse(true)
	if ex.stream {
		req.SetHeader("Accept-Encoding", "identity") // a file comes as it is, and with its length
	}
	if body != nil {
		req.SetHeader("Content-Type", contentType)
		if isUpload {
			ctx = context.WithValue(ctx, uploadKey{}, up)
		} else {
			req.SetBody(body)
		}
	}
	answer, err := req.SetContext(ctx).Execute(ex.method, target)
	if err != nil {
		return ex.failed(err)
	}
	ex.res = answer.RawResponse
	ex.status, ex.header = ex.res.StatusCode, ex.res.Header
	if ex.status/100 == 2 {
		return nil
	}
	defer ex.res.Body.Close()
	return ex.refused(c.config.base)
}

type uploadKey struct{}

// prepare is resty's last hook before a request goes out.
func prepare(_ *resty.Client, req *http.Request) error {
	if up, ok := req.Context().Value(uploadKey{}).(*upload); ok {
		return up.attach(req)
	}
	return nil
}

// resolve checks everything that can be checked without the network and returns the URL.
func (c *Client) resolve(ctx context.Context, ex *exchange) (string, error) {
	switch {
	case ctx == nil:
		return "", refuse(ex.op, invalid("context", "is nil"))
	case c.err != nil:
		return "", c.err
	case ex.invalid != nil:
		return "", refuse(ex.op, ex.invalid)
	case c.config.token.IsZero() && !ex.anonymous:
		return "", refuse(ex.op, fmt.Errorf("%w: pass one to New", ErrTokenRequired))
	}
	if ex.target != "" {
		return ex.target, nil
	}
	target, err := fillRoute(c.config.baseText, ex.route, ex.args)
	if err != nil {
		return "", refuse(ex.op, err)
	}
	ex.path = target[len(c.config.baseText):]
	if len(ex.query) > 0 {
		target += "?" + ex.query.Encode()
	}
	return target, nil
}

// fillRoute puts the route behind base, with the escaped arguments in place of its {…}.
func fillRoute(base, route string, args []segment) (string, error) {
	if len(args) == 0 {
		return base + route, nil
	}
	var b strings.Builder
	b.Grow(len(base) + len(route) + 16) // an ID is longer than its {id}
	b.WriteString(base)
	for _, arg := range args {
		before, rest, _ := strings.Cut(route, "{")
		name, after, _ := strings.Cut(rest, "}")
		text, err := arg.segment()
		if err != nil {
			return "", invalid(name, "%w", err)
		}
		b.WriteString(before)
		b.WriteString(text)
		route = after
	}
	b.WriteString(route)
	return b.String(), nil
}

// class says how often the call may be sent.
func (in call) class() transport.Class {
	switch {
	case in.method == http.MethodGet || in.method == http.MethodHead:
		return transport.Read
	case in.repeatable || in.method == http.MethodPut || in.method == http.MethodDelete:
		return transport.Repeatable
	}
	return transport.Create
}

// newError is the error of a request that was sent.
func (ex *exchange) newError() *Error {
	return &Error{
		Op: ex.op, Method: ex.method, Path: ex.path, StatusCode: ex.status,
		RequestID: printable(ex.redact(ex.header.Get("X-Request-Id")), 128),
		Attempts:  ex.report.Attempts,
		// A repeatable write can simply be made again, whatever became of it.
		outcomeUnknown: ex.report.OutcomeUnknown && ex.class() == transport.Create,
	}
}

// safeHeader is the answer's header without secrets: without cookies, and without the token where
// the server echoes it.
func (ex *exchange) safeHeader() http.Header {
	header := ex.header.Clone()
	header.Del("Set-Cookie")
	for _, values := range header {
		for i, value := range values {
			values[i] = ex.redact(value)
		}
	}
	return header
}

// failed is the error of a request that got no answer, or not a whole one.
func (ex *exchange) failed(cause error) error {
	if wrapped, ok := cause.(*url.Error); ok { //nolint:errorlint // the outermost only: its text holds the URL with the query
		cause = wrapped.Err
	}
	if text := cause.Error(); ex.redact(text) != text {
		cause = redacted{ex.redact(text), cause}
	}
	if partial, ok := errors.AsType[*transport.ResponseError](cause); ok {
		ex.status, ex.header = partial.StatusCode, partial.Header
		if !errors.Is(cause, ErrResponseTooLarge) {
			cause = fmt.Errorf("%w: %w", ErrMalformedResponse, cause)
		}
	}
	e := ex.newError()
	e.Err = cause
	return asRateLimit(e)
}

// refused is the error of an answer other than 2xx.
func (ex *exchange) refused(base *url.URL) error {
	e := ex.newError()
	e.Header = ex.safeHeader()
	if !ex.stream {
		e.Body = ex.report.Body.Bytes()
	} else {
		// A body that breaks off must not hide the status.
		e.Body, _ = io.ReadAll(io.LimitReader(ex.res.Body, maxErrorBody))
	}
	e.Body = []byte(ex.redact(string(e.Body[:min(len(e.Body), maxErrorBody)])))
	e.Message = printable(errorMessage(e.Body), maxErrorMessage)
	if e.StatusCode == http.StatusTooManyRequests || e.StatusCode == http.StatusServiceUnavailable {
		e.RetryAfter = ex.report.RetryAfter
	}
	if to := ex.header.Get("Location"); ex.status/100 == 3 && to != "" {
		e.Err = errors.New("redirect not followed: API calls stay on the base URL's scheme, host and port, and keep their method")
		if u, err := base.Parse(to); err == nil && u.Host != "" {
			e.Err = fmt.Errorf("redirect to %s not followed: API calls stay on the base URL's scheme, host and port, and keep their method",
				printable(ex.redact(u.Scheme+"://"+u.Host), maxErrorMessage))
		}
	}
	return asRateLimit(e)
}

// isEmpty reports whether the answer holds nothing.
func (ex *exchange) isEmpty() bool { return len(bytes.TrimSpace(ex.report.Body.Bytes())) == 0 }

// decode reads the answer into out.
func (ex *exchange) decode(key string, out any) error {
	body := ex.report.Body.Bytes() // stays when the buffer is read
	err := decode(ex.report.Body, key, out)
	switch {
	case err == nil:
		return nil
	case len(bytes.TrimSpace(body)) == 0:
		return ex.malformed("the body is empty", key, nil)
	}
	return ex.malformed(describe(err), "", body)
}

// malformed is the error of a 2xx answer that could not be understood.
func (ex *exchange) malformed(reason, missingKey string, body []byte) error {
	e := ex.newError()
	e.Header = ex.safeHeader()
	e.Body = []byte(ex.redact(string(body[:min(len(body), maxErrorBody)])))
	if missingKey != "" {
		reason += ", " + missingError{key: missingKey}.Error()
	}
	if contentType := ex.header.Get("Content-Type"); contentType != "" && !strings.Contains(contentType, "json") {
		reason += fmt.Sprintf(" (Content-Type %q)", printable(contentType, 64))
	}
	e.Err = fmt.Errorf("%w: %s", ErrMalformedResponse, ex.redact(reason))
	return e
}
