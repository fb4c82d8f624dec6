package supportbeetest

import "sync"

// changes tells those who wait that something has changed.
type changes struct {
	mu sync.Mutex
	ch chan struct{} // nil while nobody waits
}

// announceChanges makes the state and the history tell of their changes.
func (s *Desk) announceChanges() {
	s.changes = new(changes)
	s.mu.changes = s.changes
	s.requests.changes = s.changes
	s.mails.changes, s.mails.clock = s.changes, s.Clock
	s.webhooks.sent.changes, s.webhooks.sent.clock = s.changes, s.Clock
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

// notify does nothing if c is nil.
func (c *changes) notify() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ch != nil {
		close(c.ch)
		c.ch = nil
	}
}
