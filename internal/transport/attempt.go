package transport

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"time"
)

// TimeoutError reports an attempt without a complete response in time. It is a net.Error whose
// Timeout is true and matches os.ErrDeadlineExceeded, but not context.DeadlineExceeded, since the
// caller's context has not ended.
type TimeoutError struct {
	// After is the limit that was reached.
	After time.Duration
}

// Error returns the limit.
func (e *TimeoutError) Error() string { return "no complete response within " + e.After.String() }

// Timeout returns true.
func (e *TimeoutError) Timeout() bool { return true }

// Temporary returns true, since another attempt may succeed.
func (e *TimeoutError) Temporary() bool { return true }

// Is reports whether target is os.ErrDeadlineExceeded.
func (e *TimeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// send makes one attempt. It stops with a *TimeoutError after the Timeout. If the context of req
// ends first, the error is that of Next. It returns notSent if a body for another attempt cannot
// be had.
func (t *Retry) send(req *http.Request, report *Report, again bool) (*http.Response, failure, error) {
	ctx, next := operationOf(req), req
	var conn *connection
	if report.Class != Read { // a Read is sent again wherever the connection failed
		conn = new(connection)
		ctx = conn.trace(ctx)
	}
	bounded := t.bounds(ctx, report)
	if bounded {
		var d deadline
		ctx, d.end = context.WithCancelCause(ctx)
		t.deadlines.start(&d, &t.Timeout)
		defer d.end(nil)
		defer t.deadlines.stop(&d)
	}
	if next = during(ctx, req); again && next == req {
		next = req.WithContext(req.Context()) // its body changes
	}
	if again && req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, notSent, fmt.Errorf("getting the request body again for a retry: %w", err)
		}
		next.Body = body
	}
	report.Attempts++
	resp, err := t.Next.RoundTrip(next)
	if err == nil {
		return resp, noFailure, nil
	}
	if bounded {
		err = timedOut(ctx, err)
	}
	return nil, failureOf(err, conn), err
}

// bounds reports whether the Timeout applies. A body that is left to the caller is not bounded,
// nor is an attempt that the context ends first.
func (t *Retry) bounds(ctx context.Context, report *Report) bool {
	if t.Timeout.After <= 0 || report.Streaming || report.MaxBody == 0 {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > t.Timeout.After
}

// timedOut returns the *TimeoutError that ended ctx in place of err, if one did.
func timedOut(ctx context.Context, err error) error {
	timeout, ok := errors.AsType[*TimeoutError](context.Cause(ctx))
	if !ok {
		return err
	}
	unusable, ok := errors.AsType[*ResponseError](err)
	if !ok {
		return timeout
	}
	if !errors.Is(err, ErrTooLarge) {
		unusable.Err = timeout // the status must not be lost
	}
	return err
}

// connection follows whether an attempt got a connection.
type connection struct {
	progress atomic.Int32 // traces may run on other goroutines
	hooks    httptrace.ClientTrace
}

const (
	connUnknown int32 = iota // as with transports that call no trace
	connWanted
	connMade
)

// trace returns a context whose requests report to c, besides any trace of ctx.
func (c *connection) trace(ctx context.Context) context.Context {
	// net/http gets a second connection only if it wrote nothing to the first.
	c.hooks.GetConn = func(string) { c.progress.Store(connWanted) }
	c.hooks.GotConn = func(httptrace.GotConnInfo) { c.progress.Store(connMade) }
	return httptrace.WithClientTrace(ctx, &c.hooks)
}

func (c *connection) state() int32 {
	if c == nil {
		return connUnknown
	}
	return c.progress.Load()
}
