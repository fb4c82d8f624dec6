package transport

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// maxClosed bounds what a Gate believes: a server that asks for a year is asked again after an
// hour, which keeps one faulty header from disabling the process.
const maxClosed = time.Hour

// Gate holds back every request of all the clients that share it while a server asks for a
// pause. The zero value is open. It is safe for concurrent use and must not be copied.
type Gate struct {
	until atomic.Pointer[time.Time] // nil when open
}

// Close closes the gate until the given time, or one hour from now if that is sooner. Of
// several times the latest holds.
func (g *Gate) Close(until time.Time) {
	now := time.Now()
	if latest := now.Add(maxClosed); until.After(latest) {
		until = latest
	}
	if !until.After(now) {
		return
	}
	for {
		old := g.until.Load()
		if old != nil && !until.After(*old) || g.until.CompareAndSwap(old, &until) {
			return
		}
	}
}

// Wait returns once the gate is open. A wait longer than limit, or longer than the time left to
// ctx, is not begun: it fails at once with a *WaitError. A limit of zero or less is none. When
// ctx is done while waiting its error is returned.
func (g *Gate) Wait(ctx context.Context, limit time.Duration) error {
	var waited time.Duration
	for {
		until := g.until.Load()
		if until == nil {
			return nil
		}
		wait := time.Until(*until)
		if wait <= 0 {
			g.until.CompareAndSwap(until, nil) // lets the next ones pass without looking at the clock
			return nil
		}
		// The gate may close again while we wait, so the limit counts what was waited before.
		if limit > 0 && wait > limit-waited {
			return &WaitError{Wait: wait, Limit: limit}
		}
		if pastDeadline(ctx, wait) {
			return &WaitError{Wait: wait}
		}
		if err := sleep(ctx, wait); err != nil {
			return fmt.Errorf("while waiting %v as the server asked: %w", wait.Round(time.Millisecond), err)
		}
		waited += wait
	}
}

// WaitError reports a request that was not sent because the server asked for a longer pause
// than the caller has time for.
type WaitError struct {
	// Wait is how long requests are still to be held back.
	Wait time.Duration

	// Limit is the longest wait that the client's policy allows, if it was that which was too
	// short; zero if it was the context's deadline.
	Limit time.Duration
}

// Error says how long to wait and what stood against it.
func (e *WaitError) Error() string {
	wait := e.Wait.Round(time.Millisecond)
	if e.Limit > 0 {
		return fmt.Sprintf("rate limited: no request may be sent for %v, longer than the %v this client waits at most", wait, e.Limit)
	}
	return fmt.Sprintf("rate limited: no request may be sent for %v, longer than the context's deadline allows", wait)
}

// Unwrap returns context.DeadlineExceeded if the deadline was too near, nil otherwise.
func (e *WaitError) Unwrap() error {
	if e.Limit > 0 {
		return nil
	}
	return context.DeadlineExceeded
}

// pastDeadline reports whether ctx ends before or as a wait from now is over.
func pastDeadline(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= wait
}

// sleep waits, or returns the context's error when that is done first.
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
