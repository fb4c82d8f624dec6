package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/supportbee-go/supportbee"
)

// Limiter is a [supportbee.Limiter] for Tickets.Create whose budget is shared by all processes that
// use the same key of the same Redis. All other operations pass at once.
//
// The server counts a request somewhere between the moment at which it may be sent and its response,
// and when its minute begins is not known. So a request takes a place until its response came and
// per has passed since then: the server never counts more than limit requests in any time of that
// length. A request without a response, such as that of a process that was killed, is taken for one
// that ended after timeout.
//
// If Redis cannot be reached, Wait returns [ErrUnavailable]: the call fails, and nothing was sent.
type Limiter struct {
	redis        redis.Scripter
	key          string
	limit        int
	per, timeout time.Duration
}

// ErrUnavailable is the error of a request that was not sent because Redis could not be reached.
var ErrUnavailable = errors.New("the shared limit cannot be read from Redis")

// NewLimiter returns a limiter of limit requests in any time as long as per. The timeout is that of
// an attempt; see [supportbee.WithTimeout].
func NewLimiter(client redis.Scripter, key string, limit int, per, timeout time.Duration) *Limiter {
	// A hundredth more, because the clocks of Redis and the server may differ in speed.
	return &Limiter{redis: client, key: key, limit: limit, per: per + per/100, timeout: timeout}
}

// placeKey is the key of the place of an operation's attempt, a *string, in its context.
type placeKey struct{}

// Options returns the options of a client whose requests l limits. With [supportbee.WithLimiter]
// alone the limit is kept, too, but each request takes its place for timeout longer.
func (l *Limiter) Options() []supportbee.Option {
	return []supportbee.Option{supportbee.WithLimiter(l), supportbee.WithTimeout(l.timeout), supportbee.WithObserver(supportbee.Observer{
		Start: func(ctx context.Context, _ supportbee.Operation) context.Context {
			return context.WithValue(ctx, placeKey{}, new(string))
		},
		Attempt: l.ended,
	})}
}

// take takes a place and returns 0, or returns the microseconds until the next one is free. The
// places are a sorted set; a score is the latest time at which the server can have counted the
// request. The time is that of Redis, so that the clocks of the processes do not matter. A script
// that go-redis repeats after an error of the network takes one place only.
var take = redis.NewScript(`
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, per, timeout = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - per)
if redis.call('ZCARD', KEYS[1]) >= limit and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
	local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
	return tonumber(first[2]) + per - now
end
redis.call('ZADD', KEYS[1], now + timeout, ARGV[1])
redis.call('EXPIRE', KEYS[1], math.ceil((per + timeout) / 1000000) + 1)
return 0`)

// end sets the time at which the server can have counted a request at the latest to now.
var end = redis.NewScript(`
local time = redis.call('TIME')
return redis.call('ZADD', KEYS[1], 'XX', time[1] * 1000000 + time[2], ARGV[1])`)

func (l *Limiter) run(ctx context.Context, script *redis.Script, id string) (time.Duration, error) {
	us, err := script.Run(ctx, l.redis, []string{l.key}, id, l.limit, l.per.Microseconds(), l.timeout.Microseconds()).Int64()
	return time.Duration(us) * time.Microsecond, err
}

// Wait returns nil when a request may be sent.
func (l *Limiter) Wait(ctx context.Context) error {
	if op, ok := supportbee.OperationFrom(ctx); !ok || op.Name != "Tickets.Create" {
		return nil
	}
	id := rand.Text()
	for {
		wait, err := l.run(ctx, take, id)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		case wait <= 0:
			if place, ok := ctx.Value(placeKey{}).(*string); ok {
				*place = id
			}
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(min(wait, time.Second)): // the response of a request can free a place before
		}
	}
}

// ended is called after each attempt.
func (l *Limiter) ended(ctx context.Context, attempt supportbee.Attempt) {
	place, ok := ctx.Value(placeKey{}).(*string)
	if !ok || *place == "" || attempt.StatusCode == 0 { // without a response, the server can still receive it
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = l.run(ctx, end, *place) // if it fails, the place is taken until the timeout
}
