package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

const (
	maxRequestID = 128 // bytes
	maxErrorText = 512 // bytes
)

// Exchange is one attempt at a call as it went over the wire. It holds no URL, body or header
// other than the request ID, so it can be logged.
type Exchange struct {
	// Op and Route are those of the Call, empty without one.
	Op, Route string

	// Method is the HTTP method.
	Method string

	// StatusCode is that of the answer, zero if there was none.
	StatusCode int

	// Attempt counts from 1.
	Attempt int

	// Duration is the time from sending to the answer, its body included unless the call
	// streams it.
	Duration time.Duration

	// RequestID is the answer's X-Request-Id: printable, at most 128 bytes.
	RequestID string

	// Err says why there was no answer, without the URL.
	Err error
}

// Hook is told of every exchange as it ends. It runs on the caller's goroutine, several at a
// time for concurrent calls, and delays the call while it does.
type Hook func(ctx context.Context, exchange Exchange)

// Observe reports every attempt to its hooks.
type Observe struct {
	Next  http.RoundTripper
	Hooks []Hook

	// Redact takes the token out of what the other side sent, should it echo it; nil leaves
	// everything as it is.
	Redact func(string) string
}

// RoundTrip sends req and reports how that went.
func (t *Observe) RoundTrip(req *http.Request) (*http.Response, error) {
	start := time.Now()
	resp, err := t.Next.RoundTrip(req)

	ctx := req.Context()
	exchange := Exchange{Method: req.Method, Duration: time.Since(start), Attempt: 1}
	if exchange.Method == "" {
		exchange.Method = http.MethodGet
	}
	if call := CallFrom(ctx); call != nil {
		exchange.Op, exchange.Route = call.Op, call.Route
		exchange.Attempt = max(call.Attempts, 1)
	}
	if err != nil {
		exchange.Err = t.redactError(withoutURL(ctx, err))
		if body, ok := errors.AsType[*BodyError](err); ok {
			exchange.StatusCode = body.StatusCode
			exchange.RequestID = t.requestID(body.Header)
		}
	} else if resp != nil {
		exchange.StatusCode = resp.StatusCode
		exchange.RequestID = t.requestID(resp.Header)
	}
	for _, hook := range t.Hooks {
		hook(ctx, exchange)
	}
	return resp, err
}

// CloseIdleConnections closes those of Next.
func (t *Observe) CloseIdleConnections() { closeIdleConnections(t.Next) }

func (t *Observe) requestID(h http.Header) string {
	id := h.Get("X-Request-Id")
	if t.Redact != nil {
		id = t.Redact(id)
	}
	return printable(id, maxRequestID)
}

func (t *Observe) redactError(err error) error {
	if t.Redact == nil {
		return err
	}
	text := err.Error()
	if clean := t.Redact(text); clean != text {
		return errors.New(clean) // the chain below still holds the secret
	}
	return err
}

// Log returns a hook that writes exchanges to logger: at Debug when answered below 400 or
// given up by the caller, at Info for 4xx, at Warn for 429, 5xx and failed connections.
func Log(logger *slog.Logger) Hook {
	return func(ctx context.Context, exchange Exchange) {
		level := exchange.level()
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := make([]slog.Attr, 0, 8)
		attrs = append(attrs,
			slog.String("op", exchange.Op),
			slog.String("method", exchange.Method),
			slog.String("route", exchange.Route),
			slog.Int("attempt", exchange.Attempt),
			slog.Duration("duration", exchange.Duration),
		)
		if exchange.StatusCode != 0 {
			attrs = append(attrs, slog.Int("status", exchange.StatusCode))
		}
		if exchange.RequestID != "" {
			attrs = append(attrs, slog.String("request_id", exchange.RequestID))
		}
		if exchange.Err != nil {
			attrs = append(attrs, slog.String("error", printable(exchange.Err.Error(), maxErrorText)))
		}
		logger.LogAttrs(ctx, level, "http exchange", attrs...)
	}
}

func (e Exchange) level() slog.Level {
	switch {
	case errors.Is(e.Err, context.Canceled):
		return slog.LevelDebug
	case e.Err != nil, e.StatusCode >= 500, e.StatusCode == http.StatusTooManyRequests:
		return slog.LevelWarn
	case e.StatusCode >= 400:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// withoutURL returns err less any *url.Error, whose text holds the query, and with the cause
// of a context that ended the attempt.
func withoutURL(ctx context.Context, err error) error {
	for {
		outer, ok := errors.AsType[*url.Error](err)
		if !ok || outer.Err == nil {
			break
		}
		err = outer.Err
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
		return cause
	}
	return err
}

// printable returns at most limit bytes of s with what does not print replaced, since it comes
// from the other side and ends in terminals and logs.
func printable(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
