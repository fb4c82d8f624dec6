package supportbeetest

import (
	"fmt"
	"sync"
	"time"
)

// Clock is the time of a desk. It runs, ahead of the real time by what [Clock.Advance] has added,
// unless [Clock.Set] has stopped it. It is safe for concurrent use.
//
// Creation times, rate limits, the Date header of responses and Retry-After dates come from it.
// Delays, timeouts and [Request.Duration] are measured in real time.
type Clock struct {
	mu      sync.Mutex
	ahead   time.Duration
	stopped time.Time // zero while the clock runs
}

// Now returns the desk's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.IsZero() {
		return c.stopped
	}
	return time.Now().Add(c.ahead)
}

// Advance moves the clock forward by d. A clock that was set stays stopped. Advance panics if the
// time would not be one that [Clock.Set] takes, or if a clock that runs would be further ahead than a
// duration can be, which is about 292 years.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.IsZero() {
		mustTime("Clock.Advance", c.stopped.Add(d))
		c.stopped = c.stopped.Add(d)
		return
	}
	ahead := c.ahead + d
	if d > 0 && ahead < c.ahead || d < 0 && ahead > c.ahead {
		panic(fmt.Sprintf("supportbeetest: Clock.Advance: the clock is %v ahead, and cannot be %v more", c.ahead, d))
	}
	c.ahead = ahead
}

// mustTime panics if the desk cannot have the time: JSON has no form of later ones.
func mustTime(caller string, t time.Time) {
	if t = t.UTC(); t.Year() < 1 || t.Year() > 9999 {
		panic(fmt.Sprintf("supportbeetest: %s: the year of %s is not from 1 to 9999", caller, t.Format(time.RFC3339)))
	}
}

// Set sets the clock to t and stops it. Setting the zero time makes the clock run with the real
// time again. Set panics if the year of t is not from 1 to 9999 in UTC.
func (c *Clock) Set(t time.Time) {
	mustTime("Clock.Set", t)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped, c.ahead = t.Round(0), 0
}
