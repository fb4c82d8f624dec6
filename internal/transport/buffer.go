package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// ErrTooLarge reports an answer whose body is larger than its Call allows.
var ErrTooLarge = errors.New("response too large")

// maxErrorBody is how much of the body of an answer other than 2xx is kept.
const maxErrorBody = 64 << 10

// maxPooledBody keeps one huge answer from holding its memory for ever.
const maxPooledBody = 4 << 20

var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// Buffer reads the body of each answer into its Call's Body, within the attempt: a body that
// breaks off then fails the attempt and can be retried, and the attempt's timeout covers it. A
// Call without a MaxBody streams.
type Buffer struct {
	Next http.RoundTripper
}

// BodyError reports an answer that began with success and whose body could not be read whole.
type BodyError struct {
	StatusCode int
	Header     http.Header
	Err        error
}

// Error tells why.
func (e *BodyError) Error() string { return "reading the response body: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *BodyError) Unwrap() error { return e.Err }

// RoundTrip sends req and reads the answer's body. What has a status other than 2xx is returned
// even where its body breaks off, with as much of it as came: it must not hide the status.
func (t *Buffer) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.Next.RoundTrip(req)
	call := CallFrom(req.Context())
	if err != nil || resp == nil || call == nil || call.MaxBody == 0 {
		return resp, err
	}
	if call.Body == nil {
		call.Body = bodies.Get().(*bytes.Buffer)
	}
	call.Body.Reset()
	if resp.Body == nil {
		return resp, nil
	}
	defer resp.Body.Close()
	body := resp.Body
	resp.Body = http.NoBody
	if resp.StatusCode/100 != 2 {
		_, _ = call.Body.ReadFrom(io.LimitReader(body, maxErrorBody))
		return resp, nil
	}
	if resp.ContentLength > call.MaxBody {
		return nil, &BodyError{resp.StatusCode, resp.Header, fmt.Errorf("%w: %d bytes, allowed are %d", ErrTooLarge, resp.ContentLength, call.MaxBody)}
	}
	if resp.ContentLength > 0 {
		call.Body.Grow(int(min(resp.ContentLength, maxGrow)) + minRead)
	}
	// One byte more shows what is too large; the largest number has no successor.
	n, err := call.Body.ReadFrom(io.LimitReader(body, max(call.MaxBody, call.MaxBody+1)))
	if err == nil && n > call.MaxBody {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, call.MaxBody)
	}
	if err != nil {
		return nil, &BodyError{resp.StatusCode, resp.Header, err}
	}
	return resp, nil
}

const (
	maxGrow = 1 << 20 // what a Content-Length is believed of before the bytes are there
	minRead = 512     // bytes.Buffer wants so much room to see the end of the body
)

// CloseIdleConnections closes those of Next.
func (t *Buffer) CloseIdleConnections() { closeIdleConnections(t.Next) }
