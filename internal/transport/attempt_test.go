package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// hang responds when the request's context is done.
func hang(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// slowBody gives one byte at a time, 900 ms apart, until its context is done.
type slowBody struct {
	ctx  context.Context
	left int
}

func (b *slowBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	case <-time.After(900 * time.Millisecond):
		b.left--
		p[0] = 'x'
		return 1, nil
	}
}

func (b *slowBody) Close() error { return nil }

func slow(size int) step {
	return func(req *http.Request) (*http.Response, error) {
		resp := response(req, 200)
		resp.Body = &slowBody{ctx: req.Context(), left: size}
		return resp, nil
	}
}

// bounded makes one attempt of at most 30 seconds.
func bounded(next step) http.RoundTripper {
	return transport.Chain(roundTrip(next), transport.Config{
		PerAttempt: 30 * time.Second, Policy: transport.Policy{MaxAttempts: 1},
	})
}

// buffered returns the report of a read whose body is read within the attempt.
func buffered() *transport.Report { return &transport.Report{Class: transport.Read, MaxBody: 1000} }

func assertTimedOut(t *testing.T, err error) {
	t.Helper()
	var timeout *transport.TimeoutError
	require.ErrorAs(t, err, &timeout)
	assert.Equal(t, transport.TimeoutError{After: 30 * time.Second}, *timeout)
	var netErr net.Error
	require.ErrorAs(t, err, &netErr)
	assert.True(t, netErr.Timeout())
	assert.True(t, netErr.Temporary()) //nolint:staticcheck // part of net.Error
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, context.Canceled)
}

func TestTimeoutBoundsAnAttempt(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		next step
		want string
	}{
		{name: "waiting for the header", next: hang, want: "no complete response within 30s"},
		{name: "reading the body", next: slow(60), want: "no complete response within 30s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				resp, err := bounded(tt.next).RoundTrip(request(t, http.MethodGet, buffered(), "")) //nolint:bodyclose // there is none
				assert.Nil(t, resp)
				require.EqualError(t, err, tt.want)
				assertTimedOut(t, err)
				assert.Equal(t, 30*time.Second, time.Since(start))
			})
		})
	}
}

func TestTimeoutKeepsABodyTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, err := bounded(func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			resp := response(req, 200)
			resp.ContentLength = 1001
			return resp, nil
		}).RoundTrip(request(t, http.MethodGet, buffered(), "")) //nolint:bodyclose // there is none
		require.ErrorIs(t, err, transport.ErrTooLarge)
	})
}

func TestTimeoutFreesItsTimer(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]step{"response": responds(200), "error": fails(errReset)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var ctx context.Context
				resp, err := bounded(func(req *http.Request) (*http.Response, error) {
					ctx = req.Context()
					return next(req)
				}).RoundTrip(request(t, http.MethodGet, buffered(), ""))
				if err == nil {
					require.NoError(t, resp.Body.Close())
				}
				require.ErrorIs(t, context.Cause(ctx), context.Canceled)
			})
		})
	}
}

func TestTimeoutKeepsTheCallersEnd(t *testing.T) {
	t.Parallel()
	gone := errors.New("the user went away")
	for _, tt := range []struct {
		name     string
		next     step
		deadline time.Duration
		cancel   time.Duration
		want     string
		after    time.Duration
	}{
		{name: "cancel", next: hang, cancel: time.Second, want: "the user went away: context canceled", after: time.Second},
		{name: "cancel while reading", next: slow(60), cancel: time.Second, want: "the user went away: reading the response body: context canceled", after: time.Second},
		{name: "a nearer deadline", next: hang, deadline: time.Second, want: "context deadline exceeded", after: time.Second},
		{name: "a later deadline", next: hang, deadline: time.Minute, want: "no complete response within 30s", after: 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if tt.cancel > 0 {
					time.AfterFunc(tt.cancel, func() { cancel(gone) })
				}
				if tt.deadline > 0 {
					var stop context.CancelFunc
					ctx, stop = context.WithTimeout(ctx, tt.deadline)
					defer stop()
				}
				start := time.Now()
				_, err := bounded(tt.next).RoundTrip(within(ctx, request(t, http.MethodGet, buffered(), ""))) //nolint:bodyclose // there is none
				require.EqualError(t, err, tt.want)
				assert.Equal(t, tt.after, time.Since(start))
			})
		})
	}
}

// An attempt can begin when the time of another is over, before that is ended.
func TestAnAttemptThatBeginsWhenAnotherIsOver(t *testing.T) {
	t.Parallel()
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			rt := bounded(hang)
			var all sync.WaitGroup
			for i := range 100 {
				begin := time.Duration(i%10) * 10 * time.Second
				req := request(t, http.MethodGet, buffered(), "")
				all.Go(func() {
					<-time.After(begin)
					start := time.Now()
					_, err := rt.RoundTrip(req) //nolint:bodyclose // there is none
					assert.EqualError(t, err, "no complete response within 30s")
					assert.Equal(t, 30*time.Second, time.Since(start), "the one that begins after %v", begin)
				})
			}
			all.Wait()
		})
	}
}

func TestTimeoutDoesNotBound(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		report     *transport.Report
		perAttempt time.Duration
	}{
		{name: "a download", report: &transport.Report{Class: transport.Read, Streaming: true}, perAttempt: time.Second},
		{name: "an upload", report: &transport.Report{Streaming: true, MaxBody: 1000}, perAttempt: time.Second},
		{name: "a body left to the caller", report: &transport.Report{Class: transport.Read}, perAttempt: time.Second},
		{name: "without a limit", report: buffered()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := transport.Chain(roundTrip(slow(90)), transport.Config{PerAttempt: tt.perAttempt})
				resp, err := rt.RoundTrip(request(t, http.MethodGet, tt.report, ""))
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				if tt.report.MaxBody > 0 {
					got = tt.report.Body.Bytes()
				}
				assert.Len(t, got, 90)
			})
		})
	}
}

// The errors that net/http itself returns at the end of an attempt.
func TestTimeoutOverLoopback(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "begin")
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	base := transport.NewBase()
	t.Cleanup(base.CloseIdleConnections)
	rt := transport.Chain(base, transport.Config{PerAttempt: time.Millisecond, Policy: transport.Policy{MaxAttempts: 1}})

	for _, path := range []string{"/header", "/body"} {
		req, err := http.NewRequestWithContext(transport.WithReport(t.Context(), buffered()), http.MethodGet, server.URL+path, http.NoBody)
		require.NoError(t, err)
		_, err = rt.RoundTrip(req) //nolint:bodyclose // there is none
		require.ErrorAs(t, err, new(*transport.TimeoutError), path)
		require.NotErrorIs(t, err, context.Canceled)
	}
}

// hangsOnGet responds at once to other methods.
func hangsOnGet(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return hang(req)
	}
	return response(req, 200), nil
}

func TestTimeoutsOfAttemptsThatOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		ended := make([]time.Duration, 5)
		rt := bounded(hangsOnGet)
		var group sync.WaitGroup
		for i := range ended {
			group.Go(func() {
				<-time.After(time.Duration(i*i) * time.Second)
				method := http.MethodGet
				if i == 2 {
					method = http.MethodHead // ends between two others
				}
				resp, err := rt.RoundTrip(request(t, method, buffered(), ""))
				if err == nil {
					_ = resp.Body.Close()
				}
				assert.Equal(t, i != 2, errors.Is(err, os.ErrDeadlineExceeded), err)
				ended[i] = time.Since(start)
			})
		}
		group.Wait()
		assert.Equal(t, []time.Duration{30 * time.Second, 31 * time.Second, 4 * time.Second, 39 * time.Second, 46 * time.Second}, ended)
	})
}

// A client can be used in bubbles of testing/synctest, each with a clock of its own, and outside.
func TestTimeoutsInSeveralBubbles(t *testing.T) {
	t.Parallel()
	rt := bounded(hangsOnGet)
	respond := func(t *testing.T) {
		t.Helper()
		resp, err := rt.RoundTrip(request(t, http.MethodHead, buffered(), ""))
		require.NoError(t, err)
		_ = resp.Body.Close()
	}
	respond(t)
	synctest.Test(t, respond)
	for range 3 {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, err := rt.RoundTrip(request(t, http.MethodGet, buffered(), "")) //nolint:bodyclose // there is none
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			assert.Equal(t, 30*time.Second, time.Since(start))
			respond(t)
		})
	}
	respond(t)
}
