package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxDrain is how much of an answer is read before it is given up for a retry: enough for
	// any error body, after which the connection can be used again.
	maxDrain = 64 << 10

	// maxRetryAfter bounds the wait that is believed of a server.
	maxRetryAfter = 365 * 24 * time.Hour
)

// Policy says how often and after what waits a request is sent again. Zero fields take the
// defaults.
type Policy struct {
	// MaxAttempts counts all attempts, the first included; 4 by default, 1 is no retry.
	MaxAttempts int

	// MinBackoff is the longest first wait, doubled with each attempt up to MaxBackoff; 250 ms
	// and 8 s by default. The wait itself is random, from an eighth of that to all of it.
	MinBackoff, MaxBackoff time.Duration

	// MaxWait bounds every single wait; one minute by default. When a server asks for more,
	// its answer is returned at once.
	MaxWait time.Duration
}

func (p Policy) withDefaults() Policy {
	p.MaxAttempts = cmp.Or(max(p.MaxAttempts, 0), 4)
	p.MinBackoff = cmp.Or(max(p.MinBackoff, 0), 250*time.Millisecond)
	p.MaxBackoff = max(cmp.Or(max(p.MaxBackoff, 0), 8*time.Second), p.MinBackoff)
	p.MaxWait = cmp.Or(max(p.MaxWait, 0), time.Minute)
	return p
}

// Retry sends a request again where its class allows it, and closes the gate on a 429.
//
// A Read is repeated on a failed connection, 429, 502, 503 and 504, and once on 500. A
// Repeatable write likewise, except on 500. A Once write only when the request surely was not
// processed: on 429, or when no connection was made. A request whose body cannot be had again
// (no GetBody) is never repeated.
type Retry struct {
	Next   http.RoundTripper
	Policy Policy

	// Gate is closed on a 429; nil is none.
	Gate *Gate

	// Rand returns a random number from 0 to n-1; nil is rand.Int64N.
	Rand func(n int64) int64
}

// RoundTrip sends req until it is answered for good, the policy is spent or the context done,
// and reports in the request's Call.
func (t *Retry) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	call := CallFrom(ctx)
	if call == nil {
		call = new(Call)
		ctx = WithCall(ctx, call)
		req = req.WithContext(ctx)
	}
	call.OutcomeUnknown = false
	if ctx.Err() != nil {
		closeRequestBody(req)
		call.RetryAfter = 0
		return nil, withContextError(ctx, nil)
	}

	policy := t.Policy.withDefaults()
	class := call.Class.of(req.Method)
	replayable := req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
	var acted, failedOnce bool // by any attempt so far
	for attempt := 1; ; attempt++ {
		var conn *connection
		next := req
		if class != Read { // a read does not care where it failed
			conn = new(connection)
			next = req.WithContext(conn.trace(ctx))
		}
		if attempt > 1 {
			var err error
			if next, err = replay(next); err != nil {
				call.OutcomeUnknown = class != Read && acted
				return nil, err
			}
		}

		call.Attempts++
		call.RetryAfter = 0
		resp, err := t.Next.RoundTrip(next)
		if resp == nil && err == nil {
			err = errNoResponse
		}
		if err == nil && (resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable) {
			call.RetryAfter = retryAfter(resp.Header, time.Now())
		}

		was := judge(class, resp, err, conn)
		again := was.retry && replayable && attempt < policy.MaxAttempts && !(was.failed && failedOnce)
		acted = acted || was.acted
		failedOnce = failedOnce || was.failed
		wait := call.RetryAfter
		if wait == 0 && again {
			wait = t.backoff(policy, attempt)
		}
		again = again && wait <= policy.MaxWait && !pastDeadline(ctx, wait) && ctx.Err() == nil
		if was.limited && t.Gate != nil && (again || call.RetryAfter > 0) {
			t.Gate.Close(time.Now().Add(wait))
		}

		if !again {
			call.OutcomeUnknown = class != Read && acted && !was.definite
			if was.unsent {
				call.Attempts--
				if unsent, ok := errors.AsType[*unsentError](err); ok {
					err = unsent.err
				}
			}
			if err != nil && ctx.Err() != nil {
				err = withContextError(ctx, err)
			}
			return resp, err
		}

		call.Unanswered = call.Unanswered || was.unanswered
		if resp != nil {
			discard(resp.Body, call.Streaming)
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		if stopped := sleep(ctx, wait); stopped != nil {
			call.OutcomeUnknown = class != Read && acted
			return nil, fmt.Errorf("%w while waiting to retry after: %w", stopped, err)
		}
	}
}

// CloseIdleConnections closes those of Next.
func (t *Retry) CloseIdleConnections() { closeIdleConnections(t.Next) }

var errNoResponse = errors.New("the transport returned neither a response nor an error")

// replay returns a copy of req with a body that has not been read.
func replay(req *http.Request) (*http.Request, error) {
	clone := *req
	if req.GetBody != nil {
		body, err := req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("getting the request body again for a retry: %w", err)
		}
		clone.Body = body
	}
	return &clone, nil
}

// backoff returns the wait after the given attempt when the server named none.
func (t *Retry) backoff(p Policy, attempt int) time.Duration {
	longest := p.MinBackoff
	for range attempt - 1 {
		if longest > p.MaxBackoff/2 {
			longest = p.MaxBackoff
			break
		}
		longest *= 2
	}
	longest = min(longest, p.MaxWait)
	shortest := longest / 8
	random := t.Rand
	if random == nil {
		random = rand.Int64N
	}
	return shortest + time.Duration(random(int64(longest-shortest)+1))
}

// retryAfter returns the wait that the Retry-After header asks for; zero if it is absent,
// malformed or past.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0
	}
	seconds, err := strconv.ParseUint(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) { // ErrRange comes with the largest number
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	// The server's own clock, where it tells it, makes the wait right whatever ours says.
	if sent, err := http.ParseTime(h.Get("Date")); err == nil {
		now = sent
	}
	return min(max(until.Sub(now), 0), maxRetryAfter)
}

// discard ends the use of an answer's body, so that its connection can carry the next attempt
// where that costs little. A streaming body has no timeout and is not worth waiting for.
func discard(body io.ReadCloser, streaming bool) {
	if body == nil {
		return
	}
	if !streaming {
		_, _ = io.CopyN(io.Discard, body, maxDrain)
	}
	_ = body.Close()
}

// withContextError returns err, made to match both the error and the cause of ctx, which is
// done. A nil err gives those alone.
func withContextError(ctx context.Context, err error) error {
	for _, want := range []error{context.Cause(ctx), ctx.Err()} {
		switch {
		case err == nil:
			err = want
		case !errors.Is(err, want):
			err = fmt.Errorf("%w: %w", want, err)
		}
	}
	return err
}

// closeRequestBody does what the RoundTripper contract asks of one that does not send.
func closeRequestBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
