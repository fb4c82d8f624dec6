package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"
)

// Policy says how often and after what waits a request is sent again. Zero fields mean the
// defaults.
type Policy struct {
	// MaxAttempts is the maximum number of attempts, including the first. The default is 4; 1
	// disables retries.
	MaxAttempts int

	// MinBackoff is the longest first wait, which doubles with each attempt up to MaxBackoff.
	// The defaults are 250 ms and 8 s. The wait itself is random, between an eighth of that
	// and all of it.
	MinBackoff, MaxBackoff time.Duration

	// MaxWait limits each wait. The default is one minute. If a server asks for more, its
	// response is returned at once.
	MaxWait time.Duration
}

func (p Policy) withDefaults() Policy {
	p.MaxAttempts = cmp.Or(max(p.MaxAttempts, 0), 4)
	p.MinBackoff = cmp.Or(max(p.MinBackoff, 0), 250*time.Millisecond)
	p.MaxBackoff = max(cmp.Or(max(p.MaxBackoff, 0), 8*time.Second), p.MinBackoff)
	p.MaxWait = cmp.Or(max(p.MaxWait, 0), time.Minute)
	return p
}

// backoff returns the wait after the given attempt if the server asked for none.
func (p Policy) backoff(attempt int, random float64) time.Duration {
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
	return shortest + time.Duration(random*float64(longest-shortest))
}

// Next returns the wait after the given attempt, and reports whether another may follow.
func (p Policy) Next(attempt int) (time.Duration, bool) {
	p = p.withDefaults()
	return p.backoff(attempt, rand.Float64()), attempt < p.MaxAttempts
}

// Retry sends a request, waits for gates and the limiter before each attempt, limits its
// duration, and sends it again where decide says so.
type Retry struct {
	Next   http.RoundTripper
	Policy Policy

	// Timeout limits the duration of each attempt to its After, until the body is read into the
	// Report, and is the error then. The zero value is no limit.
	Timeout TimeoutError

	// Limiter delays each attempt. It may be nil.
	Limiter Limiter

	// Gate is closed by a 429 of the Origin and holds back requests to it.
	Gate   *Gate
	Origin *url.URL

	// Rand returns a random number from 0 to 1. If it is nil, rand.Float64 is used.
	Rand func() float64

	deadlines deadlines // of attempts in progress
}

// RoundTrip sends req until the result is final, and reports it in the request's Report.
func (t *Retry) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := operationOf(req)
	report := ReportFrom(req.Context())
	report.OutcomeUnknown, report.RetryAfter, report.Again, report.Wait = false, 0, false, 0
	if !report.Once {
		report.waited = 0
	}
	if ctx.Err() != nil {
		closeBody(req)
		return nil, withContextError(ctx, nil)
	}
	r := result{
		class: report.Class, policy: t.Policy.withDefaults(),
		replayable: req.Body == nil || req.Body == http.NoBody || req.GetBody != nil,
	}
	r.deadline, _ = ctx.Deadline()
	r.attempt = 1
	if report.Once {
		r.attempt, r.earlier = max(report.Round, 1), report.earlier
	}
	var gates passage
	for ; ; r.attempt++ {
		err := t.wait(req, report, &gates, r.policy.MaxWait)
		if err != nil {
			if r.attempt == 1 {
				closeBody(req)
			}
			return nil, err
		}
		var resp *http.Response
		if resp, r.failure, err = t.send(req, report, r.attempt > 1); r.failure == notSent {
			gates.leave(false)
			return nil, err
		}
		r.status, r.header = 0, nil
		if err == nil {
			r.status, r.header = resp.StatusCode, resp.Header
		}
		if r.status/100 == 2 { // there is nothing to decide
			gates.leave(true)
			report.OutcomeUnknown, report.RetryAfter, report.waited = false, 0, 0
			return resp, nil
		}
		r.now, r.random = time.Now(), t.random()
		d := decide(r)
		r.earlier = d.history
		report.OutcomeUnknown, report.RetryAfter = d.outcomeUnknown, d.retryAfter
		paused := d.pause > 0 && t.pause(req, report, r.now.Add(d.pause))
		gates.leave(err == nil && r.status != http.StatusTooManyRequests)
		if report.Once {
			report.Again, report.Wait, report.earlier, report.waited = d.again, d.wait, d.history, 0
			if paused {
				report.Wait = 0 // the gate waits
			}
			d.again = false
		}
		if !d.again || ctx.Err() != nil {
			if err != nil && ctx.Err() != nil {
				err = withContextError(ctx, err)
			}
			return resp, err
		}

		report.Unanswered = report.Unanswered || d.history.unanswered
		report.waited = 0
		if err == nil {
			_ = resp.Body.Close()
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		if paused {
			continue // the gate waits, and knows which request goes next
		}
		if stopped := sleep(ctx, d.wait); stopped != nil {
			return nil, fmt.Errorf("%w while waiting to retry after: %w", stopped, err)
		}
		report.waited = time.Since(r.now)
	}
}

func (t *Retry) random() float64 {
	if t.Rand != nil {
		return t.Rand()
	}
	return rand.Float64()
}

// sleep waits, or returns the error of ctx if that is done first.
func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return withContextError(ctx, nil)
	case <-timer.C:
		return nil
	}
}

// ContextError returns the error of ctx, which matches its cause too, or nil if ctx is not done.
func ContextError(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return withContextError(ctx, nil)
}

// withContextError returns err, made to match both the error and the cause of ctx, which is
// done. If err is nil, it returns those alone.
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

// closeBody closes the body of a request that is not sent, as a RoundTripper must.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
