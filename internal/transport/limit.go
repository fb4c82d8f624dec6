package transport

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Limiter paces requests: Wait returns when the next one may be sent, or an error when ctx is
// done or would be before then. *rate.Limiter of golang.org/x/time is one.
type Limiter interface {
	Wait(ctx context.Context) error
}

// Limit holds each attempt back until the gate is open and the limiter lets it pass. Closing
// the gate is the business of Retry, which alone knows how long.
type Limit struct {
	Next http.RoundTripper

	// Limiter is the user's; nil is none.
	Limiter Limiter

	// Gate is shared with Retry; nil is none.
	Gate *Gate

	// MaxWait bounds the wait for the gate; zero or less is no bound.
	MaxWait time.Duration
}

// RoundTrip waits, then sends req. When it does not, the error tells why.
func (t *Limit) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.wait(req.Context()); err != nil {
		closeRequestBody(req)
		return nil, &unsentError{err}
	}
	return t.Next.RoundTrip(req)
}

// CloseIdleConnections closes those of Next.
func (t *Limit) CloseIdleConnections() { closeIdleConnections(t.Next) }

func (t *Limit) wait(ctx context.Context) error {
	if err := t.waitGate(ctx); err != nil || t.Limiter == nil {
		return err
	}
	// The limiter comes second: were its turns used up at a closed gate, everyone would
	// leave together when it opens.
	if err := t.Limiter.Wait(ctx); err != nil {
		return fmt.Errorf("waiting for the rate limiter: %w", err)
	}
	return t.waitGate(ctx) // it may have closed meanwhile
}

func (t *Limit) waitGate(ctx context.Context) error {
	if t.Gate == nil {
		return nil
	}
	return t.Gate.Wait(ctx, t.MaxWait)
}

// unsentError tells Retry that nothing was sent. Retry takes it off again.
type unsentError struct{ err error }

func (e *unsentError) Error() string { return e.err.Error() }
func (e *unsentError) Unwrap() error { return e.err }
