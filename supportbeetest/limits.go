package supportbeetest

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// rateLimiter counts created tickets, by token or by address.
type rateLimiter struct {
	mu    sync.Mutex
	times map[string][]time.Time
}

// take counts a ticket, or returns how long to wait before it may be created.
func (l *rateLimiter) take(c *call, cfg config) time.Duration {
	if !cfg.limits {
		return 0
	}
	key, most, window := "token "+c.token, 8, time.Minute
	if c.user == nil {
		host, _, _ := net.SplitHostPort(c.RemoteAddr)
		key, most, window = "address "+host, 5, time.Hour
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.times == nil {
		l.times = map[string][]time.Time{}
	}
	now := cfg.clock()
	recent := l.times[key]
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

// tooMany is the answer 429. Its body is not on record; this one is empty.
func (s *Desk) tooMany(wait time.Duration) answer {
	result := answer{status: http.StatusTooManyRequests}
	if s.config.retryAfter != nil {
		result.header = map[string]string{"Retry-After": s.config.retryAfter(wait)}
	}
	return result
}
