package supportbeetest

import (
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// rateLimiter counts created tickets by token or by address.
type rateLimiter struct {
	mu    sync.Mutex
	times map[string][]time.Time
}

// take counts a ticket, or returns how long to wait before it may be created. It is called with the
// state locked, so that the times are in order.
func (l *rateLimiter) take(c *call, cfg *config, now time.Time) time.Duration {
	if !cfg.limits {
		return 0
	}
	key, most, window := "token "+c.token, cfg.creates, cfg.createsPer
	if c.user == nil {
		host, _, _ := net.SplitHostPort(c.RemoteAddr)
		key, most, window = "address "+host, 5, time.Hour
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times == nil {
		l.times = map[string][]time.Time{}
	}
	recent := l.times[key]
	for len(recent) > 0 && recent[len(recent)-1].After(now) { // the clock has gone back
		recent = recent[:len(recent)-1]
	}
	for len(recent) > 0 && now.Sub(recent[0]) >= window {
		recent = recent[1:]
	}
	if len(recent) >= most {
		l.times[key] = recent
		return window - now.Sub(recent[0])
	}
	l.times[key] = append(recent, now)
	return 0
}

func (l *rateLimiter) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times = nil
}

// tooMany returns a response with status 429. The body that the service sends is not known; this
// one is empty.
func (s *Desk) tooMany(wait time.Duration) response {
	result := response{status: http.StatusTooManyRequests}
	switch s.config.retryAfter {
	case RetryAfterSeconds:
		result.header = map[string]string{"Retry-After": strconv.Itoa(int((wait + time.Second - 1) / time.Second))}
	case RetryAfterDate:
		result.header = map[string]string{"Retry-After": s.Clock.Now().Add(wait + time.Second).UTC().Format(http.TimeFormat)}
	}
	return result
}
