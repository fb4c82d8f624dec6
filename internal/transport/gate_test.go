package transport_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
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
		assert.Equal(t, &transport.WaitError{Wait: 10 * time.Second, Limit: 14 * time.Second}, err, "the limit counts all the waiting")
		assert.Equal(t, 5*time.Second, time.Since(start), "a wait that has become too long goes on")
	})
}

func TestGateRejectsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gate transport.Gate
		start := time.Now()
		gate.Close(start.Add(42 * time.Second))

		err := gate.Wait(t.Context(), 41*time.Second)
		assert.Equal(t, &transport.WaitError{Wait: 42 * time.Second, Limit: 41 * time.Second}, err)
		require.EqualError(t, err, "rate limited: requests must wait 42s, longer than the maximum of 41s")
		require.NotErrorIs(t, err, context.DeadlineExceeded)

		ctx, cancel := context.WithTimeout(t.Context(), 42*time.Second)
		defer cancel()
		err = gate.Wait(ctx, time.Minute)
		assert.Equal(t, &transport.WaitError{Wait: 42 * time.Second}, err)
		require.EqualError(t, err, "rate limited: requests must wait 42s, longer than the context's deadline allows")
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
		require.EqualError(t, err, "waiting for the end of the rate limit: context canceled: shutting down")
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestGatePausesForAtMostOneHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var gate transport.Gate
		start := time.Now()
		gate.Close(start.AddDate(900, 0, 0))
		require.NoError(t, gate.Wait(t.Context(), 0))
		assert.Equal(t, time.Hour, time.Since(start))
	})
}

// A request that comes after the pause waits for those before it, or goes first.
func TestGateAfterThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := new(transport.Gate)
		start := time.Now()
		gate.Close(start.Add(time.Second))
		<-time.After(time.Minute)
		release := make(chan struct{})
		next := &limited{start: time.Now()}
		rt := transport.Chain(roundTrip(func(req *http.Request) (*http.Response, error) {
			if transport.ReportFrom(req.Context()).Op == "a" {
				<-release
			}
			return next.RoundTrip(req)
		}), transport.Config{Gate: gate, Origin: origin})
		time.AfterFunc(2*time.Second, func() { close(release) })
		sendAll(t, rt, 2)
		assert.Equal(t, []string{"2s a", "3s b"}, next.got)
	})
}

func TestAnOperationsOwnGateRejects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		own, shared := new(transport.Gate), new(transport.Gate)
		own.Close(time.Now().Add(2 * time.Minute))
		rt := transport.Chain(play(t), transport.Config{Gate: shared, Origin: origin})
		_, err := rt.RoundTrip(request(t, http.MethodPost, &transport.Report{Gate: own}, "content")) //nolint:bodyclose // there is none
		assert.Equal(t, &transport.WaitError{Wait: 2 * time.Minute, Limit: time.Minute}, err)
	})
}

type limiter func(context.Context) error

func (f limiter) Wait(ctx context.Context) error { return f(ctx) }

func TestLimiterComesAfterTheGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		gate := new(transport.Gate)
		gate.Close(start.Add(2 * time.Second))
		var asked time.Duration
		next := play(t, responds(200))
		var seen []transport.Attempt
		rt := transport.Chain(next, transport.Config{
			Gate: gate, Origin: origin,
			Hooks: []transport.Hook{func(_ context.Context, a transport.Attempt) { seen = append(seen, a) }},
			Limiter: limiter(func(context.Context) error {
				asked = time.Since(start)
				gate.Close(start.Add(7 * time.Second)) // because of someone else's 429
				<-time.After(3 * time.Second)
				return nil
			}),
		})
		resp, err := rt.RoundTrip(request(t, http.MethodGet, nil, ""))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, 2*time.Second, asked, "a turn of the limiter was used up at a closed gate")
		assert.Equal(t, seconds(7), next.at)
		assert.Equal(t, []transport.Attempt{{Method: "GET", Number: 1, StatusCode: 200, Wait: 7 * time.Second}}, seen)
	})
}

func TestLimiterAndGateReject(t *testing.T) {
	t.Parallel()
	rejected := errors.New("no turns left")
	for _, tt := range []struct {
		name    string
		limiter transport.Limiter
		closed  time.Duration
		want    string
		is      error
	}{
		{name: "limiter", limiter: limiter(func(context.Context) error { return rejected }), want: "waiting for the rate limiter: no turns left", is: rejected},
		{name: "gate", closed: time.Minute, want: "rate limited: requests must wait 1m0s, longer than the maximum of 10s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gate := new(transport.Gate)
				gate.Close(time.Now().Add(tt.closed))
				content := newBody("content")
				req := request(t, http.MethodPost, nil, "")
				req.Body = content
				rt := transport.Chain(play(t), transport.Config{
					Gate: gate, Origin: origin, Limiter: tt.limiter, Policy: transport.Policy{MaxWait: 10 * time.Second},
					Hooks: []transport.Hook{func(context.Context, transport.Attempt) { t.Error("there was no attempt") }},
				})
				_, err := rt.RoundTrip(req) //nolint:bodyclose // there is none
				require.EqualError(t, err, tt.want)
				if tt.is != nil {
					require.ErrorIs(t, err, tt.is)
				}
				assert.True(t, content.closed.Load(), "the request body stays open")
			})
		})
	}
}

// limited is a server that responds after a second, with 429 while closed is true.
type limited struct {
	mu     sync.Mutex
	start  time.Time
	closed bool
	lost   int      // how many requests fail
	got    []string // "1s a" for a request that arrives after one second
}

func (s *limited) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, fmt.Sprint(time.Since(s.start).Round(time.Second), " ", transport.ReportFrom(req.Context()).Op))
	if s.closed {
		return response(req, 429, "Retry-After", "10"), nil
	}
	if s.lost > 0 {
		s.lost--
		return nil, errReset
	}
	s.mu.Unlock()
	defer s.mu.Lock()
	<-time.After(time.Second)
	return response(req, 200), nil
}

// sendAll sends reads named a, b, c, … that arrive one millisecond apart, and waits for all.
func sendAll(t *testing.T, rt http.RoundTripper, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			report := &transport.Report{Op: string(rune('a' + i)), Class: transport.Read}
			resp, err := rt.RoundTrip(request(t, http.MethodGet, report, ""))
			if assert.NoError(t, err) {
				assert.Equal(t, 200, resp.StatusCode)
				assert.NoError(t, resp.Body.Close())
			}
		})
		<-time.After(time.Millisecond)
	}
	wg.Wait()
}

func TestAfterAPauseRequestsFollowInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &limited{start: time.Now(), closed: true}
		time.AfterFunc(5*time.Second, func() {
			server.mu.Lock()
			defer server.mu.Unlock()
			server.closed = false
		})
		rt := transport.Chain(server, transport.Config{Gate: new(transport.Gate), Origin: origin})
		sendAll(t, rt, 9)
		groups := map[string]string{}
		for _, line := range server.got {
			at, op, _ := strings.Cut(line, " ")
			groups[at] += op
		}
		for at, group := range groups { // those that leave together run concurrently
			letters := strings.Split(group, "")
			slices.Sort(letters)
			groups[at] = strings.Join(letters, "")
		}
		assert.Equal(t, map[string]string{"0s": "a", "10s": "a", "11s": "bc", "12s": "defg", "13s": "hi"}, groups)
	})
}

// A request that was limited again does not go to the end of the queue.
func TestALimitedRequestKeepsItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &limited{start: time.Now(), closed: true}
		time.AfterFunc(15*time.Second, func() {
			server.mu.Lock()
			defer server.mu.Unlock()
			server.closed = false
		})
		rt := transport.Chain(server, transport.Config{Gate: new(transport.Gate), Origin: origin})
		sendAll(t, rt, 2)
		assert.Equal(t, []string{"0s a", "10s a", "20s a", "21s b"}, server.got)
	})
}

// A request that fails without a response gives its turn to the next one.
func TestALostRequestPassesItsTurnOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := new(transport.Gate)
		gate.Close(time.Now().Add(10 * time.Second))
		server := &limited{start: time.Now(), lost: 1}
		rt := transport.Chain(server, transport.Config{Gate: gate, Origin: origin, Policy: transport.Policy{MinBackoff: 400 * time.Millisecond}})
		sendAll(t, rt, 2)
		assert.Equal(t, []string{"10s a", "10s b", "11s a"}, server.got, "a, which is retried before b is done, needs a new turn")
	})
}

func TestACanceledRequestPassesItsTurnOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := new(transport.Gate)
		gate.Close(time.Now().Add(10 * time.Second))
		server := &limited{start: time.Now()}
		rt := transport.Chain(server, transport.Config{Gate: gate, Origin: origin})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		done := make(chan error)
		canceled := within(ctx, request(t, http.MethodGet, nil, ""))
		go func() {
			_, err := rt.RoundTrip(canceled) //nolint:bodyclose // there is none
			done <- err
		}()
		synctest.Wait()
		go func() { sendAll(t, rt, 1); close(done) }() //nolint:testifylint // it reports with assert only
		require.ErrorIs(t, <-done, context.Canceled)
		<-done
		assert.Equal(t, []string{"10s a"}, server.got)
	})
}

// An upload may take any time, during which the others must not wait.
func TestASlowRequestDoesNotHoldTheOthersBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := new(transport.Gate)
		start := time.Now()
		gate.Close(start.Add(10 * time.Second))
		next := &limited{start: start}
		rt := transport.Chain(roundTrip(func(req *http.Request) (*http.Response, error) {
			if transport.ReportFrom(req.Context()).Op == "a" {
				<-time.After(time.Hour)
			}
			return next.RoundTrip(req)
		}), transport.Config{Gate: gate, Origin: origin})
		sendAll(t, rt, 3)
		require.Len(t, next.got, 3)
		assert.Equal(t, []string{"15s b", "16s c"}, next.got[:2])
	})
}

// An operation with a rate limit of its own holds back itself alone.
func TestAnOperationsOwnGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		own, shared := new(transport.Gate), new(transport.Gate)
		start := time.Now()
		next := play(t, responds(429, "Retry-After", "10"), responds(200), responds(429, "Retry-After", "30"), responds(201), responds(200))
		rt := transport.Chain(next, transport.Config{Gate: shared, Origin: origin})
		send := func(report *transport.Report) {
			resp, err := rt.RoundTrip(request(t, http.MethodPost, report, ""))
			if assert.NoError(t, err) {
				assert.NoError(t, resp.Body.Close())
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { send(&transport.Report{Class: transport.Create, Gate: own}) }) // 429 at once, 201 after both pauses
		synctest.Wait()
		send(&transport.Report{Class: transport.Read}) // at once
		assert.Equal(t, time.Duration(0), time.Since(start))
		send(&transport.Report{Class: transport.Read}) // 429, which holds back the create too
		wg.Wait()
		assert.Equal(t, seconds(0, 0, 0, 30, 30), next.at)
	})
}

// A 429 of another origin says nothing about this one.
func TestAnotherOriginsLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := new(transport.Gate)
		next := play(t, responds(429, "Retry-After", "50"), responds(200))
		rt := transport.Chain(next, transport.Config{Gate: gate, Origin: origin})
		req := request(t, http.MethodGet, nil, "")
		req.URL.Host = "storage.example"
		start := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			resp, err := rt.RoundTrip(req)
			if assert.NoError(t, err) {
				assert.NoError(t, resp.Body.Close())
			}
		}()
		synctest.Wait()
		require.NoError(t, gate.Wait(t.Context(), 0))
		assert.Equal(t, time.Duration(0), time.Since(start))
		<-done
		assert.Equal(t, seconds(0, 50), next.at)

		// Nor is that origin held back by this one's.
		gate.Close(time.Now().Add(time.Minute))
		next = play(t, responds(200))
		resp, err := transport.Chain(next, transport.Config{Gate: gate, Origin: origin}).RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, seconds(0), next.at)
	})
}

// Two hundred callers of a server that allows twenty requests a second all get through, although
// each has four attempts only.
func TestManyCallersShareALimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const callers, allowed = 200, 20
		start := time.Now()
		var mu sync.Mutex
		served, limited := map[int]int{}, 0
		rt := transport.Chain(roundTrip(func(req *http.Request) (*http.Response, error) {
			<-time.After(10 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			second := int(time.Since(start) / time.Second)
			if served[second] == allowed {
				limited++
				return response(req, 429, "Retry-After", "1"), nil
			}
			served[second]++
			return response(req, 200), nil
		}), transport.Config{Gate: new(transport.Gate), Origin: origin})
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				resp, err := rt.RoundTrip(request(t, http.MethodPost, nil, "content"))
				if assert.NoError(t, err) {
					assert.Equal(t, 200, resp.StatusCode)
					assert.NoError(t, resp.Body.Close())
				}
			})
		}
		wg.Wait()
		assert.Less(t, time.Since(start), 12*time.Second)
		assert.Less(t, limited, 2*(callers-allowed), "after the first burst, less than one 429 for each caller")
	})
}
