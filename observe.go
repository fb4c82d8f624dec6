package supportbee

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// Operation identifies the API operation of a request.
type Operation struct {
	Name   string // such as "Tickets.Get"; "Do" for [Client.Do]
	Method string // such as "GET"
	Route  string // such as "/tickets/{id}"; empty for [Client.Do]
}

// OperationFrom returns the operation of a request's context, for transports and limiters. It
// reports whether there is one.
func OperationFrom(ctx context.Context) (Operation, bool) {
	if ctx == nil {
		return Operation{}, false
	}
	report := transport.ReportFrom(ctx)
	if report == nil {
		return Operation{}, false
	}
	return Operation{Name: report.Op, Method: report.Method, Route: report.Route}, true
}

// Observer is a set of functions that are called as operations proceed, such as for metrics and
// traces. Nil functions are skipped. They may be called concurrently, and the operation waits for
// them to return.
//
// An iterator runs one operation per page. A call that is rejected with an [*ArgumentError] is not
// observed.
type Observer struct {
	// Start is called when an operation starts. The operation continues with the context it
	// returns.
	Start func(ctx context.Context, op Operation) context.Context

	// Attempt is called after each attempt.
	Attempt func(ctx context.Context, attempt Attempt)

	// End is called when an operation ends, with its last response and the error it returns. A
	// download ends when its body was read.
	End func(ctx context.Context, op Operation, response Response, err error)

	// Drift is called once for each part of a response that differs from this package's types,
	// for at most 1,000 parts per client and its copies.
	Drift func(ctx context.Context, drift Drift)
}

// Attempt is one request of an operation and its response. It holds no body, query or address.
type Attempt struct {
	Op         string        // such as "Tickets.Get"
	Method     string        // such as "GET"
	Route      string        // such as "/tickets/{id}"; empty for [Client.Do]
	Number     int           // 1 for the first attempt
	StatusCode int           // 0 if there was no response
	RequestID  string        // the X-Request-Id of the response
	Wait       time.Duration // backoff, rate-limit pause and limiter before the attempt
	Duration   time.Duration // until the body was read; for a download, until the header was read
	Err        error         // the underlying error; nil if StatusCode describes the outcome
}

// Response describes the last response of an operation.
type Response struct {
	StatusCode int // 0 if there was none
	Header     http.Header
	RequestID  string
	Attempts   int
	Duration   time.Duration // of the whole operation, waits included
}

// Date returns the time of the response by the clock of the server, to the second. It is an error if
// the response has no such time.
func (r Response) Date() (time.Time, error) {
	at, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return time.Time{}, errors.New("supportbee: the response has no Date header, or one that cannot be read")
	}
	return at, nil
}

type responseKey struct{}

// WithResponse returns a context whose operations store their response in *response, also when
// they fail. Iterators ignore it. Operations that run concurrently must not share it.
func WithResponse(ctx context.Context, response *Response) context.Context {
	return context.WithValue(ctx, responseKey{}, response)
}

// withoutResponse returns a context for operations that are part of another one.
func withoutResponse(ctx context.Context) context.Context {
	if ctx == nil || ctx.Value(responseKey{}) == nil {
		return ctx
	}
	return context.WithValue(ctx, responseKey{}, (*Response)(nil))
}
