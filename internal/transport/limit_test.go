package transport_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

func TestGateHoldsBackUntilTheLatestTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gate transport.Gate
		start := time.Now()
		require.NoError(t, gate.Wait(t.Context(), 0))
		assert.Equal(t, time.Duration(0), time.Since(start), "the zero gate is open")

		gate.Close(start.Add(3 * time.Second))
		gate.Close(start.Add(5 * time.Second))
		gate.Close(start.Add(4 * time.Second))
		gate.Close(start.Add(-time.Second))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				assert.NoError(t, gate.Wait(t.Context(), time.Minute))
				assert.Equal(t, 5*time.Second, time.Since(start))
			})
		}
		wg.Wait()
		require.NoError(t, gate.Wait(t.Context(), 0))
		assert.Equal(t, 5*time.Second, time.Since(start), "open again")
		gate.Close(time.Now().Add(time.Second))
		require.NoError(t, gate.Wait(t.Context(), 0))
		assert.Equal(t, 6*time.Second, time.Since(start), "and closed again")
	})
}

func TestGateIgnoresThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gate transport.Gate
		start := time.Now()
		gate.Close(start)
		gate.Close(time.Time{})
		require.NoError(t, gate.Wait(t.Context(), 0))
		assert.Equal(t, time.Duration(0), time.Since(start))
	})
}

func TestGateExtendedWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gate transport.Gate
		start := time.Now()
		gate.Close(start.Add(10 * time.Second))
		time.AfterFunc(5*time.Second, func() { gate.Close(start.Add(15 * time.Second)) })
		require.NoError(t, gate.Wait(t.Context(), 15*time.Second))
		assert.Equal(t, 15*time.Second, time.Since(start))

		start = time.Now()
		gate.Close(start.Add(10 * time.Second))
		time.AfterFunc(5*time.Second, func() { gate.Close(start.Add(15 * time.Second)) })
		err := gate.Wait(t.Context(), 14*time.Second)
		assert.Equal(t, &transport.WaitError{Wait: 5 * time.Second, Limit: 14 * time.Second}, err, "the limit counts all the waiting")
		assert.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestGateRefusesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gate transport.Gate
		start := time.Now()
		gate.Close(start.Add(42 * time.Second))

		err := gate.Wait(t.Context(), 41*time.Second)
		assert.Equal(t, &transport.WaitError{Wait: 42 * time.Second, Limit: 41 * time.Second}, err)
		require.EqualError(t, err, "rate limited: no request may be sent for 42s, longer than the 41s this client waits at most")
		require.NotErrorIs(t, err, context.DeadlineExceeded)

		ctx, cancel := context.WithTimeout(t.Context(), 42*time.Second)
		defer cancel()
		err = gate.Wait(ctx, time.Minute)
		assert.Equal(t, &transport.WaitError{Wait: 42 * time.Second}, err)
		require.EqualError(t, err, "rate limited: no request may be sent for 42s, longer than the context's deadline allows")
		require.ErrorIs(t, err, context.DeadlineExceeded)

		assert.Equal(t, time.Duration(0), time.Since(start))
	})
}

func TestGateEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gate transport.Gate
		start := time.Now()
		gate.Close(start.Add(time.Minute))
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(cause) })
		err := gate.Wait(ctx, time.Hour)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.EqualError(t, err, "while waiting 1m0s as the server asked: context canceled: shutting down")
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestGateBelievesOneHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gate transport.Gate
		start := time.Now()
		gate.Close(start.AddDate(900, 0, 0))
		require.NoError(t, gate.Wait(t.Context(), 0))
		assert.Equal(t, time.Hour, time.Since(start))
	})
}

type limiter func(context.Context) error

func (f limiter) Wait(ctx context.Context) error { return f(ctx) }

func TestLimitWaitsForGateAndLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		gate := new(transport.Gate)
		gate.Close(start.Add(2 * time.Second))
		var asked time.Duration
		next := play(t, answers(200))
		rt := &transport.Limit{Next: next, Gate: gate, MaxWait: time.Minute, Limiter: limiter(func(context.Context) error {
			asked = time.Since(start)
			gate.Close(start.Add(7 * time.Second)) // someone else's 429 meanwhile
			<-time.After(3 * time.Second)
			return nil
		})}
		resp, err := rt.RoundTrip(request(t, http.MethodGet, nil, ""))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, 2*time.Second, asked, "a turn of the limiter was used up at a closed gate")
		assert.Equal(t, []time.Duration{7 * time.Second}, next.at)
	})
}

func TestLimitWithoutGateOrLimiterPassesOn(t *testing.T) {
	t.Parallel()
	next := play(t, answers(200))
	req := request(t, http.MethodGet, nil, "")
	resp, err := (&transport.Limit{Next: next}).RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Same(t, req, next.sent[0])
}

func TestLimitRefusesWithoutSending(t *testing.T) {
	t.Parallel()
	refused := errors.New("no turns left")
	for name, tt := range map[string]struct {
		limiter transport.Limiter
		closed  time.Duration
		want    string
		is      error
	}{
		"limiter": {limiter(func(context.Context) error { return refused }), 0, "waiting for the rate limiter: no turns left", refused},
		"gate":    {nil, time.Minute, "rate limited: no request may be sent for 1m0s, longer than the 10s this client waits at most", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gate := new(transport.Gate)
				gate.Close(time.Now().Add(tt.closed))
				content := newBody("content")
				req := request(t, http.MethodPost, nil, "")
				req.Body = content
				_, err := (&transport.Limit{Next: play(t), Gate: gate, Limiter: tt.limiter, MaxWait: 10 * time.Second}).RoundTrip(req) //nolint:bodyclose // there is none
				require.EqualError(t, err, tt.want)
				if tt.is != nil {
					require.ErrorIs(t, err, tt.is)
				}
				assert.True(t, content.closed.Load(), "the request body stays open")
			})
		})
	}
}
