package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// The order of the chain, seen from the base and the hooks: limiter before every attempt,
// timeout per attempt, hooks on every attempt and without the token, token at the base.
func TestChainOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var events []string
		start := time.Now()
		event := func(format string, args ...any) {
			events = append(events, fmt.Sprintf("%v ", time.Since(start).Truncate(time.Second))+fmt.Sprintf(format, args...))
		}
		var n int
		base := roundTrip(func(req *http.Request) (*http.Response, error) {
			n++
			event("base %s", req.Header.Get("Authorization"))
			switch n {
			case 1:
				return hang(req)
			case 2:
				return response(req, 429, "Retry-After", "5"), nil
			default:
				return response(req, 200), nil
			}
		})
		rt := transport.Chain(base, transport.Config{
			Origin:     origin,
			Gate:       new(transport.Gate),
			Token:      transport.NewToken("tok-1"),
			PerAttempt: 10 * time.Second,
			Policy:     transport.Policy{MinBackoff: 1, MaxBackoff: 1},
			Limiter: limiter(func(context.Context) error {
				event("limiter")
				<-time.After(20 * time.Second) // longer than an attempt may take
				return nil
			}),
			Hooks: []transport.Hook{func(_ context.Context, a transport.Attempt) {
				event("hook %d %d %v %v %v", a.Number, a.StatusCode, a.Wait.Round(time.Second), a.Duration, a.Err)
			}},
		})
		report := &transport.Report{Class: transport.Read, MaxBody: 100}
		resp, err := rt.RoundTrip(request(t, http.MethodGet, report, ""))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, []string{
			"0s limiter",
			"20s base Bearer tok-1",
			"30s hook 1 0 20s 10s no complete response within 10s",
			"30s limiter",
			"50s base Bearer tok-1",
			"50s hook 2 429 20s 0s <nil>",
			"55s limiter",
			"1m15s base Bearer tok-1",
			"1m15s hook 3 200 25s 0s <nil>",
		}, events)
		report.Release()
		assert.EqualExportedValues(t, transport.Report{Class: transport.Read, MaxBody: 100, Attempts: 3, Unanswered: true}, *report)
	})
}

// A 429 to one client stops all that share its gate until the server's time.
func TestChainsStopTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := new(transport.Gate)
		start := time.Now()
		var requests atomic.Int32
		base := roundTrip(func(req *http.Request) (*http.Response, error) {
			requests.Add(1)
			if time.Since(start) < 5*time.Second {
				return response(req, 429, "Retry-After", "5"), nil
			}
			return response(req, 200), nil
		})
		cfg := transport.Config{Gate: gate, Origin: origin}
		send := func(rt http.RoundTripper, class transport.Class) {
			resp, err := rt.RoundTrip(request(t, http.MethodGet, &transport.Report{Class: class}, ""))
			if assert.NoError(t, err) {
				assert.Equal(t, 200, resp.StatusCode)
				assert.NoError(t, resp.Body.Close())
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { send(transport.Chain(base, cfg), transport.Create) })
		synctest.Wait()
		for range 16 {
			wg.Go(func() { send(transport.Chain(base, cfg), transport.Read) })
		}
		wg.Wait()
		assert.Equal(t, 5*time.Second, time.Since(start))
		assert.Equal(t, int32(18), requests.Load(), "one 429 and 17 successes")
	})
}

// A wait longer than MaxWait fails the limited request and, until it is over, all after it.
func TestChainFailsFastWhileTheServerAsksTooMuch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		next := play(t, responds(429, "Retry-After", "120"), responds(200))
		rt := transport.Chain(next, transport.Config{Origin: origin, Gate: new(transport.Gate)})
		get := func() (*http.Response, error) { return rt.RoundTrip(request(t, http.MethodGet, nil, "")) }

		resp, err := get()
		require.NoError(t, err)
		assert.Equal(t, 429, resp.StatusCode)
		require.NoError(t, resp.Body.Close())

		_, err = get() //nolint:bodyclose // there is none
		var wait *transport.WaitError
		require.ErrorAs(t, err, &wait)
		assert.Equal(t, transport.WaitError{Wait: 2 * time.Minute, Limit: time.Minute}, *wait)
		assert.Equal(t, time.Duration(0), time.Since(next.start))

		<-time.After(time.Minute)
		resp, err = get()
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, seconds(0, 120), next.at)
	})
}

// Redirects through http.Client: the token stays at home, attempts add up.
func TestChainOverRedirects(t *testing.T) {
	t.Parallel()
	var elsewhere http.Header
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere = r.Header.Clone()
		_, _ = io.WriteString(w, "file")
	}))
	t.Cleanup(other.Close)
	var home http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		home = r.Header.Clone()
		http.Redirect(w, r, other.URL, http.StatusFound)
	}))
	t.Cleanup(server.Close)
	origin, err := url.Parse(server.URL)
	require.NoError(t, err)
	base := transport.NewBase()
	client := &http.Client{Transport: transport.Chain(base, transport.Config{Origin: origin, Token: transport.NewToken("t"), PerAttempt: time.Minute})}
	t.Cleanup(client.CloseIdleConnections)

	report := &transport.Report{Class: transport.Read}
	req, err := http.NewRequestWithContext(transport.WithReport(t.Context(), report), http.MethodGet, server.URL, http.NoBody)
	require.NoError(t, err)
	req.Header.Set("Cookie", "session=1")
	resp, err := client.Do(req)
	require.NoError(t, err)
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())

	assert.Equal(t, "file", string(content))
	assert.Equal(t, "Bearer t", home.Get("Authorization"))
	assert.NotContains(t, elsewhere, "Authorization")
	assert.NotContains(t, elsewhere, "Cookie")
	assert.Equal(t, 2, report.Attempts)
}

func TestChainIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var requests, hooked atomic.Int32
		rt := transport.Chain(roundTrip(func(req *http.Request) (*http.Response, error) {
			switch requests.Add(1) % 4 {
			case 0:
				return response(req, 429, "Retry-After", "1"), nil
			case 1:
				return nil, errDial
			default:
				return response(req, 200), nil
			}
		}), transport.Config{
			Origin: origin, Token: transport.NewToken("t"), PerAttempt: time.Second,
			Policy: transport.Policy{MaxAttempts: 50}, Gate: new(transport.Gate),
			Hooks: []transport.Hook{func(context.Context, transport.Attempt) { hooked.Add(1) }},
		})
		var attempts atomic.Int32
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				report := &transport.Report{Class: []transport.Class{transport.Read, transport.Repeatable, transport.Create}[i%3]}
				resp, err := rt.RoundTrip(request(t, http.MethodPost, report, "content"))
				if _, ok := errors.AsType[*transport.WaitError](err); ok {
					return
				}
				if assert.NoError(t, err) {
					assert.NoError(t, resp.Body.Close())
				}
				attempts.Add(int32(report.Attempts))
			})
		}
		wg.Wait()
		assert.Equal(t, requests.Load(), attempts.Load())
		assert.Equal(t, requests.Load(), hooked.Load())
	})
}

func TestBaseKeepsConnectionsForManyCallers(t *testing.T) {
	t.Parallel()
	base := transport.NewBase()
	assert.Equal(t, 1024, base.MaxIdleConns)
	assert.Equal(t, 30*time.Second, base.IdleConnTimeout)
	assert.Equal(t, 1024, base.MaxIdleConnsPerHost)
	assert.NotNil(t, base.Proxy)
	assert.True(t, base.ForceAttemptHTTP2)
	assert.False(t, base.DisableCompression)
	assert.NotSame(t, base, transport.NewBase())

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	base.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	t.Cleanup(base.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	require.NoError(t, err)
	resp, err := base.RoundTrip(req)
	require.NoError(t, err)
	proto, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, "HTTP/2.0", string(proto))
}

func BenchmarkChain(b *testing.B) {
	body := newBody("")
	canned := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"X-Request-Id": {"r1"}}}
	base := roundTrip(func(*http.Request) (*http.Response, error) {
		canned.Body = body
		return canned, nil
	})
	for name, class := range map[string]transport.Class{"read": transport.Read, "write": transport.Create} {
		b.Run(name, func(b *testing.B) {
			rt := transport.Chain(base, transport.Config{Origin: origin, Token: transport.NewToken("t"), PerAttempt: 30 * time.Second})
			report := &transport.Report{Op: "Tickets.Get", Route: "/tickets/{id}", Class: class, MaxBody: 1 << 20}
			req, err := http.NewRequestWithContext(transport.WithReport(b.Context(), report), http.MethodGet, "https://desk.example/tickets/1", http.NoBody)
			require.NoError(b, err)
			req.Header.Set("Accept", "application/json")
			req.Header.Set("User-Agent", "bench")
			b.ReportAllocs()
			for b.Loop() {
				resp, err := rt.RoundTrip(req)
				if err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
			}
		})
	}
}
