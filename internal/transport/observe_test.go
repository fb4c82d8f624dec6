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
		var got []transport.Attempt
		hook := func(_ context.Context, e transport.Attempt) { got = append(got, e) }
		lost := &url.Error{Op: "Get", URL: "https://desk.example/?q=secret", Err: errReset}
		next := play(t, fails(lost), func(req *http.Request) (*http.Response, error) {
			<-time.After(40 * time.Millisecond)
			return response(req, 200, "X-Request-Id", "abc-1"), nil
		})
		report := &transport.Report{Op: "Tickets.Get", Route: "/tickets/{id}", Class: transport.Read}
		rt := retry(&transport.Observe{Next: next, Hooks: []transport.Hook{hook, hook}})
		resp, err := rt.RoundTrip(request(t, http.MethodGet, report, ""))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())

		first := transport.Attempt{Op: "Tickets.Get", Route: "/tickets/{id}", Method: "GET", Number: 1, Err: errReset}
		second := transport.Attempt{
			Op: "Tickets.Get", Route: "/tickets/{id}", Method: "GET", Number: 2,
			StatusCode: 200, Wait: 250 * time.Millisecond, Duration: 40 * time.Millisecond, RequestID: "abc-1",
		}
		assert.Equal(t, []transport.Attempt{first, first, second, second}, got)
	})
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
			var got transport.Attempt
			rt := &transport.Observe{Next: play(t, responds(200, "X-Request-Id", tt.given)), Hooks: []transport.Hook{func(_ context.Context, e transport.Attempt) { got = e }}}
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
			var got transport.Attempt
			rt := &transport.Observe{Next: play(t, fails(tt.given)), Hooks: []transport.Hook{func(_ context.Context, e transport.Attempt) { got = e }}}
			_, err := rt.RoundTrip(within(ctx, request(t, http.MethodGet, nil, ""))) //nolint:bodyclose // there is none
			assert.Equal(t, tt.given, err, "what the caller gets stays as it is")
			assert.Equal(t, tt.want, got.Err)
		})
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		level   slog.Level // the logger's
		attempt transport.Attempt
		want    string
	}{
		{
			"response", slog.LevelDebug,
			transport.Attempt{Op: "Tickets.Get", Route: "/tickets/{id}", Method: "GET", StatusCode: 200, Number: 1, Duration: time.Second, RequestID: "r1"},
			"level=DEBUG msg=\"http attempt\" op=Tickets.Get method=GET route=/tickets/{id} attempt=1 duration=1s status=200 request_id=r1\n",
		},
		{
			"redirect", slog.LevelDebug,
			transport.Attempt{Op: "A", Method: "GET", StatusCode: 399, Number: 1},
			"level=DEBUG msg=\"http attempt\" op=A method=GET route=\"\" attempt=1 duration=0s status=399\n",
		},
		{"response below the level", slog.LevelInfo, transport.Attempt{StatusCode: 200}, ""},
		{
			"4xx", slog.LevelInfo,
			transport.Attempt{Op: "A", Method: "GET", StatusCode: 400, Number: 1},
			"level=INFO msg=\"http attempt\" op=A method=GET route=\"\" attempt=1 duration=0s status=400\n",
		},
		{"4xx below the level", slog.LevelWarn, transport.Attempt{StatusCode: 499}, ""},
		{
			"429", slog.LevelWarn,
			transport.Attempt{Op: "A", Method: "GET", StatusCode: 429, Number: 1},
			"level=WARN msg=\"http attempt\" op=A method=GET route=\"\" attempt=1 duration=0s status=429\n",
		},
		{
			"5xx", slog.LevelWarn,
			transport.Attempt{Op: "A", Method: "GET", StatusCode: 500, Number: 3},
			"level=WARN msg=\"http attempt\" op=A method=GET route=\"\" attempt=3 duration=0s status=500\n",
		},
		{
			"failed connection", slog.LevelWarn,
			transport.Attempt{Op: "A", Method: "GET", Number: 1, Err: errReset},
			"level=WARN msg=\"http attempt\" op=A method=GET route=\"\" attempt=1 duration=0s error=\"read tcp: connection reset by peer\"\n",
		},
		{
			"error with control characters, too long", slog.LevelWarn,
			transport.Attempt{Op: "A", Method: "GET", Number: 1, Err: errors.New("\x1b" + strings.Repeat("x", 600))},
			"level=WARN msg=\"http attempt\" op=A method=GET route=\"\" attempt=1 duration=0s error=?" + strings.Repeat("x", 511) + "\n",
		},
		{"given up by the caller", slog.LevelInfo, transport.Attempt{Err: context.Canceled}, ""},
		{"5xx below the level", slog.LevelError, transport.Attempt{StatusCode: 500}, ""},
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
			transport.Log(logger)(t.Context(), tt.attempt)
			assert.Equal(t, tt.want, out.String())
		})
	}
}

//nolint:paralleltest // AllocsPerRun counts the whole program's
func TestLogCostsNothingBelowItsLevel(t *testing.T) {
	log := transport.Log(slog.New(slog.DiscardHandler))
	allocs := testing.AllocsPerRun(100, func() { log(t.Context(), transport.Attempt{Err: errReset}) })
	assert.Equal(t, 0., allocs)
}

func TestLogHoldsNoSecrets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		echo := errors.New("malformed response: Bearer hush-hush")
		next := play(t,
			fails(&url.Error{Op: "Post", URL: "https://user:pw@desk.example/tickets?q=secret", Err: errDial}),
			responds(429, "X-Request-Id", "echo-hush-hush"),
			fails(&net.OpError{Op: "dial", Err: echo}),
			responds(201, "Set-Cookie", "session=cookie", "X-Request-Id", "r7"))
		rt := transport.Chain(next, transport.Config{
			Origin: origin, Token: transport.NewToken("hush-hush"), PerAttempt: time.Minute,
			Hooks: []transport.Hook{transport.Log(logger)},
		})
		resp, err := rt.RoundTrip(request(t, http.MethodPost, &transport.Report{Op: "Tickets.Create", Route: "/tickets"}, "content"))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		text := out.String()
		assert.Equal(t, 4, strings.Count(text, "\n"), text)
		assert.Contains(t, text, "request_id=r7")
		assert.Contains(t, text, "request_id=echo-[redacted]")
		assert.Contains(t, text, `error="dial: malformed response: Bearer [redacted]"`)
		for _, secret := range []string{"hush", "secret", "pw", "cookie", "content", "payload", "desk.example"} {
			assert.NotContains(t, text, secret)
		}
	})
}
