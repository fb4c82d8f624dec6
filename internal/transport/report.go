package transport

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

// Class says how often an operation may be sent. The zero value is Create, so that a class left
// out never sends a request twice.
type Class uint8

const (
	// Create is a write that creates something. It is sent again only if the request was
	// certainly not processed.
	Create Class = iota

	// Repeatable is a write that can be repeated without further effect.
	Repeatable

	// Read is an operation without side effects.
	Read
)

// Report describes one operation to the chain and returns what the chain learned about it. It is
// carried by the request's context, which must have one, and belongs to one operation: its
// results are written before RoundTrip returns, never concurrently. Small fields stand together,
// since each operation allocates one.
type Report struct {
	// Op is the name of the operation, such as "Tickets.Get".
	Op string

	// Method is the HTTP method of the operation.
	Method string

	// Route is the path template, such as "/tickets/{id}". Logs show it in place of the path.
	Route string

	// Class says how often the operation may be sent.
	Class Class

	// Streaming marks an operation whose body, in either direction, may take any time: it has
	// no attempt timeout and ends with its context.
	Streaming bool

	// Once leaves further attempts to the caller, who must begin at the operation's own URL:
	// that of a redirect may work only once. Round is the number of the caller's attempt.
	Once bool

	// OutcomeUnknown reports whether a write ended without proof of what became of it after
	// the server may have processed it.
	OutcomeUnknown bool

	// Unanswered reports whether an earlier attempt was possibly processed and its response
	// lost: the connection failed after it was made, or a proxy gave up on the server. A 404
	// for a later DELETE then means that the resource is gone.
	Unanswered bool

	// Again reports, if Once is set, whether the operation may be attempted again, after Wait.
	Again bool

	earlier history // of the attempts before the caller's, if Once is set

	// MaxBody is the maximum size of a response body in bytes. If it is zero, the body is not
	// read into Body and no attempt timeout applies.
	MaxBody int64

	// Reader is given each response with status 2xx after its body was read into Body. It may be
	// nil.
	Reader Reader

	// Gate is closed by a 429 in place of the chain's gate, for an operation that has a rate
	// limit of its own. It may be nil.
	Gate *Gate

	// Body holds the body of the last response. Its memory is allocated when the response
	// arrives and returned by Release.
	Body *bytes.Buffer

	// Attempts is the number of requests sent, including those of redirects. A request that
	// was rejected while it waited for the limiter or a gate does not count.
	Attempts int

	// RetryAfter is the wait that the last response asked for with status 429 or 503. It is
	// zero if there was none or none that makes sense.
	RetryAfter time.Duration

	Round int           // see Once
	Wait  time.Duration // see Again

	waited time.Duration // before the current attempt
}

// Pause waits before another attempt of an operation with Once. It returns the error of ctx if
// that is done first.
func (r *Report) Pause(ctx context.Context, wait time.Duration) error {
	start := time.Now()
	if err := sleep(ctx, wait); err != nil {
		return err
	}
	r.waited = time.Since(start)
	return nil
}

// Reader reads the body of responses. If Read returns an error, the response cannot be used, and
// broken reports whether that of another attempt may be.
type Reader interface {
	Read(resp *http.Response) (broken bool, err error)
}

// Release returns the memory of Body, which must not be used afterwards.
func (r *Report) Release() {
	if r.Body != nil {
		releaseBody(r.Body)
	}
	r.Body = nil
}

type reportKey struct{}

// WithReport returns a context that carries report.
func WithReport(ctx context.Context, report *Report) context.Context {
	return context.WithValue(ctx, reportKey{}, report)
}

// ReportFrom returns the Report of ctx. It returns nil if there is none.
func ReportFrom(ctx context.Context) *Report {
	report, _ := ctx.Value(reportKey{}).(*Report)
	return report
}

// Context is a context that carries a Report, for one request and those of its redirects. With it
// the first attempt needs no copy of the request, and its memory can be a part of the caller's.
type Context struct {
	context.Context // of the first attempt once that has begun, and even when it is over

	operation context.Context // the caller's
	report    *Report
	begun     bool
}

// Start makes c a context derived from ctx that carries report.
func (c *Context) Start(ctx context.Context, report *Report) { *c = Context{ctx, ctx, report, false} }

// Value returns the Report, or the value of the context that c is derived from.
func (c *Context) Value(key any) any {
	if key == (reportKey{}) {
		return c.report
	}
	return c.Context.Value(key)
}

// Operation returns the context that c was started with.
func (c *Context) Operation() context.Context { return c.operation }

// operationOf returns the context that all attempts to send req have in common.
func operationOf(req *http.Request) context.Context {
	ctx := req.Context()
	if c, ok := ctx.(*Context); ok {
		return c.operation
	}
	return ctx
}

// during returns req with ctx, a context for one attempt that is operationOf(req) or derived from
// it.
func during(ctx context.Context, req *http.Request) *http.Request {
	c, ok := req.Context().(*Context)
	switch {
	case ok && !c.begun:
		c.Context, c.begun = ctx, true // nothing else uses it yet, or may when it changes
		return req
	case ok:
		ctx = WithReport(ctx, c.report)
	case ctx == req.Context():
		return req
	}
	return req.WithContext(ctx)
}

// Attempt is one request of an operation and its response. It holds no URL, no body and no
// header other than the request ID, so that it can be logged.
type Attempt struct {
	// Op is the name of the operation, such as "Tickets.Get".
	Op string

	// Method is the HTTP method of the request.
	Method string

	// Route is the path template, such as "/tickets/{id}".
	Route string

	// Number is 1 for the first attempt of the operation.
	Number int

	// StatusCode is the status of the response, 0 if there was none.
	StatusCode int

	// RequestID is the X-Request-Id of the response, printable and at most 128 bytes long.
	RequestID string

	// Wait is the time spent on backoff, rate-limit pauses and the limiter before the attempt.
	Wait time.Duration

	// Duration is the time from sending the request until the response was read, or its
	// header if its body is not read into the Report.
	Duration time.Duration

	// Err is the reason for the lack of a usable response, without the URL.
	Err error
}

// Hook is called after each attempt. It runs on the caller's goroutine, which it delays, and
// concurrently for concurrent operations.
type Hook func(ctx context.Context, attempt Attempt)
