package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// ErrTooLarge reports a response whose body is larger than its Report allows.
var ErrTooLarge = errors.New("response too large")

var (
	errNoResponse = errors.New("the transport returned neither a response nor an error")
	errSwitched   = errors.New("unexpected status 101 Switching Protocols")
)

const (
	maxErrorBody  = 64 << 10  // how much is kept of the body of a response other than 2xx
	maxPooledBody = 4 << 20   // keeps one large response from occupying its memory for long
	maxKeptBody   = 512 << 10 // the largest body that is kept from the garbage collector; see kept
	maxGrow       = 1 << 20   // how much of a Content-Length is allocated before the bytes arrive
	minRead       = 512       // bytes.Buffer wants so much room to see the end of the body
)

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// kept holds a few buffers of usual size, 2 MiB at most. The pool does not find what another processor
// has put into it, and loses all that is in it to the garbage collector: for a list of 100 tickets, a
// new buffer is as much memory as the tickets themselves.
var kept = make(chan *bytes.Buffer, 4)

func newBody() *bytes.Buffer {
	select {
	case body := <-kept:
		return body
	default:
		return bodies.Get().(*bytes.Buffer)
	}
}

func releaseBody(body *bytes.Buffer) {
	switch {
	case body.Cap() > maxPooledBody:
		return
	case body.Cap() <= maxKeptBody:
		select {
		case kept <- body:
			return
		default:
		}
	}
	bodies.Put(body)
}

// Buffer reads the body of each response into its Report, within the attempt: if the body breaks
// off, the attempt fails and can be retried, and the attempt's timeout covers it. The body of a
// Report without MaxBody is left to the caller.
type Buffer struct {
	Next http.RoundTripper
}

// ResponseError reports a response that cannot be used: its status is 101, or its status is 2xx and
// its body could not be read.
type ResponseError struct {
	StatusCode int
	Header     http.Header
	Err        error

	final bool // another attempt would not help
}

// Error returns the reason.
func (e *ResponseError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ResponseError) Unwrap() error { return e.Err }

// RoundTrip sends req and reads the body of the response. A response other than 2xx is returned
// even if its body breaks off, with what was read of it: it must not hide the status.
func (t *Buffer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp == nil {
		return nil, errNoResponse
	}
	body := resp.Body
	if body == nil {
		body = http.NoBody
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		_ = body.Close() // it is the connection, and nothing else would end it
		return nil, newResponseError(resp, errSwitched)
	}
	report := ReportFrom(req.Context())
	if report.MaxBody == 0 {
		resp.Body = body
		return resp, nil
	}
	defer body.Close()
	resp.Body = http.NoBody
	if report.Body == nil {
		report.Body = newBody()
	}
	report.Body.Reset()
	if resp.StatusCode/100 != 2 {
		_, _ = report.Body.ReadFrom(io.LimitReader(body, maxErrorBody))
		return resp, nil
	}
	if resp.ContentLength > report.MaxBody {
		return nil, newResponseError(resp, fmt.Errorf("%w: %d bytes, the maximum is %d", ErrTooLarge, resp.ContentLength, report.MaxBody))
	}
	if resp.ContentLength > 0 {
		report.Body.Grow(int(min(resp.ContentLength, maxGrow)) + minRead)
	}
	// One more byte shows that the body is too large. The largest number has no successor.
	n, err := report.Body.ReadFrom(io.LimitReader(body, max(report.MaxBody, report.MaxBody+1)))
	if err == nil && n > report.MaxBody {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, report.MaxBody)
	}
	if err != nil {
		return nil, newResponseError(resp, fmt.Errorf("reading the response body: %w", err))
	}
	if report.Reader != nil {
		if broken, err := report.Reader.Read(resp); err != nil {
			unusable := newResponseError(resp, err)
			unusable.final = !broken
			return nil, unusable
		}
	}
	return resp, nil
}

func newResponseError(resp *http.Response, err error) *ResponseError {
	return &ResponseError{StatusCode: resp.StatusCode, Header: resp.Header, Err: err}
}
