package transport

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxPause limits the pause of a Gate, so that one faulty header does not disable the
	// process for longer.
	maxPause = time.Hour

	// patience is how long a Gate waits for the result of a request before it lets another one
	// go, since an upload, say, can take any time.
	patience = 5 * time.Second
)

// Gate holds back the requests of all clients that share it while a server asks for a pause.
// After the pause one request goes first. Each that succeeds lets two more go, in the order of
// their arrival, until none is waiting.
//
// The zero value is open, and so is nil. A Gate is safe for concurrent use and must not be copied
// after first use.
type Gate struct {
	restricted atomic.Bool // whether requests must not pass without a turn

	mu     sync.Mutex
	until  time.Time // the end of the pause
	pauses int       // their number so far
	places int       // their number so far
	free   int       // how many requests may go now
	queue  []*waiter // by place
	timer  *time.Timer
	timing bool // whether timer runs
}

// waiter is a request that a Gate holds back.
type waiter struct {
	place    int
	limit    time.Duration
	latest   time.Time // when limit is reached; zero if there is none
	deadline time.Time // of the context; zero if there is none
	ready    chan entry
}

// pass is what a request has of a Gate.
type pass struct {
	place int // in the order of arrival, kept for further attempts; zero if it never waited
	turn  int // the number of the pause after which it may go, zero for none
}

type entry struct {
	turn int
	err  error
}

func (g *Gate) isOpen() bool { return g == nil || !g.restricted.Load() }

// Close starts a pause that ends at the given time, or in one hour if that is earlier. It has no
// effect during a pause that ends later.
func (g *Gate) Close(until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if latest := now.Add(maxPause); until.After(latest) {
		until = latest
	}
	if !until.After(now) || !until.After(g.until) {
		return
	}
	g.until = until
	g.pauses++
	g.free = 0
	g.restricted.Store(true)
	g.queue = slices.DeleteFunc(g.queue, func(w *waiter) bool {
		err := w.reject(now, until)
		if err != nil {
			w.ready <- entry{err: err}
		}
		return err != nil
	})
	g.tickIn(until.Sub(now))
}

func (g *Gate) tickIn(wait time.Duration) {
	g.timing = true
	if g.timer == nil {
		g.timer = time.AfterFunc(wait, g.tick)
	} else {
		g.timer.Reset(wait)
	}
}

// tick lets one more request go: the first after a pause, or one in place of a request that
// takes long.
func (g *Gate) tick() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.timing = false
	if wait := time.Until(g.until); wait > 0 { // it was closed again as the timer fired
		g.tickIn(wait)
		return
	}
	if g.free == 0 {
		g.release(1)
	}
	if len(g.queue) > 0 {
		g.tickIn(patience)
	}
}

// release lets n more requests go.
func (g *Gate) release(n int) {
	g.free += n
	for g.free > 0 && len(g.queue) > 0 {
		g.free--
		g.queue[0].ready <- entry{turn: g.pauses}
		g.queue = slices.Delete(g.queue, 0, 1)
	}
}

// enter returns once the request may go, with a turn in p unless the gate is open. A wait longer
// than limit, if that is not zero, or longer than the time left to ctx is not begun: it fails at
// once with a *WaitError.
func (g *Gate) enter(ctx context.Context, limit time.Duration, p *pass) error {
	if g.isOpen() {
		return nil
	}
	g.mu.Lock()
	if g.isOpen() || p.turn == g.pauses {
		g.mu.Unlock()
		return nil
	}
	now := time.Now()
	if p.place == 0 {
		g.places++
		p.place = g.places
	}
	w := &waiter{place: p.place, limit: limit, ready: make(chan entry, 1)}
	if limit > 0 {
		w.latest = now.Add(limit)
	}
	w.deadline, _ = ctx.Deadline()
	if err := w.reject(now, g.until); err != nil {
		g.mu.Unlock()
		return err
	}
	i, _ := slices.BinarySearchFunc(g.queue, w.place, func(w *waiter, place int) int { return cmp.Compare(w.place, place) })
	g.queue = slices.Insert(g.queue, i, w)
	g.release(0)
	if len(g.queue) > 0 && !g.timing {
		g.tickIn(patience)
	}
	g.mu.Unlock()

	select {
	case e := <-w.ready:
		p.turn = e.turn
		return e.err
	case <-ctx.Done():
		g.mu.Lock()
		if i := slices.Index(g.queue, w); i >= 0 {
			g.queue = slices.Delete(g.queue, i, i+1)
		}
		g.mu.Unlock()
		select {
		case e := <-w.ready:
			g.leave(&pass{turn: e.turn}, false)
		default:
		}
		return fmt.Errorf("waiting for the end of the rate limit: %w", withContextError(ctx, nil))
	}
}

// leave ends a turn. If the request failed without a proof that the limit is over, another one
// gets the turn.
func (g *Gate) leave(p *pass, succeeded bool) {
	turn := p.turn
	if turn == 0 {
		return
	}
	p.turn = 0
	g.mu.Lock()
	defer g.mu.Unlock()
	if turn != g.pauses || g.isOpen() {
		return // it has closed again since, or is open to all
	}
	if !succeeded {
		g.release(1)
		return
	}
	g.release(2)
	if len(g.queue) == 0 {
		g.restricted.Store(false)
		g.timing = false
		g.timer.Stop()
	}
}

// reject returns the error of a wait that is too long.
func (w *waiter) reject(now, until time.Time) error {
	switch wait := until.Sub(now); {
	case wait <= 0:
		return nil
	case !w.latest.IsZero() && until.After(w.latest):
		return &WaitError{Wait: wait, Limit: w.limit}
	case !w.deadline.IsZero() && !until.Before(w.deadline):
		return &WaitError{Wait: wait}
	}
	return nil
}

// WaitError reports a request that was not sent because the server asked for a longer pause than
// the caller has time for.
type WaitError struct {
	// Wait is the time left until requests may be sent again.
	Wait time.Duration

	// Limit is the longest wait that the policy allows, if that was exceeded. It is zero if
	// the context's deadline was.
	Limit time.Duration
}

// Error returns the wait and the limit.
func (e *WaitError) Error() string {
	wait := e.Wait.Round(time.Millisecond)
	if e.Limit > 0 {
		return fmt.Sprintf("rate limited: requests must wait %v, longer than the maximum of %v", wait, e.Limit)
	}
	return fmt.Sprintf("rate limited: requests must wait %v, longer than the context's deadline allows", wait)
}

// Unwrap returns context.DeadlineExceeded if the deadline was exceeded, nil otherwise.
func (e *WaitError) Unwrap() error {
	if e.Limit > 0 {
		return nil
	}
	return context.DeadlineExceeded
}
