// Package supportbeeredis limits the requests of clients of package
// [github.com/supportbee-go/supportbee] in any number of processes together. The count is kept in a
// Redis server, of version 5 or later.
//
//	limiter := supportbeeredis.NewLimiter(redisClient, "supportbee:creates", nil)
//	client = client.With(limiter.Options()...)
//
// By default, all processes together create at most 8 tickets in any minute, which is what SupportBee
// lets a token create, and all other operations pass at once.
package supportbeeredis

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/supportbee-go/supportbee"
)

const (
	defaultRequests = 8
	defaultTimeout  = 30 * time.Second
	endTimeout      = 5 * time.Second // for the note in Redis that a request has ended
)

// ErrUnavailable is the error of a request that was not sent because Redis could not be reached.
var ErrUnavailable = errors.New("the shared limit cannot be read from Redis")

// LimiterOptions configures a [Limiter]. All processes that share a limit must use equal options.
type LimiterOptions struct {
	// Requests is the number of requests in any time as long as Per. The default is 8. A lower
	// number leaves room for other programs with the same token.
	Requests int

	// Per is the time that Requests is for. The default is a minute.
	Per time.Duration

	// Timeout is the time limit of an attempt, as in [supportbee.WithTimeout]. The default is 30
	// seconds.
	Timeout time.Duration

	// Operations are the names of the operations that are limited, such as "Tickets.Create", which
	// is the default. All others pass at once.
	Operations []string
}

// Limiter is a [supportbee.Limiter] whose budget is shared by all processes that use the same key of
// the same Redis. It must be made by [NewLimiter]. Its methods are safe for concurrent use.
//
// It is not known when the minute of the server begins, and the server counts a request at some
// moment between the one at which it is sent and its response. So a request takes one of the places
// until its response came and Per has passed since then: the server never counts more than Requests
// in any time of that length. A request without a response, such as that of a process that was
// killed, is taken for one that ended after Timeout. That is too early for a request that may take
// longer, as uploads may.
//
// Only the clock of Redis matters. If Redis loses its data, the budget starts anew.
type Limiter struct {
	redis        redis.Scripter
	key          string
	requests     int
	per, timeout time.Duration
	operations   []string
}

// NewLimiter returns a limiter. Its budget is at a key that nothing else uses and that expires when
// the budget is not used. If opts is nil, or a field is zero or negative, the defaults apply. The
// client is one such as a [*redis.Client] or a [*redis.ClusterClient].
func NewLimiter(client redis.Scripter, key string, opts *LimiterOptions) *Limiter {
	o := *cmp.Or(opts, new(LimiterOptions))
	l := &Limiter{
		redis: client, key: key, operations: slices.Clone(o.Operations),
		requests: cmp.Or(max(o.Requests, 0), defaultRequests),
		per:      cmp.Or(max(o.Per, 0), time.Minute),
		timeout:  cmp.Or(max(o.Timeout, 0), defaultTimeout),
	}
	if len(l.operations) == 0 {
		l.operations = []string{"Tickets.Create"}
	}
	l.per += l.per / 100 // because the clocks of Redis and the server may differ in speed
	return l
}

// Options returns the options of a client whose requests l limits; see [supportbee.New] and
// [supportbee.Client.With]. They are [supportbee.WithLimiter], [supportbee.WithTimeout], which must
// not be given a longer time afterward, and a [supportbee.WithObserver] that frees places.
//
// With WithLimiter alone the limit is kept, too, but each request takes its place for Timeout longer.
func (l *Limiter) Options() []supportbee.Option {
	return []supportbee.Option{supportbee.WithLimiter(l), supportbee.WithTimeout(l.timeout), supportbee.WithObserver(supportbee.Observer{
		Start: func(ctx context.Context, _ supportbee.Operation) context.Context {
			return context.WithValue(ctx, l, new(string)) // the place of the current attempt
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

func (l *Limiter) run(ctx context.Context, script *redis.Script, place string) (time.Duration, error) {
	us, err := script.Run(ctx, l.redis, []string{l.key}, place, l.requests, l.per.Microseconds(), l.timeout.Microseconds()).Int64()
	return time.Duration(us) * time.Microsecond, err
}

// Wait returns nil when the request of ctx may be sent; see [supportbee.OperationFrom]. It returns the
// cause of ctx if that ends before, and [ErrUnavailable] if Redis cannot be reached: then the call
// fails, and nothing was sent.
func (l *Limiter) Wait(ctx context.Context) error {
	if op, ok := supportbee.OperationFrom(ctx); !ok || !slices.Contains(l.operations, op.Name) {
		return nil
	}
	place := rand.Text()
	for {
		wait, err := l.run(ctx, take, place)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		case wait <= 0:
			if current, ok := ctx.Value(l).(*string); ok {
				*current = place
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
	current, ok := ctx.Value(l).(*string)
	if !ok || *current == "" || attempt.StatusCode == 0 { // without a response, the server can still receive it
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	_, _ = l.run(ctx, end, *current) // if it fails, the place is taken until the timeout
}
