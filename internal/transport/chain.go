// Package transport is a chain of small http.RoundTrippers: retry, rate limit, attempt timeout,
// observation, buffering and authorisation, one job each. It knows HTTP and no particular API; what it must
// know of an operation travels in the request's context as a Call.
package transport

import (
	"net/http"
	"net/url"
	"time"
)

// Config sets up a chain. The zero Config retries with the default Policy and does no more.
type Config struct {
	// Origin is the only URL whose scheme, host and port get the token.
	Origin *url.URL

	// Token is sent to the origin.
	Token Token

	// PerAttempt bounds each attempt; zero or less is no bound.
	PerAttempt time.Duration

	// Policy says how a request is retried.
	Policy Policy

	// Limiter paces the attempts; nil is none.
	Limiter Limiter

	// Gate holds everything back after a 429. Chains that share one stop together; nil makes
	// one for this chain.
	Gate *Gate

	// Hooks are told of every attempt.
	Hooks []Hook
}

// Chain returns base with all of cfg around it. Base must not be nil.
func Chain(base http.RoundTripper, cfg Config) http.RoundTripper {
	gate := cfg.Gate
	if gate == nil {
		gate = new(Gate)
	}
	policy := cfg.Policy.withDefaults()

	// Built from the inside. Authorize is innermost, so nothing else ever holds a request with
	// the token. Buffer makes the answer's body part of the attempt. Observe times the exchange
	// alone and sees each attempt. Timeout bounds an attempt but not the waits before it, which
	// Limit makes and which every attempt must pass: so Retry is outermost.
	rt := base
	rt = &Authorize{Next: rt, Origin: cfg.Origin, Token: cfg.Token}
	rt = &Buffer{Next: rt}
	if len(cfg.Hooks) > 0 {
		rt = &Observe{Next: rt, Hooks: cfg.Hooks, Redact: cfg.Token.Redact}
	}
	if cfg.PerAttempt > 0 {
		rt = &Timeout{Next: rt, PerAttempt: cfg.PerAttempt}
	}
	rt = &Limit{Next: rt, Limiter: cfg.Limiter, Gate: gate, MaxWait: policy.MaxWait}
	return &Retry{Next: rt, Policy: policy, Gate: gate}
}

// closeIdleConnections lets http.Client.CloseIdleConnections reach the base through the chain.
func closeIdleConnections(rt http.RoundTripper) {
	if closer, ok := rt.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}
