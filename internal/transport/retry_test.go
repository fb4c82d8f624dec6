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
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// longest makes every backoff as long as it can be.
func longest(n int64) int64 { return n - 1 }

func retry(next http.RoundTripper) *transport.Retry {
	return &transport.Retry{Next: next, Rand: longest}
}

// result is what a call came to: the status, zero when it failed, and the Call's report.
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
	call := &transport.Call{Class: class}
	next := play(t, steps...)
	method := http.MethodGet
	content := ""
	if class != transport.Read {
		method, content = http.MethodPost, "content"
	}
	resp, err := retry(next).RoundTrip(request(t, method, call, content))
	got := result{0, call.Attempts, call.OutcomeUnknown, call.Unanswered}
	assert.Len(t, next.at, call.Attempts, "Attempts is not what was sent")
	for i, text := range next.bodies {
		assert.Equal(t, content, text, "body of attempt %d", i+1)
	}
	for i, b := range next.got {
		last := err == nil && i == len(next.got)-1
		assert.Equal(t, !last, b.closed.Load(), "response %d closed", i+1)
		if !last {
			assert.Equal(t, int64(len("answer")), b.read.Load(), "response %d not drained", i+1)
		}
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
		once       = transport.Once
	)
	timeout := fails(&transport.TimeoutError{After: time.Second})
	reset := fails(errReset)
	dns := fails(&net.DNSError{Err: "no such host", Name: "desk.example"})
	proxy := fails(&net.OpError{Op: "proxyconnect", Err: errDial})
	noConn := connects(false, fails(errors.New("handshake failure")))
	lost := connects(true, fails(io.ErrUnexpectedEOF))
	ok := answers(200)

	for _, tt := range []struct {
		name  string
		class transport.Class
		steps []step
		want  result
	}{
		{"read: first answer", read, []step{ok}, result{200, 1, false, false}},
		{"read: 404", read, []step{answers(404)}, result{404, 1, false, false}},
		{"read: reset", read, []step{reset, ok}, result{200, 2, false, true}},
		{"read: dial", read, []step{fails(errDial), ok}, result{200, 2, false, false}},
		{"read: EOF", read, []step{fails(io.EOF), ok}, result{200, 2, false, true}},
		{"read: timeout", read, []step{timeout, ok}, result{200, 2, false, true}},
		{"read: 502", read, []step{answers(502), ok}, result{200, 2, false, true}},
		{"read: 503", read, []step{answers(503), ok}, result{200, 2, false, false}},
		{"read: 504", read, []step{answers(504), ok}, result{200, 2, false, true}},
		{"read: 429", read, []step{answers(429), ok}, result{200, 2, false, false}},
		{"read: 500", read, []step{answers(500), ok}, result{200, 2, false, false}},
		{"read: 500 twice", read, []step{answers(500), answers(500)}, result{500, 2, false, false}},
		{"read: 500, another failure, 500", read, []step{answers(500), answers(503), answers(500)}, result{500, 3, false, false}},
		{"read: 501", read, []step{answers(501)}, result{501, 1, false, false}},
		{"read: four attempts", read, []step{reset, answers(502), reset, answers(503)}, result{503, 4, false, true}},
		{"read: four attempts, last fails", read, []step{reset, reset, reset, reset}, result{0, 4, false, true}},

		{"repeatable: reset", repeatable, []step{reset, ok}, result{200, 2, false, true}},
		{"repeatable: timeout", repeatable, []step{timeout, ok}, result{200, 2, false, true}},
		{"repeatable: dial", repeatable, []step{fails(errDial), ok}, result{200, 2, false, false}},
		{"repeatable: connection lost", repeatable, []step{lost, ok}, result{200, 2, false, true}},
		{"repeatable: no connection", repeatable, []step{noConn, ok}, result{200, 2, false, false}},
		{"repeatable: 502", repeatable, []step{answers(502), ok}, result{200, 2, false, true}},
		{"repeatable: 503", repeatable, []step{answers(503), ok}, result{200, 2, false, false}},
		{"repeatable: 504", repeatable, []step{answers(504), ok}, result{200, 2, false, true}},
		{"repeatable: 429", repeatable, []step{answers(429), ok}, result{200, 2, false, false}},
		{"repeatable: 500", repeatable, []step{answers(500)}, result{500, 1, true, false}},
		{"repeatable: 404 after a lost answer", repeatable, []step{reset, answers(404)}, result{404, 2, false, true}},
		{"repeatable: 404 after a refusal", repeatable, []step{answers(429), answers(404)}, result{404, 2, false, false}},
		{"repeatable: never answered", repeatable, []step{reset, reset, reset, reset}, result{0, 4, true, true}},
		{"repeatable: never sent", repeatable, []step{dns, dns, dns, dns}, result{0, 4, false, false}},
		{"repeatable: lost, then no connection", repeatable, []step{reset, dns, dns, dns}, result{0, 4, true, true}},
		{"repeatable: lost, then refused", repeatable, []step{answers(502), answers(429), answers(429), answers(429)}, result{429, 4, true, true}},

		{"once: 201", once, []step{answers(201)}, result{201, 1, false, false}},
		{"once: 422", once, []step{answers(422)}, result{422, 1, false, false}},
		{"once: 429", once, []step{answers(429), answers(201)}, result{201, 2, false, false}},
		{"once: 429 to the end", once, []step{answers(429), answers(429), answers(429), answers(429)}, result{429, 4, false, false}},
		{"once: dial", once, []step{fails(errDial), ok}, result{200, 2, false, false}},
		{"once: dial, wrapped", once, []step{fails(fmt.Errorf("x: %w", errDial)), ok}, result{200, 2, false, false}},
		{"once: DNS", once, []step{dns, ok}, result{200, 2, false, false}},
		{"once: proxy", once, []step{proxy, ok}, result{200, 2, false, false}},
		{"once: SOCKS proxy", once, []step{fails(&net.OpError{Op: "socks connect", Err: errDial}), ok}, result{200, 2, false, false}},
		{"once: no connection", once, []step{noConn, ok}, result{200, 2, false, false}},
		{"once: no connection in time", once, []step{connects(false, timeout), ok}, result{200, 2, false, false}},
		{"once: no connection, then lost", once, []step{noConn, lost}, result{0, 2, true, false}},
		{"once: never sent", once, []step{noConn, noConn, noConn, noConn}, result{0, 4, false, false}},
		{"once: connection lost", once, []step{lost}, result{0, 1, true, false}},
		{"once: reset", once, []step{reset}, result{0, 1, true, false}},
		{"once: timeout", once, []step{timeout}, result{0, 1, true, false}},
		{"once: 500", once, []step{answers(500)}, result{500, 1, true, false}},
		{"once: 502", once, []step{answers(502)}, result{502, 1, true, false}},
		{"once: 503", once, []step{answers(503, "Retry-After", "1")}, result{503, 1, true, false}},
		{"once: 507", once, []step{answers(507)}, result{507, 1, true, false}},
		{"once: 504", once, []step{answers(504)}, result{504, 1, true, false}},
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
		tls.RecordHeaderError{Msg: "not TLS"},
		http.ErrSchemeMismatch,
	} {
		for _, class := range []transport.Class{transport.Read, transport.Repeatable, transport.Once} {
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

func TestRetryByMethodWithoutClass(t *testing.T) {
	t.Parallel()
	for method, attempts := range map[string]int{
		"": 4, "GET": 4, "HEAD": 4, "OPTIONS": 4, "PUT": 4, "DELETE": 4, "POST": 1, "PATCH": 1, "BREW": 1,
	} {
		for name, call := range map[string]*transport.Call{"no call": nil, "no class": {}} {
			t.Run(method+" "+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					next := play(t, answers(503), answers(503), answers(503), answers(503))
					req := request(t, method, call, "")
					req.Method = method
					resp, err := retry(next).RoundTrip(req)
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
					assert.Len(t, next.at, attempts)
					seen := transport.CallFrom(next.sent[0].Context())
					require.NotNil(t, seen, "the rest of the chain cannot tell the attempt")
					assert.Equal(t, attempts, seen.Attempts)
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
		rand   func(int64) int64
		want   []time.Duration
	}{
		{"defaults, longest", transport.Policy{}, longest, seconds(0, .25, .75, 1.75)},
		{"defaults, shortest", transport.Policy{}, func(int64) int64 { return 0 }, seconds(0, .03125, .09375, .21875)},
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
				next := play(t, repeat(attempts, answers(502))...)
				rt := &transport.Retry{Next: next, Policy: tt.policy, Rand: tt.rand}
				resp, err := rt.RoundTrip(request(t, http.MethodGet, &transport.Call{Class: transport.Read}, ""))
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
			next := play(t, answers(502), answers(200))
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

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	// The clock of a synctest bubble starts here.
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	in := func(d time.Duration) time.Time { return now.Add(d) }
	const year = 365 * 24 * time.Hour
	for _, tt := range []struct {
		name  string
		value string
		date  string
		asked time.Duration
		waits time.Duration // when the second attempt comes; -1 for never
	}{
		{"seconds", "7", "", 7 * time.Second, 7 * time.Second},
		{"seconds in space", " 7 ", "", 7 * time.Second, 7 * time.Second},
		{"one minute is not too long", "60", "", time.Minute, time.Minute},
		{"IMF date", in(7 * time.Second).Format(http.TimeFormat), "", 7 * time.Second, 7 * time.Second},
		{"RFC 850 date", in(7 * time.Second).Format("Monday, 02-Jan-06 15:04:05 GMT"), "", 7 * time.Second, 7 * time.Second},
		{"asctime date", in(7 * time.Second).Format(time.ANSIC), "", 7 * time.Second, 7 * time.Second},
		{"the server's clock is an hour off", in(time.Hour + 7*time.Second).Format(http.TimeFormat), in(time.Hour).Format(http.TimeFormat), 7 * time.Second, 7 * time.Second},
		{"malformed Date", in(7 * time.Second).Format(http.TimeFormat), "now", 7 * time.Second, 7 * time.Second},

		{"absent", "", "", 0, 250 * time.Millisecond},
		{"zero", "0", "", 0, 250 * time.Millisecond},
		{"negative", "-5", "", 0, 250 * time.Millisecond},
		{"signed", "+5", "", 0, 250 * time.Millisecond},
		{"fraction", "1.5", "", 0, 250 * time.Millisecond},
		{"words", "soon", "", 0, 250 * time.Millisecond},
		{"past date", in(-time.Hour).Format(http.TimeFormat), "", 0, 250 * time.Millisecond},
		{"no such date", "Sat, 99 Jan 2000 00:00:00 GMT", "", 0, 250 * time.Millisecond},

		{"longer than MaxWait", "61", "", 61 * time.Second, -1},
		{"huge", "9223372036854775807", "", year, -1},
		{"more than fits", "99999999999999999999999", "", year, -1},
		{"far date", "Fri, 31 Dec 9999 23:59:59 GMT", "", year, -1},
	} {
		for _, status := range []int{429, 503} {
			t.Run(fmt.Sprint(status, " ", tt.name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					call := &transport.Call{Class: transport.Read}
					next := play(t, answers(status, "Retry-After", tt.value, "Date", tt.date), answers(200))
					resp, err := retry(next).RoundTrip(request(t, http.MethodGet, call, ""))
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
					if tt.waits < 0 {
						assert.Equal(t, status, resp.StatusCode)
						assert.Equal(t, seconds(0), next.at)
						assert.Equal(t, tt.asked, call.RetryAfter)
						return
					}
					assert.Equal(t, []time.Duration{0, tt.waits}, next.at)
					assert.Equal(t, time.Duration(0), call.RetryAfter, "the last answer asked for no wait")
				})
			})
			t.Run(fmt.Sprint(status, " without retry ", tt.name), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					call := &transport.Call{Class: transport.Once}
					rt := retry(play(t, answers(status, "Retry-After", tt.value, "Date", tt.date)))
					rt.Policy.MaxAttempts = 1
					resp, err := rt.RoundTrip(request(t, http.MethodPost, call, "content"))
					require.NoError(t, err)
					require.NoError(t, resp.Body.Close())
					assert.Equal(t, tt.asked, call.RetryAfter)
				})
			})
		}
	}
}

func TestRetryAfterCountsForNoOtherStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		call := &transport.Call{Class: transport.Read}
		next := play(t, answers(502, "Retry-After", "30"), answers(404, "Retry-After", "30"))
		resp, err := retry(next).RoundTrip(request(t, http.MethodGet, call, ""))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, seconds(0, .25), next.at)
		assert.Equal(t, time.Duration(0), call.RetryAfter)
	})
}

// A wait that the deadline would cut short is not begun: the last answer says more.
func TestRetryFailsAtOnceBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		step step
		left time.Duration
		want int
		err  error
	}{
		{"429", answers(429, "Retry-After", "10"), 9 * time.Second, 429, nil},
		{"503", answers(503, "Retry-After", "10"), 10 * time.Second, 503, nil},
		{"502 and backoff", answers(502), 200 * time.Millisecond, 502, nil},
		{"failed connection", fails(errReset), 200 * time.Millisecond, 0, errReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.left)
				defer cancel()
				next := play(t, tt.step)
				call := &transport.Call{Class: transport.Read}
				resp, err := retry(next).RoundTrip(request(t, http.MethodGet, nil, "").WithContext(transport.WithCall(ctx, call)))
				assert.Equal(t, time.Duration(0), time.Since(next.start))
				assert.Equal(t, 1, call.Attempts)
				if tt.err != nil {
					assert.Equal(t, tt.err, err)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tt.want, resp.StatusCode)
				assert.False(t, next.got[0].closed.Load(), "the caller cannot read the answer")
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
		{"once in flight", transport.Once, hang, "shutting down: context canceled", result{0, 1, true, false}},
		{"once on its connection", transport.Once, connects(true, hang), "shutting down: context canceled", result{0, 1, true, false}},
		{"once before its connection", transport.Once, connects(false, hang), "shutting down: context canceled", result{0, 1, false, false}},
		{"once, error is the cause", transport.Once, func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, context.Cause(req.Context())
		}, "context canceled: shutting down", result{0, 1, true, false}},
		{"once, another error", transport.Once, func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, io.ErrUnexpectedEOF
		}, "context canceled: shutting down: unexpected EOF", result{0, 1, true, false}},
		{"once, dialling", transport.Once, func(req *http.Request) (*http.Response, error) {
			<-req.Context().Done()
			return nil, errDial
		}, "context canceled: shutting down: dial tcp: connection refused", result{0, 1, false, false}},
		{"read, waiting after 503", transport.Read, answers(503, "Retry-After", "20"), "context canceled: shutting down while waiting to retry after: status 503", result{0, 1, false, false}},
		{"repeatable, waiting after a lost answer", transport.Repeatable, func(req *http.Request) (*http.Response, error) {
			<-time.After(990 * time.Millisecond)
			return nil, errReset
		}, "context canceled: shutting down while waiting to retry after: read tcp: connection reset by peer", result{0, 1, true, true}},
		{"once, waiting after 429", transport.Once, answers(429, "Retry-After", "20"), "context canceled: shutting down while waiting to retry after: status 429", result{0, 1, false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(cause) })
				call := &transport.Call{Class: tt.class}
				next := play(t, tt.first)
				resp, err := retry(next).RoundTrip(request(t, http.MethodPost, nil, "content").WithContext(transport.WithCall(ctx, call)))
				assert.Nil(t, resp)
				assert.Equal(t, time.Second, time.Since(next.start))
				require.EqualError(t, err, tt.text)
				require.ErrorIs(t, err, context.Canceled)
				require.ErrorIs(t, err, cause)
				assert.Equal(t, tt.want, result{0, call.Attempts, call.OutcomeUnknown, call.Unanswered})
				for _, b := range next.got {
					assert.True(t, b.closed.Load())
				}
			})
		})
	}
}

func TestRetryKeepsAnAnswerWhenTheContextIsDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		call := &transport.Call{Class: transport.Read}
		next := play(t, func(req *http.Request) (*http.Response, error) {
			cancel()
			return response(req, 503), nil
		})
		resp, err := retry(next).RoundTrip(request(t, http.MethodGet, nil, "").WithContext(transport.WithCall(ctx, call)))
		require.NoError(t, err)
		assert.Equal(t, 503, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	})
}

func TestRetrySendsNothingOnADoneContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	call := &transport.Call{Class: transport.Once, OutcomeUnknown: true, RetryAfter: time.Second}
	req := request(t, http.MethodPost, nil, "").WithContext(transport.WithCall(ctx, call))
	content := newBody("content")
	req.Body = content
	_, err := retry(play(t)).RoundTrip(req) //nolint:bodyclose // there is none
	require.Equal(t, context.Canceled, err)
	assert.True(t, content.closed.Load())
	assert.Equal(t, transport.Call{Class: transport.Once}, *call)
}

func TestRetryReplaysTheBodyOrNothing(t *testing.T) {
	t.Parallel()
	t.Run("no second body", func(t *testing.T) {
		t.Parallel()
		for name, first := range map[string]step{"429": answers(429, "Retry-After", "1"), "dial": fails(errDial), "502": answers(502)} {
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
			next := play(t, answers(502), answers(200))
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
		}{{answers(502), true}, {answers(429), false}} {
			synctest.Test(t, func(t *testing.T) {
				gone := errors.New("file is gone")
				call := &transport.Call{Class: transport.Repeatable}
				next := play(t, first.step)
				req := request(t, http.MethodPut, call, "content")
				req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
				_, err := retry(next).RoundTrip(req) //nolint:bodyclose // there is none
				require.ErrorIs(t, err, gone)
				require.EqualError(t, err, "getting the request body again for a retry: file is gone")
				assert.Equal(t, first.unknown, call.OutcomeUnknown)
				assert.Equal(t, 1, call.Attempts)
				assert.True(t, next.got[0].closed.Load())
			})
		}
	})
	t.Run("the request stays as it was", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			next := play(t, answers(502), answers(502), answers(200))
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

func TestRetryDrainsOnlySoMuch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		call *transport.Call
		want int64
	}{
		"capped":    {&transport.Call{}, 64 << 10},
		"streaming": {&transport.Call{Streaming: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				endlessBody := &body{r: endless{}}
				next := play(t, func(req *http.Request) (*http.Response, error) {
					resp := response(req, 502)
					resp.Body = endlessBody
					return resp, nil
				}, func(req *http.Request) (*http.Response, error) {
					resp := response(req, 502)
					resp.Body = nil
					return resp, nil
				}, answers(200))
				resp, err := retry(next).RoundTrip(request(t, http.MethodGet, tt.call, ""))
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				assert.Equal(t, tt.want, endlessBody.read.Load())
				assert.True(t, endlessBody.closed.Load())
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
		{"429 with Retry-After", answers(429, "Retry-After", "20"), 2, false, 20 * time.Second},
		{"429 with Retry-After, no retry", answers(429, "Retry-After", "20"), 1, false, 20 * time.Second},
		{"429 with Retry-After, no second body", answers(429, "Retry-After", "20"), 2, true, 20 * time.Second},
		{"429 with Retry-After past MaxWait", answers(429, "Retry-After", "90"), 2, false, 90 * time.Second},
		{"429 and backoff", answers(429), 2, false, 250 * time.Millisecond},
		{"429 and no retry", answers(429), 1, false, 0},
		{"503", answers(503, "Retry-After", "20"), 2, false, 0},
		{"200", answers(200, "Retry-After", "20"), 2, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				gate := new(transport.Gate)
				rt := retry(play(t, tt.step, answers(200)))
				rt.Policy.MaxAttempts = tt.attempts
				rt.Gate = gate
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
				synctest.Wait() // it has its answer and waits, or is done
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
		got, err := run(t, transport.Once, answers(429, "Retry-After", "2"), answers(201))
		require.NoError(t, err)
		assert.Equal(t, result{status: 201, attempts: 2}, got)
	})
}

func TestRetryLeavesTheGateOpenWhenItGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // the backoff is longer
		defer cancel()
		rt := retry(play(t, answers(429)))
		rt.Gate = new(transport.Gate)
		resp, err := rt.RoundTrip(request(t, http.MethodGet, nil, "").WithContext(ctx))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		start := time.Now()
		require.NoError(t, rt.Gate.Wait(t.Context(), 0))
		assert.Equal(t, time.Duration(0), time.Since(start))
	})
}

// What the limiter refuses was not sent, so nothing is unknown and nothing was attempted.
func TestRetryDoesNotRepeatARefusal(t *testing.T) {
	t.Parallel()
	refused := errors.New("no turns left")
	t.Run("first attempt", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			call := &transport.Call{Class: transport.Once}
			limit := &transport.Limit{Next: play(t), Limiter: limiter(func(context.Context) error { return refused })}
			_, err := retry(limit).RoundTrip(request(t, http.MethodPost, call, "content")) //nolint:bodyclose // there is none
			require.ErrorIs(t, err, refused)
			assert.Equal(t, transport.Call{Class: transport.Once}, *call)
		})
	})
	t.Run("after a lost answer", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			call := &transport.Call{Class: transport.Repeatable}
			gate := new(transport.Gate)
			limit := &transport.Limit{Gate: gate, MaxWait: time.Minute, Next: play(t, func(*http.Request) (*http.Response, error) {
				gate.Close(time.Now().Add(10 * time.Minute))
				return nil, errReset
			})}
			_, err := retry(limit).RoundTrip(request(t, http.MethodPut, call, "content")) //nolint:bodyclose // there is none
			assert.Equal(t, &transport.WaitError{Wait: 10*time.Minute - 250*time.Millisecond, Limit: time.Minute}, err)
			assert.Equal(t, transport.Call{Class: transport.Repeatable, Attempts: 1, OutcomeUnknown: true, Unanswered: true}, *call)
		})
	})
	t.Run("cancelled while waiting", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			call := &transport.Call{Class: transport.Once}
			gate := new(transport.Gate)
			gate.Close(time.Now().Add(10 * time.Second))
			limit := &transport.Limit{Gate: gate, Next: play(t)}
			_, err := retry(limit).RoundTrip(request(t, http.MethodPost, nil, "content").WithContext(transport.WithCall(ctx, call))) //nolint:bodyclose // there is none
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, transport.Call{Class: transport.Once}, *call)
		})
	})
}

func TestRetryCountsOverRedirects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		call := &transport.Call{Class: transport.Read}
		rt := retry(play(t, answers(502), answers(302), answers(200)))
		for range 2 {
			resp, err := rt.RoundTrip(request(t, http.MethodGet, call, ""))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
		}
		assert.Equal(t, 3, call.Attempts)
	})
}

func TestRetryComposesWithATrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var wanted, made int
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GetConn: func(string) { wanted++ },
			GotConn: func(httptrace.GotConnInfo) { made++ },
		})
		call := &transport.Call{Class: transport.Once}
		next := play(t, connects(false, fails(io.EOF)), connects(true, answers(201)))
		resp, err := retry(next).RoundTrip(request(t, http.MethodPost, nil, "content").WithContext(transport.WithCall(ctx, call)))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, []int{2, 1}, []int{wanted, made})
	})
}

func TestRetrySurvivesATransportThatReturnsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, err := run(t, transport.Once, fails(nil))
		require.EqualError(t, err, "the transport returned neither a response nor an error")
	})
}

// net/http itself: a POST to a closed port was never sent, one cut off after the connection was
// made may have been.
func TestRetryOverLoopback(t *testing.T) {
	t.Parallel()
	base := transport.NewBase()
	t.Cleanup(base.CloseIdleConnections)
	send := func(t *testing.T, address string) (*transport.Call, error) {
		t.Helper()
		call := &transport.Call{Class: transport.Once}
		rt := &transport.Retry{Next: base, Policy: transport.Policy{MaxAttempts: 2, MinBackoff: time.Millisecond}}
		req, err := http.NewRequestWithContext(transport.WithCall(t.Context(), call), http.MethodPost, address, strings.NewReader("content"))
		require.NoError(t, err)
		resp, err := rt.RoundTrip(req)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
		return call, err
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		address := listener.Addr().String()
		require.NoError(t, listener.Close())
		call, err := send(t, "http://"+address)
		require.Error(t, err)
		assert.Equal(t, transport.Call{Class: transport.Once, Attempts: 2}, *call)
	})
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		var requests atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			requests.Add(1)
			panic(http.ErrAbortHandler)
		}))
		t.Cleanup(server.Close)
		call, err := send(t, server.URL)
		require.Error(t, err)
		assert.Equal(t, transport.Call{Class: transport.Once, Attempts: 1, OutcomeUnknown: true}, *call)
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
		call, err := send(t, "https://"+listener.Addr().String())
		require.Error(t, err)
		assert.Equal(t, transport.Call{Class: transport.Once, Attempts: 2}, *call)
	})
	t.Run("unknown certificate", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.Config.ErrorLog = discardLog()
		server.StartTLS()
		t.Cleanup(server.Close)
		call, err := send(t, server.URL)
		require.Error(t, err)
		assert.Equal(t, transport.Call{Class: transport.Once, Attempts: 1}, *call)
	})
	t.Run("plain HTTP on an https port", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(server.Close)
		call, err := send(t, strings.Replace(server.URL, "http:", "https:", 1))
		require.Error(t, err)
		assert.Equal(t, transport.Call{Class: transport.Once, Attempts: 1}, *call)
	})
	t.Run("a drained answer gives its connection to the retry", func(t *testing.T) {
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
		call, err := send(t, server.URL)
		require.NoError(t, err)
		assert.Equal(t, transport.Call{Class: transport.Once, Attempts: 2}, *call)
		assert.Equal(t, int32(1), connections.Load())
	})
}
