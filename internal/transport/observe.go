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

// Observe calls its hooks after each attempt.
type Observe struct {
	Next  http.RoundTripper
	Hooks []Hook

	// Token is removed from the request ID and the error, in case the server echoes it.
	Token Token
}

// RoundTrip sends req and calls the hooks.
func (t *Observe) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	report := ReportFrom(ctx)
	attempt := Attempt{Op: report.Op, Method: req.Method, Route: report.Route, Number: report.Attempts, Wait: report.waited}
	start := time.Now()
	resp, err := t.Next.RoundTrip(req)
	attempt.Duration = time.Since(start)
	if err == nil {
		attempt.StatusCode, attempt.RequestID = resp.StatusCode, t.requestID(resp.Header)
	} else {
		attempt.Err = t.redact(withoutURL(ctx, err), req.URL)
		if unusable, ok := errors.AsType[*ResponseError](err); ok {
			attempt.StatusCode, attempt.RequestID = unusable.StatusCode, t.requestID(unusable.Header)
		}
	}
	for _, hook := range t.Hooks {
		hook(ctx, attempt)
	}
	return resp, err
}

func (t *Observe) requestID(h http.Header) string {
	return printable(t.Token.Redact(h.Get("X-Request-Id")), maxRequestID)
}

func (t *Observe) redact(err error, address *url.URL) error {
	text := err.Error()
	if clean := t.Token.Redact(WithoutAddress(text, address.String())); clean != text {
		return errors.New(clean) // the wrapped errors still hold it
	}
	return err
}

// WithoutAddress returns text without the URL address and without the query of it, which can be
// signed.
func WithoutAddress(text, address string) string {
	if address == "" {
		return text
	}
	text = strings.ReplaceAll(text, address, "(address)")
	if _, query, _ := strings.Cut(address, "?"); query != "" {
		text = strings.ReplaceAll(text, query, "(query)")
	}
	return text
}

// Log returns a hook that logs attempts: at Debug if the status is below 400 or the caller
// canceled the attempt, at Info for 4xx, at Warn for 429, 5xx and errors.
func Log(logger *slog.Logger) Hook {
	return func(ctx context.Context, attempt Attempt) {
		level := attempt.level()
		if !logger.Enabled(ctx, level) {
			return
		}
		attrs := make([]slog.Attr, 0, 8)
		attrs = append(attrs,
			slog.String("op", attempt.Op),
			slog.String("method", attempt.Method),
			slog.String("route", attempt.Route),
			slog.Int("attempt", attempt.Number),
			slog.Duration("duration", attempt.Duration),
		)
		if attempt.StatusCode != 0 {
			attrs = append(attrs, slog.Int("status", attempt.StatusCode))
		}
		if attempt.RequestID != "" {
			attrs = append(attrs, slog.String("request_id", attempt.RequestID))
		}
		if attempt.Err != nil {
			attrs = append(attrs, slog.String("error", printable(attempt.Err.Error(), maxErrorText)))
		}
		logger.LogAttrs(ctx, level, "http attempt", attrs...)
	}
}

func (a Attempt) level() slog.Level {
	switch {
	case errors.Is(a.Err, context.Canceled):
		return slog.LevelDebug
	case a.Err != nil, a.StatusCode >= 500, a.StatusCode == http.StatusTooManyRequests:
		return slog.LevelWarn
	case a.StatusCode >= 400:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

// withoutURL returns err without its *url.Errors, whose text holds the query. If the context
// ended the attempt, it returns the cause of that.
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

// printable returns at most limit bytes of s with unprintable characters replaced, since s comes
// from the server and ends up in terminals and logs.
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
