package transport

import (
	"context"
	"sync"
	"time"
)

// deadlines ends attempts that take too long, all after the same time. They share a timer, which goes
// on when an attempt ends: a timer for each would take 1 % of a call over loopback.
type deadlines struct {
	mu          sync.Mutex
	first, last *deadline // from the earliest to the latest
	from, to    time.Time // while the timer runs
}

// deadline is when an attempt ends.
type deadline struct {
	at         time.Time
	end        context.CancelCauseFunc
	prev, next *deadline
	removed    bool
}

// start makes d the deadline of an attempt that begins now, and ends with timeout.
func (l *deadlines) start(d *deadline, timeout *TimeoutError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	d.at = now.Add(timeout.After)
	if d.prev = l.last; d.prev != nil {
		d.prev.next = d
	} else {
		l.first = d
	}
	l.last = d
	// The timer may be of another bubble of testing/synctest, whose clock began at the same time.
	if !now.After(l.from) || !now.Before(l.to) {
		l.arm(now, d.at, timeout)
	}
}

func (l *deadlines) arm(now, to time.Time, timeout *TimeoutError) {
	l.from, l.to = now, to
	time.AfterFunc(to.Sub(now), func() { l.pass(timeout) })
}

// stop removes d, unless its attempt was ended.
func (l *deadlines) stop(d *deadline) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !d.removed {
		l.remove(d)
	}
}

func (l *deadlines) remove(d *deadline) {
	d.removed = true
	if d.prev != nil {
		d.prev.next = d.next
	} else {
		l.first = d.next
	}
	if d.next != nil {
		d.next.prev = d.prev
	} else {
		l.last = d.prev
	}
}

// pass ends the attempts whose time is over, and starts the timer again if there are others.
func (l *deadlines) pass(timeout *TimeoutError) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for l.first != nil && !l.first.at.After(now) {
		d := l.first
		l.remove(d)
		d.end(timeout)
	}
	// An attempt that began when this was due, but earlier, has started the timer for itself alone.
	if l.first != nil && (!now.Before(l.to) || l.first.at.Before(l.to)) {
		l.arm(now, l.first.at, timeout)
	}
}
