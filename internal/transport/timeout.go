package transport

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// Timeout bounds one attempt, from sending it to the last byte of its body being read. A Call
// marked Streaming is not bounded.
type Timeout struct {
	Next http.RoundTripper

	// PerAttempt is the bound; zero or less is none.
	PerAttempt time.Duration
}

// TimeoutError reports an attempt that got no complete answer in time. It is a net.Error whose
// Timeout is true and matches os.ErrDeadlineExceeded, but not context.DeadlineExceeded: the
// caller's context is still good.
type TimeoutError struct {
	// After is the bound that was reached.
	After time.Duration
}

// Error says how long was waited.
func (e *TimeoutError) Error() string { return "no complete answer within " + e.After.String() }

// Timeout returns true.
func (e *TimeoutError) Timeout() bool { return true }

// Temporary returns true: another attempt may succeed.
func (e *TimeoutError) Temporary() bool { return true }

// Is reports whether target is os.ErrDeadlineExceeded.
func (e *TimeoutError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// RoundTrip sends req and stops it, or the reading of its body, with a *TimeoutError once
// PerAttempt has passed. When the caller's context ends first its own error is returned.
func (t *Timeout) RoundTrip(req *http.Request) (*http.Response, error) {
	parent := req.Context()
	if call := CallFrom(parent); t.PerAttempt <= 0 || call != nil && call.Streaming {
		return t.Next.RoundTrip(req)
	}
	if deadline, ok := parent.Deadline(); ok && time.Until(deadline) <= t.PerAttempt {
		return t.Next.RoundTrip(req) // the context will end it first
	}

	a := &attempt{after: t.PerAttempt}
	a.ctx, a.cancel = context.WithCancelCause(parent)
	a.timer = time.AfterFunc(t.PerAttempt, a.expire)
	resp, err := t.Next.RoundTrip(req.WithContext(a.ctx))
	if err != nil {
		err = a.explain(err)
		a.finish()
		return nil, err
	}
	if resp == nil || resp.Body == nil || resp.Body == http.NoBody {
		a.finish()
		return resp, nil
	}
	if _, ok := resp.Body.(io.Writer); ok {
		// A 101 hands over a connection, which ends when its user says so.
		a.timer.Stop()
		return resp, nil
	}
	a.body = resp.Body
	resp.Body = a
	return resp, nil
}

// CloseIdleConnections closes those of Next.
func (t *Timeout) CloseIdleConnections() { closeIdleConnections(t.Next) }

// attempt is one bounded attempt and then its response body. All of it is one value because
// this is on the path of every call.
type attempt struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	after  time.Duration
	body   io.ReadCloser
}

func (a *attempt) expire() { a.cancel(&TimeoutError{After: a.after}) }

// finish frees the timer and the context; without it they would live until the timer fires.
func (a *attempt) finish() {
	a.timer.Stop()
	a.cancel(nil)
}

// explain returns the timeout in place of err when the timer ended the attempt. The cause of a
// context is set once, so whichever of timer and caller came first is the one reported.
func (a *attempt) explain(err error) error {
	timeout, ok := errors.AsType[*TimeoutError](context.Cause(a.ctx))
	if !ok {
		return err
	}
	if body, ok := errors.AsType[*BodyError](err); ok { // the status that it holds is not to be lost
		if !errors.Is(err, ErrTooLarge) {
			body.Err = timeout
		}
		return err
	}
	return timeout
}

// Read reads the body; at its end the attempt is over.
func (a *attempt) Read(p []byte) (int, error) {
	n, err := a.body.Read(p)
	if err == nil {
		return n, nil
	}
	if err != io.EOF { //nolint:errorlint // io.Reader's contract is a bare EOF
		err = a.explain(err)
	}
	a.finish()
	return n, err
}

// Close closes the body and ends the attempt.
func (a *attempt) Close() error {
	err := a.body.Close()
	a.finish()
	return err
}
