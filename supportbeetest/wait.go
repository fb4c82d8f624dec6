package supportbeetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Wait waits until cond returns true. It calls cond at once and then after each request, delivery of
// an event and change of the state, so that it needs no polling and no time in a [testing/synctest]
// bubble. cond may use all methods of the desk.
//
// Wait returns the cause if ctx is done before, and an error if the desk is closed.
func (s *Desk) Wait(ctx context.Context, cond func() bool) error {
	for {
		next := s.changes.next() // before cond, so that no change is missed
		if cond() {
			return nil
		}
		select {
		case <-next:
		case <-ctx.Done():
			return fmt.Errorf("supportbeetest: Wait: %w", context.Cause(ctx))
		case <-s.lifetime.ctx.Done():
			return errors.New("supportbeetest: Wait: the desk is closed")
		}
	}
}

// changes tells those who wait that something has changed.
type changes struct {
	mu sync.Mutex
	ch chan struct{} // nil while nobody waits
}

// next returns a channel that is closed after the next change.
func (c *changes) next() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch == nil {
		c.ch = make(chan struct{})
	}
	return c.ch
}

func (c *changes) notify() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch != nil {
		close(c.ch)
		c.ch = nil
	}
}

// stateLock guards the state of a desk. Each unlocking of a writer is a change.
type stateLock struct {
	sync.RWMutex
	changes *changes
	version atomic.Int64 // of the state; each change increments it
}

func (l *stateLock) Unlock() {
	l.version.Add(1) // before others can read the change
	l.RWMutex.Unlock()
	l.changes.notify()
}
