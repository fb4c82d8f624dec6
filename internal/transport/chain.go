// Package transport is a chain of small http.RoundTrippers: retry, observation, buffering and
// authorization. It knows HTTP and no particular API. What it must know of an operation is in
// the Report that the request's context carries.
package transport

import (
	"net/http"
	"net/url"
	"time"
)

// Config configures a chain. The zero Config retries with the default Policy and does no more.
type Config struct {
	// Origin is the only URL whose scheme, host and port get the token and Header.
	Origin *url.URL

	// Token is sent to the origin.
	Token Token

	// Header holds further headers for requests to the origin, in canonical form. They replace
	// those of the same name, except for Authorization.
	Header http.Header

	// PerAttempt limits the duration of each attempt. Zero is no limit.
	PerAttempt time.Duration

	// Policy configures retries.
	Policy Policy

	// Limiter delays attempts. It may be nil.
	Limiter Limiter

	// Gate holds back requests to the origin after a 429. Chains that share one pause
	// together. It may be nil.
	Gate *Gate

	// Hooks are called after each attempt.
	Hooks []Hook
}

// Chain returns base wrapped as cfg says.
func Chain(base http.RoundTripper, cfg Config) http.RoundTripper {
	// Buffer makes the body part of the attempt. Observe sees each attempt, without the waits
	// before it. Authorize is outermost, so that it works once for all attempts.
	rt := http.RoundTripper(&Buffer{Next: base})
	if len(cfg.Hooks) > 0 {
		rt = &Observe{Next: rt, Hooks: cfg.Hooks, Token: cfg.Token}
	}
	rt = &Retry{
		Next: rt, Policy: cfg.Policy, Timeout: TimeoutError{After: cfg.PerAttempt},
		Limiter: cfg.Limiter, Gate: cfg.Gate, Origin: cfg.Origin,
	}
	return &Authorize{Next: rt, Origin: cfg.Origin, Token: cfg.Token, Header: cfg.Header}
}
