package transport

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

// Class says how often an operation may be sent.
type Class int

const (
	// ByMethod is the class of an operation that names none: Read for GET, HEAD and OPTIONS,
	// Repeatable for PUT and DELETE, Once for everything else. It is the zero value so that
	// a forgotten class never sends a POST twice.
	ByMethod Class = iota

	// Read is an operation without side effects.
	Read

	// Repeatable is a write whose repetition changes nothing further.
	Repeatable

	// Once is a write that creates something: it is sent again only where the request surely
	// was not processed.
	Once
)

// of returns the class that holds for a request with the given method.
func (c Class) of(method string) Class {
	if c != ByMethod {
		return c
	}
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions:
		return Read
	case http.MethodPut, http.MethodDelete:
		return Repeatable
	default:
		return Once
	}
}

// Call describes one API call to the chain and carries back what the chain learnt about it.
// It travels in the request's context and belongs to one call; its results are written before
// RoundTrip returns, never concurrently.
type Call struct {
	// Op names the operation: "Tickets.Get".
	Op string

	// Route is the path template: "/tickets/{id}". It stands in logs for the real path.
	Route string

	// Class says how often the operation may be sent.
	Class Class

	// Streaming marks a call whose body, in either direction, may rightly take long: no
	// attempt timeout applies, only the context ends it.
	Streaming bool

	// MaxBody is the largest body of an answer, in bytes. It has the body read into Body,
	// within the attempt; zero leaves it to the caller.
	MaxBody int64

	// Body holds the body of the last answer. Its memory is taken when the answer comes, not
	// when it is waited for, and given back by Release.
	Body *bytes.Buffer

	// Attempts counts the requests that were started. One that was refused while it waited for
	// the limiter or the gate does not count. Redirects add up.
	Attempts int

	// OutcomeUnknown reports that a write, Repeatable or Once, ended without a definite
	// answer after the server may have acted on it: the connection failed once it was made,
	// or the answer was 5xx, on the last attempt or on an earlier one that stayed unanswered.
	OutcomeUnknown bool

	// Unanswered reports that an earlier attempt was possibly processed without its answer
	// reaching us: the connection failed after it was made, or the status was 502 or 504. A
	// later 404 to a DELETE then means that the work is done.
	Unanswered bool

	// RetryAfter is the wait that the server asked for in the last answer when that was a 429
	// or 503; zero if it named none. It is at most one year.
	RetryAfter time.Duration
}

// Release gives back the memory of Body, which must not be used any more.
func (c *Call) Release() {
	if c.Body != nil && c.Body.Cap() <= maxPooledBody {
		bodies.Put(c.Body)
	}
	c.Body = nil
}

type callKey struct{}

// WithCall returns a context that carries call down the chain.
func WithCall(ctx context.Context, call *Call) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}

// CallFrom returns the Call in ctx, nil if there is none.
func CallFrom(ctx context.Context) *Call {
	call, _ := ctx.Value(callKey{}).(*Call)
	return call
}
