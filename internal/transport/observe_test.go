package transport_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/supportbee-go/supportbee/internal/transport"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

func TestObserveReportsEveryAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []transport.Exchange
		hook := func(_ context.Context, e transport.Exchange) { got = append(got, e) }
		lost := &url.Error{Op: "Get", URL: "https://desk.example/?q=secret", Err: errReset}
		next := play(t, fails(lost), func(req *http.Request) (*http.Response, error) {
			<-time.After(40 * time.Millisecond)
			return response(req, 200, "X-Request-Id", "abc-1"), nil
		})
		call := &transport.Call{Op: "Tickets.Get", Route: "/tickets/{id}", Class: transport.Read}
		rt := retry(&transport.Observe{Next: next, Hooks: []transport.Hook{hook, hook}})
		resp, err := rt.RoundTrip(request(t, http.MethodGet, call, ""))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())

		first := transport.Exchange{Op: "Tickets.Get", Route: "/tickets/{id}", Method: "GET", Attempt: 1, Err: errReset}
		second := transport.Exchange{
			Op: "Tickets.Get", Route: "/tickets/{id}", Method: "GET", Attempt: 2,
			StatusCode: 200, Duration: 40 * time.Millisecond, RequestID: "abc-1",
		}
		assert.Equal(t, []transport.Exchange{first, first, second, second}, got)
	})
}

func TestObserveWithoutCall(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]struct {
		step step
		want transport.Exchange
	}{
		"answer":  {answers(204), transport.Exchange{Method: "GET", Attempt: 1, StatusCode: 204}},
		"nothing": {fails(nil), transport.Exchange{Method: "GET", Attempt: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var got transport.Exchange
				rt := &transport.Observe{Next: play(t, next.step), Hooks: []transport.Hook{func(_ context.Context, e transport.Exchange) { got = e }}}
				req := request(t, http.MethodGet, nil, "")
				req.Method = ""
				resp, err := rt.RoundTrip(req)
				require.NoError(t, err)
				if resp != nil {
					require.NoError(t, resp.Body.Close())
				}
				assert.Equal(t, next.want, got)
			})
		})
	}
}

func TestObserveMakesTheRequestIDPrintable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, given, want string }{
		{"plain", "f3a1-22", "f3a1-22"},
		{"control and escape", "a\x1b[31mb\nc\x00", "a?[31mb?c?"},
		{"invalid UTF-8", "a\xffb", "a?b"},
		{"letters", "añb", "añb"},
		{"long", strings.Repeat("x", 500), strings.Repeat("x", 128)},
		{"cut within a letter", strings.Repeat("x", 127) + "ñ", strings.Repeat("x", 127) + "?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got transport.Exchange
			rt := &transport.Observe{Next: play(t, answers(200, "X-Request-Id", tt.given)), Hooks: []transport.Hook{func(_ context.Context, e transport.Exchange) { got = e }}}
			resp, err := rt.RoundTrip(request(t, http.MethodGet, nil, ""))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			assert.Equal(t, tt.want, got.RequestID)
		})
	}
}

func TestObserveErrors(t *testing.T) {
	t.Parallel()
	const address = "https://me:pw@desk.example/?q=secret"
	cause := errors.New("shutting down")
	for _, tt := range []struct {
		name  string
		given error
		ended bool
		want  error
	}{
		{"plain", errReset, false, errReset},
		{"with its URL", &url.Error{Op: "Get", URL: address, Err: errReset}, false, errReset},
		{"with its URL twice", errors.Join(&url.Error{Op: "Get", URL: address, Err: &url.Error{Op: "Get", URL: address, Err: errReset}}), false, errReset},
		{"the end of the context", context.Canceled, true, cause},
		{"the end of the context with its URL", &url.Error{Op: "Get", URL: address, Err: context.Canceled}, true, cause},
		{"another error at the end", errReset, true, errReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			if tt.ended {
				cancel(cause)
			}
			defer cancel(nil)
			var got transport.Exchange
			rt := &transport.Observe{Next: play(t, fails(tt.given)), Hooks: []transport.Hook{func(_ context.Context, e transport.Exchange) { got = e }}}
			_, err := rt.RoundTrip(request(t, http.MethodGet, nil, "").WithContext(ctx)) //nolint:bodyclose // there is none
			assert.Equal(t, tt.given, err, "what the caller gets stays as it is")
			assert.Equal(t, tt.want, got.Err)
		})
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		level    slog.Level // the logger's
		exchange transport.Exchange
		want     string
	}{
		{
			"answer", slog.LevelDebug,
			transport.Exchange{Op: "Tickets.Get", Route: "/tickets/{id}", Method: "GET", StatusCode: 200, Attempt: 1, Duration: time.Second, RequestID: "r1"},
			"level=DEBUG msg=\"http exchange\" op=Tickets.Get method=GET route=/tickets/{id} attempt=1 duration=1s status=200 request_id=r1\n",
		},
		{
			"redirect", slog.LevelDebug,
			transport.Exchange{Op: "A", Method: "GET", StatusCode: 399, Attempt: 1},
			"level=DEBUG msg=\"http exchange\" op=A method=GET route=\"\" attempt=1 duration=0s status=399\n",
		},
		{"answer below the level", slog.LevelInfo, transport.Exchange{StatusCode: 200}, ""},
		{
			"4xx", slog.LevelInfo,
			transport.Exchange{Op: "A", Method: "GET", StatusCode: 400, Attempt: 1},
			"level=INFO msg=\"http exchange\" op=A method=GET route=\"\" attempt=1 duration=0s status=400\n",
		},
		{"4xx below the level", slog.LevelWarn, transport.Exchange{StatusCode: 499}, ""},
		{
			"429", slog.LevelWarn,
			transport.Exchange{Op: "A", Method: "GET", StatusCode: 429, Attempt: 1},
			"level=WARN msg=\"http exchange\" op=A method=GET route=\"\" attempt=1 duration=0s status=429\n",
		},
		{
			"5xx", slog.LevelWarn,
			transport.Exchange{Op: "A", Method: "GET", StatusCode: 500, Attempt: 3},
			"level=WARN msg=\"http exchange\" op=A method=GET route=\"\" attempt=3 duration=0s status=500\n",
		},
		{
			"failed connection", slog.LevelWarn,
			transport.Exchange{Op: "A", Method: "GET", Attempt: 1, Err: errReset},
			"level=WARN msg=\"http exchange\" op=A method=GET route=\"\" attempt=1 duration=0s error=\"read tcp: connection reset by peer\"\n",
		},
		{
			"error with control characters, too long", slog.LevelWarn,
			transport.Exchange{Op: "A", Method: "GET", Attempt: 1, Err: errors.New("\x1b" + strings.Repeat("x", 600))},
			"level=WARN msg=\"http exchange\" op=A method=GET route=\"\" attempt=1 duration=0s error=?" + strings.Repeat("x", 511) + "\n",
		},
		{"given up by the caller", slog.LevelInfo, transport.Exchange{Err: context.Canceled}, ""},
		{"5xx below the level", slog.LevelError, transport.Exchange{StatusCode: 500}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
				Level: tt.level,
				ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.TimeKey {
						return slog.Attr{}
					}
					return a
				},
			}))
			transport.Log(logger)(t.Context(), tt.exchange)
			assert.Equal(t, tt.want, out.String())
		})
	}
}

//nolint:paralleltest // AllocsPerRun counts the whole program's
func TestLogCostsNothingBelowItsLevel(t *testing.T) {
	log := transport.Log(slog.New(slog.DiscardHandler))
	allocs := testing.AllocsPerRun(100, func() { log(t.Context(), transport.Exchange{Err: errReset}) })
	assert.Equal(t, 0., allocs)
}

func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		echo := errors.New("malformed response: Bearer hush-hush")
		origin, err := url.Parse("https://desk.example")
		require.NoError(t, err)
		next := play(t,
			fails(&url.Error{Op: "Post", URL: "https://user:pw@desk.example/tickets?q=secret", Err: errDial}),
			answers(429, "X-Request-Id", "echo-hush-hush"),
			fails(&net.OpError{Op: "dial", Err: echo}),
			answers(201, "Set-Cookie", "session=cookie", "X-Request-Id", "r7"))
		rt := transport.Chain(next, transport.Config{
			Origin: origin, Token: transport.NewToken("hush-hush"), PerAttempt: time.Minute,
			Hooks: []transport.Hook{transport.Log(logger)},
		})
		resp, err := rt.RoundTrip(request(t, http.MethodPost, &transport.Call{Op: "Tickets.Create", Route: "/tickets"}, "content"))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		text := out.String()
		assert.Equal(t, 4, strings.Count(text, "\n"), text)
		assert.Contains(t, text, "request_id=r7")
		assert.Contains(t, text, "request_id=echo-[redacted]")
		assert.Contains(t, text, `error="dial: malformed response: Bearer [redacted]"`)
		for _, secret := range []string{"hush", "secret", "pw", "cookie", "content", "answer", "desk.example"} {
			assert.NotContains(t, text, secret)
		}
	})
}
