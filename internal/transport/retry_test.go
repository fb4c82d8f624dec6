package transport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// longest makes every backoff as long as it can be.
func longest() float64 { return 1 }

func retry(next http.RoundTripper) *transport.Retry {
	return &transport.Retry{Next: next, Rand: longest}
}

// result is what an operation came to: the status, zero if it failed, and its Report.
type result struct {
	status         int
	attempts       int
	outcomeUnknown bool
	unanswered     bool
}

// run sends a request of the given class through the steps and checks that every response but
// the last was closed and the last was not.
func run(t *testing.T, class transport.Class, steps ...step) (result, error) {
	t.Helper()
	report := &transport.Report{Class: class}
	next := play(t, steps...)
	method := http.MethodGet
	content := ""
	if class != transport.Read {
		method, content = http.MethodPost, "content"
	}
	resp, err := retry(next).RoundTrip(request(t, method, report, content))
	got := result{0, report.Attempts, report.OutcomeUnknown, report.Unanswered}
	assert.Len(t, next.at, report.Attempts, "Attempts is not what was sent")
	for i, text := range next.bodies {
		assert.Equal(t, content, text, "body of attempt %d", i+1)
	}
	for i, b := range next.got {
		last := err == nil && i == len(next.got)-1
		assert.Equal(t, !last, b.closed.Load(), "response %d closed", i+1)
	}
	if err == nil {
		got.status = resp.StatusCode
		require.NoError(t, resp.Body.Close())
	} else {
		assert.Nil(t, resp)
	}
	return got, err
}

func TestRetryByClass(t *testing.T) {
	t.Parallel()
	const (
		read       = transport.Read
		repeatable = transport.Repeatable
		create     = transport.Create
	)
	timeout := fails(&transport.TimeoutError{After: time.Second})
	reset := fails(errReset)
	dns := fails(&net.DNSError{Err: "no such host", Name: "desk.example"})
	proxy := fails(&net.OpError{Op: "proxyconnect", Err: errDial})
	noConn := connects(false, fails(errors.New("handshake failure")))
	lost := connects(true, fails(io.ErrUnexpectedEOF))
	ok := responds(200)

	for _, tt := range []struct {
		name  string
		class transport.Class
		steps []step
		want  result
	}{
		{"read: first response", read, []step{ok}, result{200, 1, false, false}},
		{"read: reset", read, []step{reset, ok}, result{200, 2, false, true}},
		{"read: 500", read, []step{responds(500), ok}, result{200, 2, false, false}},
		{"read: 500 twice", read, []step{responds(500), responds(500)}, result{500, 2, false, false}},
		{"read: 500, another failure, 500", read, []step{responds(500), responds(503), responds(500)}, result{500, 3, false, false}},
		{"read: four attempts", read, []step{reset, responds(502), reset, responds(503)}, result{503, 4, false, true}},
		{"read: four attempts, last fails", read, []step{reset, reset, reset, reset}, result{0, 4, false, true}},

		{"repeatable: reset", repeatable, []step{reset, ok}, result{200, 2, false, true}},
		{"repeatable: connection lost", repeatable, []step{lost, ok}, result{200, 2, false, true}},
		{"repeatable: no connection", repeatable, []step{noConn, ok}, result{200, 2, false, false}},
		{"repeatable: 404 after a lost response", repeatable, []step{reset, responds(404)}, result{404, 2, false, true}},
		{"repeatable: 404 after a 429", repeatable, []step{responds(429), responds(404)}, result{404, 2, false, false}},
		{"repeatable: no response", repeatable, []step{reset, reset, reset, reset}, result{0, 4, true, true}},
		{"repeatable: never sent", repeatable, []step{dns, dns, dns, dns}, result{0, 4, false, false}},
		{"repeatable: lost, then no connection", repeatable, []step{reset, dns, dns, dns}, result{0, 4, true, true}},
		{"repeatable: lost, then limited", repeatable, []step{responds(502), responds(429), responds(429), responds(429)}, result{429, 4, true, true}},

		{"create: 201", create, []step{responds(201)}, result{201, 1, false, false}},
		{"create: 429", create, []step{responds(429), responds(201)}, result{201, 2, false, false}},
		{"create: 429 to the end", create, []step{responds(429), responds(429), responds(429), responds(429)}, result{429, 4, false, false}},
		{"create: dial", create, []step{fails(errDial), ok}, result{200, 2, false, false}},
		{"create: dial, wrapped", create, []step{fails(fmt.Errorf("x: %w", errDial)), ok}, result{200, 2, false, false}},
		{"create: DNS", create, []step{dns, ok}, result{200, 2, false, false}},
		{"create: proxy", create, []step{proxy, ok}, result{200, 2, false, false}},
		{"create: SOCKS proxy", create, []step{fails(&net.OpError{Op: "socks connect", Err: errDial}), ok}, result{200, 2, false, false}},
		{"create: no connection", create, []step{noConn, ok}, result{200, 2, false, false}},
		{"create: no connection in time", create, []step{connects(false, timeout), ok}, result{200, 2, false, false}},
		{"create: no connection, then lost", create, []step{noConn, lost}, result{0, 2, true, false}},
		{"create: never sent", create, []step{noConn, noConn, noConn, noConn}, result{0, 4, false, false}},
		{"create: dial error on a connection", create, []step{connects(true, fails(errDial))}, result{0, 1, true, false}},
		{"create: TLS error on a connection", create, []step{connects(true, fails(tls.RecordHeaderError{Conn: &net.TCPConn{}}))}, result{0, 1, true, false}},
		{"create: connection lost", create, []step{lost}, result{0, 1, true, false}},
		{"create: timeout", create, []step{timeout}, result{0, 1, true, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				got, err := run(t, tt.class, tt.steps...)
				assert.Equal(t, tt.want, got)
				assert.Equal(t, tt.want.status == 0, err != nil, "%v", err)
			})
		})
	}
}

func TestRetryReturnsTheLastFailureAsItIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, err := run(t, transport.Read, fails(errDial), fails(errDial), fails(errDial), fails(errReset))
		assert.Same(t, errReset, err)
	})
}

func TestRetryStopsAtTheWrongPeer(t *testing.T) {
	t.Parallel()
	for _, wrong := range []error{
		&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		x509.UnknownAuthorityError{},
		x509.HostnameError{Certificate: &x509.Certificate{}, Host: "desk.example"},
		x509.CertificateInvalidError{Reason: x509.Expired},
		x509.SystemRootsError{},
		tls.RecordHeaderError{Msg: "not TLS", Conn: &net.TCPConn{}},
	} {
		for _, class := range []transport.Class{transport.Read, transport.Repeatable, transport.Create} {
			t.Run(fmt.Sprintf("%T %d", wrong, class), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					got, err := run(t, class, fails(fmt.Errorf("net/http: %w", wrong)))
					require.Error(t, err)
					assert.Equal(t, result{attempts: 1}, got)
				})
			})
		}
	}
}

func seconds(s ...float64) []time.Duration {
	out := make([]time.Duration, len(s))
	for i := range s {
		out[i] = time.Duration(s[i] * float64(time.Second))
	}
	return out
}

func repeat(n int, s step) []step {
	out := make([]step, n)
	for i := range out {
		out[i] = s
	}
	return out
}

func TestRetryBackoff(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, tt := range []struct {
		name   string
		policy transport.Policy
		rand   func() float64
		want   []time.Duration
	}{
		{"defaults, longest", transport.Policy{}, longest, seconds(0, .25, .75, 1.75)},
		{"defaults, shortest", transport.Policy{}, func() float64 { return 0 }, seconds(0, .03125, .09375, .21875)},
		{"capped", transport.Policy{MaxAttempts: 5, MinBackoff: 100 * ms, MaxBackoff: 300 * ms}, longest, seconds(0, .1, .3, .6, .9)},
		{"a minimum above the maximum", transport.Policy{MaxAttempts: 3, MinBackoff: 10 * time.Second}, longest, seconds(0, 10, 20)},
		{"capped by MaxWait", transport.Policy{MaxAttempts: 3, MinBackoff: 10 * time.Second, MaxWait: time.Second}, longest, seconds(0, 1, 2)},
		{"negative is default", transport.Policy{MaxAttempts: -1, MinBackoff: -1, MaxBackoff: -1, MaxWait: -1}, longest, seconds(0, .25, .75, 1.75)},
		{"no retry", transport.Policy{MaxAttempts: 1}, longest, seconds(0)},
		{"many attempts do not overflow", transport.Policy{MaxAttempts: 100, MinBackoff: 1, MaxBackoff: math.MaxInt64, MaxWait: 1}, longest, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				attempts := max(len(tt.want), tt.policy.MaxAttempts)
				next := play(t, repeat(attempts, responds(502))...)
				rt := &transport.Retry{Next: next, Policy: tt.policy, Rand: tt.rand}
				resp, err := rt.RoundTrip(request(t, http.MethodGet, &transport.Report{Class: transport.Read}, ""))
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				if tt.want == nil {
					assert.Len(t, next.at, attempts)
					return
				}
				assert.Equal(t, tt.want, next.at)
			})
		})
	}
}

func TestRetryJitterSpreads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		seen := map[time.Duration]bool{}
		for range 20 {
			next := play(t, responds(502), responds(200))
			resp, err := (&transport.Retry{Next: next}).RoundTrip(request(t, http.MethodGet, nil, ""))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.GreaterOrEqual(t, next.at[1], 31250*time.Microsecond)
			assert.LessOrEqual(t, next.at[1], 250*time.Millisecond)
			seen[next.at[1]] = true
		}
		assert.Greater(t, len(seen), 10)
	})
}

// A wait that the deadline would cut short is not begun: the last response says more.
func TestRetryFailsAtOnceBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		step step
		left time.Duration
		want int
		err  error
	}{
		{"429", responds(429, "Retry-After", "10"), 9 * time.Second, 429, nil},
		{"503", responds(503, "Retry-After", "10"), 10 * time.Second, 503, nil},
		{"502 and backoff", responds(502), 200 * time.Millisecond, 502, nil},
		{"failed connection", fails(errReset), 200 * time.Millisecond, 0, errReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.left)
				defer cancel()
				next := play(t, tt.step)
				report := &transport.Report{Class: transport.Read}
				resp, err := retry(next).RoundTrip(request(t, http.MethodGet, nil, "").WithContext(transport.WithReport(ctx, report)))
				assert.Equal(t, time.Duration(0), time.Since(next.start))
				assert.Equal(t, 1, report.Attempts)
				if tt.err != nil {
					assert.Equal(t, tt.err, err)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tt.want, resp.StatusCode)
				assert.False(t, next.got[0].closed.Load(), "the caller cannot read the response")
				require.NoError(t, resp.Body.Close())
			})
		})
	}
}

func TestRetryEndsWithTheContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("shutting down")
	for _, tt := range []struct {
		name  string
		class transport.Class
		first step // ended by the cancel after one second, or before
		text  string
		want  result
	}{
		{"read in flight", transport.Read, hang, "shutting down: context canceled", result{0, 1, false, false}},
		{"repeatable in flight", transport.Repeatable, hang, "shutting down: context canceled", result{0, 1, true, false}},
		{"create in flight", transport.Create, hang, "shutting down: context canceled", result{0, 1, true, false}},
		{"create on its connection", transport.Create, connects(true, hang), "shutting down: context canceled", result{0, 1, true, false}},
		{"create before its connection", transport.Create, connects(false, hang), "shutting down: context canceled", result{0, 1, false, false}},
		{"create, error is the cause", transport.Create, func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, context.Cause(req.Context())
		}, "context canceled: shutting down", result{0, 1, true, false}},
		{"create, another error", transport.Create, func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, io.ErrUnexpectedEOF
		}, "context canceled: shutting down: unexpected EOF", result{0, 1, true, false}},
		{"create, dialling", transport.Create, func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, errDial
		}, "context canceled: shutting down: dial tcp: connection refused", result{0, 1, false, false}},
		{"read, waiting after 503", transport.Read, responds(503, "Retry-After", "20"), "context canceled: shutting down while waiting to retry after: status 503", result{0, 1, false, false}},
		{"repeatable, waiting after a lost response", transport.Repeatable, func(req *http.Request) (*http.Response, error) {
			<-time.After(990 * time.Millisecond)
			return nil, errReset
		}, "context canceled: shutting down while waiting to retry after: read tcp: connection reset by peer", result{0, 1, true, true}},
		{"create, waiting after 429", transport.Create, responds(429, "Retry-After", "20"), "context canceled: shutting down while waiting to retry after: status 429", result{0, 1, false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				report := &transport.Report{Class: tt.class}
				next := play(t, tt.first)
				resp, err := retry(next).RoundTrip(request(t, http.MethodPost, nil, "content").WithContext(transport.WithReport(ctx, report)))
				assert.Nil(t, resp)
				assert.Equal(t, time.Second, time.Since(next.start))
				require.EqualError(t, err, tt.text)
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, cause)
				assert.Equal(t, tt.want, result{0, report.Attempts, report.OutcomeUnknown, report.Unanswered})
				for _, b := range next.got {
					assert.True(t, b.closed.Load())
				}
			})
		})
	}
}

func TestRetryKeepsAResponseWhenTheContextIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		report := &transport.Report{Class: transport.Read}
		next := play(t, func(req *http.Request) (*http.Response, error) {
			cancel()
			return response(req, 503), nil
		})
		resp, err := retry(next).RoundTrip(request(t, http.MethodGet, nil, "").WithContext(transport.WithReport(ctx, report)))
		require.NoError(t, err)
		assert.Equal(t, 503, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	})
}

func TestRetrySendsNothingOnADoneContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report := &transport.Report{Class: transport.Create, OutcomeUnknown: true, RetryAfter: time.Second}
	req := request(t, http.MethodPost, nil, "").WithContext(transport.WithReport(ctx, report))
	content := newBody("content")
	req.Body = content
	_, err := retry(play(t)).RoundTrip(req) //nolint:bodyclose // there is none
	require.Equal(t, context.Canceled, err)
	assert.True(t, content.closed.Load())
	assert.EqualExportedValues(t, transport.Report{Class: transport.Create}, *report)
}

func TestRetryReplaysTheBodyOrNothing(t *testing.T) {
	t.Parallel()
	t.Run("no second body", func(t *testing.T) {
		t.Parallel()
		for name, first := range map[string]step{"429": responds(429, "Retry-After", "1"), "dial": fails(errDial), "502": responds(502)} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					next := play(t, first)
					req := request(t, http.MethodPut, nil, "content")
					req.GetBody = nil
					resp, err := retry(next).RoundTrip(req)
					if err == nil {
						require.NoError(t, resp.Body.Close())
					}
					assert.Equal(t, seconds(0), next.at)
				})
			})
		}
	})
	t.Run("NoBody needs no second", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			next := play(t, responds(502), responds(200))
			req := request(t, http.MethodPut, nil, "")
			req.Body = http.NoBody
			resp, err := retry(next).RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Len(t, next.at, 2)
		})
	})
	t.Run("the second body fails", func(t *testing.T) {
		t.Parallel()
		for _, first := range []struct {
			step    step
			unknown bool
		}{{responds(502), true}, {responds(429), false}} {
			synctest.Test(t, func(t *testing.T) {
				gone := errors.New("file is gone")
				report := &transport.Report{Class: transport.Repeatable}
				next := play(t, first.step)
				req := request(t, http.MethodPut, report, "content")
				req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
				_, err := retry(next).RoundTrip(req) //nolint:bodyclose // there is none
				require.ErrorIs(t, err, gone)
				require.EqualError(t, err, "getting the request body again for a retry: file is gone")
				assert.Equal(t, first.unknown, report.OutcomeUnknown)
				assert.Equal(t, 1, report.Attempts)
				assert.True(t, next.got[0].closed.Load())
			})
		}
	})
	t.Run("the request stays as it was", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			next := play(t, responds(502), responds(502), responds(200))
			req := request(t, http.MethodPut, nil, "content")
			before := *req
			resp, err := retry(next).RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, []string{"content", "content", "content"}, next.bodies)
			assert.Equal(t, before.Body, req.Body)
			assert.Equal(t, before.Context(), req.Context())
			assert.Equal(t, before.Header, req.Header)
		})
	})
}

func TestRetryReportsTheWaitOfTheLastResponse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		steps []step
		want  time.Duration
	}{
		{name: "429", steps: []step{responds(429, "Retry-After", "70")}, want: 70 * time.Second},
		{name: "503", steps: []step{responds(503, "Retry-After", "70")}, want: 70 * time.Second},
		{name: "429, then 404", steps: []step{responds(429, "Retry-After", "7"), responds(404, "Retry-After", "7")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				report := &transport.Report{Class: transport.Read}
				next := play(t, tt.steps...)
				resp, err := retry(next).RoundTrip(request(t, http.MethodGet, report, ""))
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				assert.Equal(t, tt.want, report.RetryAfter)
				assert.Len(t, next.at, len(tt.steps))
			})
		})
	}
}

func TestRetryClosesTheGate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		step     step
		attempts int
		body     bool // without GetBody: not to be retried
		want     time.Duration
	}{
		{"429 with Retry-After", responds(429, "Retry-After", "20"), 2, false, 20 * time.Second},
		{"429 with Retry-After, no retry", responds(429, "Retry-After", "20"), 1, false, 20 * time.Second},
		{"429 with Retry-After, no second body", responds(429, "Retry-After", "20"), 2, true, 20 * time.Second},
		{"429 with Retry-After past MaxWait", responds(429, "Retry-After", "90"), 2, false, 90 * time.Second},
		{"429 and backoff", responds(429), 2, false, 250 * time.Millisecond},
		{"429 and no retry", responds(429), 1, false, 0},
		{"503", responds(503, "Retry-After", "20"), 2, false, 0},
		{"200", responds(200, "Retry-After", "20"), 2, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gate := new(transport.Gate)
				rt := retry(play(t, tt.step, responds(200)))
				rt.Policy.MaxAttempts = tt.attempts
				rt.Gate, rt.Origin = gate, origin
				req := request(t, http.MethodPut, nil, "")
				if tt.body {
					req.Body = newBody("content")
				}
				start := time.Now()
				done := make(chan struct{})
				go func() {
					defer close(done)
					resp, err := rt.RoundTrip(req)
					if assert.NoError(t, err) {
						assert.NoError(t, resp.Body.Close())
					}
				}()
				synctest.Wait() // it has its response and waits, or is done
				require.NoError(t, gate.Wait(t.Context(), 0))
				assert.Equal(t, tt.want, time.Since(start))
				<-done
			})
		})
	}
}

func TestRetryTakesNoGateForOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		got, err := run(t, transport.Create, responds(429, "Retry-After", "2"), responds(201))
		require.NoError(t, err)
		assert.Equal(t, result{status: 201, attempts: 2}, got)
	})
}

func TestRetryLeavesTheGateOpenWhenItGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // the backoff is longer
		defer cancel()
		rt := retry(play(t, responds(429)))
		rt.Gate, rt.Origin = new(transport.Gate), origin
		resp, err := rt.RoundTrip(within(ctx, request(t, http.MethodGet, nil, "")))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		start := time.Now()
		require.NoError(t, rt.Gate.Wait(t.Context(), 0))
		assert.Equal(t, time.Duration(0), time.Since(start))
	})
}

// What the limiter rejects was not sent, so nothing is unknown and nothing was attempted.
func TestRetryDoesNotRepeatARejection(t *testing.T) {
	t.Parallel()
	rejected := errors.New("no turns left")
	t.Run("first attempt", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			report := &transport.Report{Class: transport.Create}
			rt := retry(play(t))
			rt.Limiter = limiter(func(context.Context) error { return rejected })
			_, err := rt.RoundTrip(request(t, http.MethodPost, report, "content")) //nolint:bodyclose // there is none
			require.ErrorIs(t, err, rejected)
			assert.EqualExportedValues(t, transport.Report{Class: transport.Create}, *report)
		})
	})
	t.Run("after a lost response", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			report := &transport.Report{Class: transport.Repeatable}
			gate := new(transport.Gate)
			rt := retry(play(t, func(*http.Request) (*http.Response, error) {
				gate.Close(time.Now().Add(10 * time.Minute))
				return nil, errReset
			}))
			rt.Gate, rt.Origin = gate, origin
			_, err := rt.RoundTrip(request(t, http.MethodPut, report, "content")) //nolint:bodyclose // there is none
			assert.Equal(t, &transport.WaitError{Wait: 10*time.Minute - 250*time.Millisecond, Limit: time.Minute}, err)
			assert.EqualExportedValues(t, transport.Report{Class: transport.Repeatable, Attempts: 1, OutcomeUnknown: true, Unanswered: true}, *report)
		})
	})
	t.Run("cancelled while waiting", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			report := &transport.Report{Class: transport.Create}
			gate := new(transport.Gate)
			gate.Close(time.Now().Add(10 * time.Second))
			rt := retry(play(t))
			rt.Gate, rt.Origin = gate, origin
			_, err := rt.RoundTrip(request(t, http.MethodPost, nil, "content").WithContext(transport.WithReport(ctx, report))) //nolint:bodyclose // there is none
			require.ErrorIs(t, err, context.Canceled)
			assert.EqualExportedValues(t, transport.Report{Class: transport.Create}, *report)
		})
	})
}

func TestRetryCountsOverRedirects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		report := &transport.Report{Class: transport.Read}
		rt := retry(play(t, responds(502), responds(302), responds(200)))
		for range 2 {
			resp, err := rt.RoundTrip(request(t, http.MethodGet, report, ""))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		}
		assert.Equal(t, 3, report.Attempts)
	})
}

func TestEachAttemptHasItsContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	for _, tt := range []struct {
		name   string
		method string
		limit  time.Duration // of an attempt
	}{
		{"read without a limit", http.MethodGet, 0},
		{"read", http.MethodGet, time.Minute},
		{"write", http.MethodPut, time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				next := play(t)
				followers := new(sync.WaitGroup)
				next.steps = slices.Repeat([]step{func(req *http.Request) (*http.Response, error) {
					ctx := req.Context()
					require.NoError(t, ctx.Err(), "an attempt whose context is done")
					assert.Equal(t, "value", ctx.Value(key{}))
					assert.Equal(t, transport.ReportFrom(next.sent[0].Context()), transport.ReportFrom(ctx))
					for _, earlier := range next.sent[:len(next.sent)-1] {
						assert.NotSame(t, earlier, req)
						if tt.limit > 0 {
							assert.ErrorIs(t, earlier.Context().Err(), context.Canceled)
						}
					}
					followers.Go(func() { _ = ctx.Done() }) // as net/http may at any time; seen by the race detector
					if len(next.sent)%2 == 1 {
						return response(req, http.StatusBadGateway), nil
					}
					return response(req, http.StatusOK), nil
				}}, 4)
				report := &transport.Report{Class: transport.Read, MaxBody: 1 << 10}
				if tt.method == http.MethodPut {
					report.Class = transport.Repeatable
				}
				rt := retry(&transport.Buffer{Next: next})
				rt.Timeout.After = tt.limit
				req := within(context.WithValue(t.Context(), key{}, "value"), request(t, tt.method, report, ""))
				for range 2 { // the second stands for a redirect, which keeps the context
					resp, err := rt.RoundTrip(req)
					require.NoError(t, err)
					assert.Equal(t, http.StatusOK, resp.StatusCode)
				}
				assert.Equal(t, 4, report.Attempts)
				followers.Wait()
			})
		})
	}
}

func TestRetryComposesWithATrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wanted, made int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GetConn: func(string) { wanted++ },
			GotConn: func(httptrace.GotConnInfo) { made++ },
		})
		report := &transport.Report{Class: transport.Create}
		next := play(t, connects(false, fails(io.EOF)), connects(true, responds(201)))
		resp, err := retry(next).RoundTrip(request(t, http.MethodPost, nil, "content").WithContext(transport.WithReport(ctx, report)))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, []int{2, 1}, []int{wanted, made})
	})
}

// net/http itself: a POST to a closed port was never sent, one cut off after the connection was
// made may have been.
func TestRetryOverLoopback(t *testing.T) {
	t.Parallel()
	base := transport.NewBase()
	t.Cleanup(base.CloseIdleConnections)
	send := func(t *testing.T, address string) (*transport.Report, error) {
		t.Helper()
		report := &transport.Report{Class: transport.Create, MaxBody: 1 << 20}
		rt := &transport.Retry{Next: &transport.Buffer{Next: base}, Policy: transport.Policy{MaxAttempts: 2, MinBackoff: time.Millisecond}}
		req, err := http.NewRequestWithContext(transport.WithReport(t.Context(), report), http.MethodPost, address, strings.NewReader("content"))
		require.NoError(t, err)
		resp, err := rt.RoundTrip(req)
		if err == nil {
			require.NoError(t, resp.Body.Close())
			report.Release()
		}
		return report, err
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := listener.Addr().String()
		require.NoError(t, listener.Close())
		report, err := send(t, "http://"+address)
		require.Error(t, err)
		assert.EqualExportedValues(t, transport.Report{MaxBody: 1 << 20, Attempts: 2}, *report)
	})
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			requests.Add(1)
			panic(http.ErrAbortHandler)
		}))
		t.Cleanup(server.Close)
		report, err := send(t, server.URL)
		require.Error(t, err)
		assert.EqualExportedValues(t, transport.Report{MaxBody: 1 << 20, Attempts: 1, OutcomeUnknown: true}, *report)
		assert.Equal(t, int32(1), requests.Load())
	})
	t.Run("handshake cut off", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				_ = conn.Close()
			}
		}()
		report, err := send(t, "https://"+listener.Addr().String())
		require.Error(t, err)
		assert.EqualExportedValues(t, transport.Report{MaxBody: 1 << 20, Attempts: 2}, *report)
	})
	t.Run("unknown certificate", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = discardLog()
		server.StartTLS()
		t.Cleanup(server.Close)
		report, err := send(t, server.URL)
		require.Error(t, err)
		assert.EqualExportedValues(t, transport.Report{MaxBody: 1 << 20, Attempts: 1}, *report)
	})
	t.Run("plain HTTP on an https port", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(server.Close)
		report, err := send(t, strings.Replace(server.URL, "http:", "https:", 1))
		require.Error(t, err)
		assert.EqualExportedValues(t, transport.Report{MaxBody: 1 << 20, Attempts: 1}, *report)
	})
	t.Run("a read response gives its connection to the retry", func(t *testing.T) {
		t.Parallel()
		var requests, connections atomic.Int32
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if requests.Add(1) == 1 {
				w.WriteHeader(http.StatusTooManyRequests)
			}
			_, _ = io.WriteString(w, strings.Repeat("x", 16<<10))
		}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		report, err := send(t, server.URL)
		require.NoError(t, err)
		assert.EqualExportedValues(t, transport.Report{MaxBody: 1 << 20, Attempts: 2}, *report)
		assert.Equal(t, int32(1), connections.Load())
	})
}

// After the handshake no TLS error proves that the request was not processed. The server reads
// the request, then a proxy on the way dies and writes plain text to the connection.
func TestRetryAfterPlainTextInTLS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		class    transport.Class
		tls      bool
		attempts int
		unknown  bool
	}{
		{name: "create, TLS", class: transport.Create, tls: true, attempts: 1, unknown: true},
		{name: "read, TLS", class: transport.Read, tls: true, attempts: 2},
		{name: "create, no HTTP", class: transport.Create, attempts: 1, unknown: true},
		{name: "read, no HTTP", class: transport.Read, attempts: 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if requests.Add(1) == 2 {
					return
				}
				conn, _, err := http.NewResponseController(w).Hijack()
				if !assert.NoError(t, err) {
					return
				}
				defer conn.Close()
				raw, text := conn, "go away\r\n"
				if secure, ok := conn.(*tls.Conn); ok {
					raw, text = secure.NetConn(), "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
				}
				_, _ = io.WriteString(raw, text)
				if half, ok := raw.(*net.TCPConn); ok {
					_ = half.CloseWrite()
					_, _ = io.Copy(io.Discard, half) // a reset would hide what was written
				}
			}))
			base := transport.NewBase()
			base.ForceAttemptHTTP2 = false
			if tt.tls {
				server.StartTLS()
				base.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
			} else {
				server.Start()
			}
			t.Cleanup(server.Close)
			t.Cleanup(base.CloseIdleConnections)
			report := &transport.Report{Class: tt.class, MaxBody: 10}
			req, err := http.NewRequestWithContext(transport.WithReport(t.Context(), report), http.MethodPost, server.URL, strings.NewReader("content"))
			require.NoError(t, err)
			resp, err := transport.Chain(base, transport.Config{Policy: transport.Policy{MinBackoff: time.Millisecond}}).RoundTrip(req)
			if err == nil {
				require.NoError(t, resp.Body.Close())
			}
			assert.Equal(t, tt.unknown, err != nil, "%v", err)
			if tt.tls && err != nil {
				require.ErrorAs(t, err, new(tls.RecordHeaderError))
			}
			assert.Equal(t, result{0, tt.attempts, tt.unknown, tt.class == transport.Read}, result{0, report.Attempts, report.OutcomeUnknown, report.Unanswered})
		})
	}
}

// With Once, each RoundTrip is one attempt, and the Report tells the caller of another.
func TestOnceLeavesAttemptsToTheCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		status, requests := http.StatusInternalServerError, 0
		rt := &transport.Retry{
			Policy: transport.Policy{MaxAttempts: 3, MinBackoff: time.Second}, Rand: func() float64 { return 1 },
			Next: roundTrip(func(req *http.Request) (*http.Response, error) {
				requests++
				return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}, Request: req}, nil
			}),
		}
		report := &transport.Report{Class: transport.Read, Once: true, Streaming: true}
		ctx := transport.WithReport(t.Context(), report)
		send := func(round int) (bool, time.Duration) {
			report.Round = round
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://acme.example/x", nil)
			require.NoError(t, err)
			res, err := rt.RoundTrip(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			assert.Equal(t, round, requests)
			return report.Again, report.Wait
		}
		again, wait := send(1)
		assert.True(t, again)
		assert.Equal(t, time.Second, wait)
		start := time.Now()
		require.NoError(t, report.Pause(ctx, wait))
		assert.Equal(t, time.Second, time.Since(start))
		again, _ = send(2)
		assert.False(t, again, "500 is retried once")
		status = http.StatusBadGateway
		again, _ = send(3)
		assert.False(t, again, "there are three attempts")
	})
}
