package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// hang answers when the request's context is done.
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

func slow(size int) roundTrip {
	return func(req *http.Request) (*http.Response, error) {
		resp := response(req, 200)
		resp.Body = &slowBody{ctx: req.Context(), left: size}
		return resp, nil
	}
}

func assertTimedOut(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	assert.Equal(t, "no complete answer within 30s", err.Error())
	var netErr net.Error
	require.ErrorAs(t, err, &netErr)
	assert.True(t, netErr.Timeout())
	assert.True(t, netErr.Temporary()) //nolint:staticcheck // part of net.Error
	assert.True(t, os.IsTimeout(err))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, context.Canceled)
}

func TestTimeoutBoundsTheWaitForHeaders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		rt := &transport.Timeout{Next: roundTrip(hang), PerAttempt: 30 * time.Second}
		resp, err := rt.RoundTrip(request(t, http.MethodGet, nil, "")) //nolint:bodyclose // there is none
		assert.Nil(t, resp)
		assertTimedOut(t, err)
		assert.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestTimeoutBoundsTheBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := &transport.Timeout{Next: slow(60), PerAttempt: 30 * time.Second}
		resp, err := rt.RoundTrip(request(t, http.MethodGet, nil, ""))
		require.NoError(t, err)
		got, err := io.ReadAll(resp.Body)
		assertTimedOut(t, err)
		assert.Len(t, got, 33)
		require.NoError(t, resp.Body.Close())
	})
}

func TestTimeoutLeavesAFinishedAttemptAlone(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		finish func(*testing.T, io.ReadCloser)
	}{
		{"read to the end", func(t *testing.T, b io.ReadCloser) {
			t.Helper()
			got, err := io.ReadAll(b)
			require.NoError(t, err)
			assert.Equal(t, "answer", string(got))
		}},
		{"closed", func(t *testing.T, b io.ReadCloser) {
			t.Helper()
			require.NoError(t, b.Close())
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var ctx context.Context
				var inner *body
				rt := &transport.Timeout{PerAttempt: 30 * time.Second, Next: roundTrip(func(req *http.Request) (*http.Response, error) {
					ctx = req.Context()
					resp := response(req, 200)
					inner, _ = resp.Body.(*body)
					return resp, nil
				})}
				resp, err := rt.RoundTrip(request(t, http.MethodGet, nil, ""))
				require.NoError(t, err)
				require.NoError(t, ctx.Err(), "ended before the body was read")
				tt.finish(t, resp.Body)
				require.ErrorIs(t, context.Cause(ctx), context.Canceled, "the timer and context were not freed")
				require.NoError(t, resp.Body.Close())
				assert.True(t, inner.closed.Load())
			})
		})
	}
}

func TestTimeoutFreesItsTimerWithoutBody(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(*http.Request) (*http.Response, error){
		"no body":     func(req *http.Request) (*http.Response, error) { return &http.Response{Body: http.NoBody}, nil },
		"nil body":    func(req *http.Request) (*http.Response, error) { return &http.Response{}, nil },
		"no response": func(req *http.Request) (*http.Response, error) { return nil, nil },
		"error":       func(req *http.Request) (*http.Response, error) { return nil, errReset },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ctx context.Context
			rt := &transport.Timeout{PerAttempt: time.Hour, Next: roundTrip(func(req *http.Request) (*http.Response, error) {
				ctx = req.Context()
				return next(req)
			})}
			_, err := rt.RoundTrip(request(t, http.MethodGet, nil, "")) //nolint:bodyclose // there is none
			if name == "error" {
				require.Same(t, errReset, err)
			} else {
				require.NoError(t, err)
			}
			require.ErrorIs(t, ctx.Err(), context.Canceled)
		})
	}
}

func TestTimeoutKeepsTheCallersEnd(t *testing.T) {
	t.Parallel()
	cause := errors.New("the user went away")
	t.Run("cancel", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second, func() { cancel(cause) })
			rt := &transport.Timeout{Next: roundTrip(hang), PerAttempt: 30 * time.Second}
			_, err := rt.RoundTrip(request(t, http.MethodGet, nil, "").WithContext(ctx)) //nolint:bodyclose // there is none
			require.Equal(t, context.Canceled, err)
		})
	})
	t.Run("cancel while reading", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Second/2, func() { cancel(cause) })
			rt := &transport.Timeout{Next: slow(60), PerAttempt: 30 * time.Second}
			resp, err := rt.RoundTrip(request(t, http.MethodGet, nil, "").WithContext(ctx))
			require.NoError(t, err)
			_, err = io.ReadAll(resp.Body)
			require.Equal(t, context.Canceled, err)
			require.NoError(t, resp.Body.Close())
		})
	})
	t.Run("a nearer deadline", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			rt := &transport.Timeout{Next: roundTrip(hang), PerAttempt: 30 * time.Second}
			_, err := rt.RoundTrip(request(t, http.MethodGet, nil, "").WithContext(ctx)) //nolint:bodyclose // there is none
			require.Equal(t, context.DeadlineExceeded, err)
			assert.Equal(t, time.Second, time.Since(start))
		})
	})
	t.Run("a later deadline does not lengthen the attempt", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			rt := &transport.Timeout{Next: roundTrip(hang), PerAttempt: 30 * time.Second}
			_, err := rt.RoundTrip(request(t, http.MethodGet, nil, "").WithContext(ctx)) //nolint:bodyclose // there is none
			assertTimedOut(t, err)
			require.NoError(t, ctx.Err())
		})
	})
}

func TestTimeoutSparesStreamingAndUnbounded(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		call  *transport.Call
		after time.Duration
	}{
		"streaming": {&transport.Call{Streaming: true}, time.Second},
		"none":      {&transport.Call{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				rt := &transport.Timeout{Next: slow(90), PerAttempt: tt.after}
				resp, err := rt.RoundTrip(request(t, http.MethodGet, tt.call, ""))
				require.NoError(t, err)
				got, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				assert.Len(t, got, 90)
				require.NoError(t, resp.Body.Close())
			})
		})
	}
}

// upgraded is the body of a 101: the connection itself.
type upgraded struct{ *slowBody }

func (upgraded) Write(p []byte) (int, error) { return len(p), nil }

func TestTimeoutKeepsTheConnectionOfA101(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rt := &transport.Timeout{PerAttempt: time.Second, Next: roundTrip(func(req *http.Request) (*http.Response, error) {
			resp := response(req, http.StatusSwitchingProtocols)
			resp.Body = upgraded{&slowBody{ctx: req.Context(), left: 10}}
			return resp, nil
		})}
		resp, err := rt.RoundTrip(request(t, http.MethodGet, nil, ""))
		require.NoError(t, err)
		assert.Implements(t, (*io.Writer)(nil), resp.Body)
		got, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		assert.Len(t, got, 10)
		require.NoError(t, resp.Body.Close())
	})
}

// What net/http itself makes of the end of an attempt.
func TestTimeoutOverLoopback(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			_, _ = io.WriteString(w, "begin")
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	base := transport.NewBase()
	t.Cleanup(base.CloseIdleConnections)
	rt := &transport.Timeout{Next: base, PerAttempt: 30 * time.Millisecond}

	for _, path := range []string{"/header", "/body"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		require.NoError(t, err)
		resp, err := rt.RoundTrip(req)
		if path == "/body" {
			require.NoError(t, err)
			_, err = io.ReadAll(resp.Body)
			require.NoError(t, resp.Body.Close())
		}
		var timeout *transport.TimeoutError
		require.ErrorAs(t, err, &timeout, path)
		require.NotErrorIs(t, err, context.Canceled)
	}
}
