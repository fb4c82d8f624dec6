package supportbee

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// Option changes how a client works. See [New] and [Client.With].
type Option func(*config) error

// RetryPolicy says how failed requests are repeated. Zero fields stand for the defaults.
//
// Which requests may be repeated is not a setting: reads and repeatable writes are, and a write
// that creates something only when it surely was not processed.
type RetryPolicy struct {
	MaxAttempts int           // requests per call, the first included; default 4, 1 is no retry
	MinBackoff  time.Duration // upper bound of the first wait, doubled each time; default 250 ms
	MaxBackoff  time.Duration // upper bound of every wait; default 8 s
	MaxWait     time.Duration // the longest Retry-After to sit out; default 1 min
}

// Limiter holds back requests until they may be sent; *rate.Limiter of golang.org/x/time/rate
// is one. Wait returns when the request may go, or with an error that fails the call.
type Limiter interface {
	Wait(ctx context.Context) error
}

// Exchange is one attempt of a call, as told to [WithObserver]. It holds no body, no query and
// no header but the request ID.
type Exchange struct {
	Op         string        // "Tickets.Get"
	Route      string        // "/tickets/{id}"
	Method     string        // "GET"
	StatusCode int           // 0 when no answer came
	Attempt    int           // 1 for the first
	Duration   time.Duration // until the whole answer was read; for a download, its header
	RequestID  string        // the answer's X-Request-Id
	Err        error         // why no answer came
}

func (cfg *config) apply(opts []Option) error {
	for _, opt := range opts {
		if err := opt(cfg); err != nil {
			return err
		}
	}
	if cfg.base == nil {
		return invalid("company", "is missing")
	}
	if err := cfg.checkScheme(cfg.base); err != nil {
		return invalid("base URL", "is refused: %w", err)
	}
	cfg.baseText = cfg.base.String()
	return nil
}

// WithBaseURL sets the address of the API in place of https://{company}.supportbee.com, such as
// a proxy's or a test server's. The token goes to this scheme, host and port only.
func WithBaseURL(rawURL string) Option {
	return func(cfg *config) error {
		u, err := url.Parse(rawURL)
		switch {
		case err != nil:
			return invalid("base URL", "cannot be parsed") // the parser's error quotes what may hold a password
		case u.Scheme == "" || u.Hostname() == "":
			return invalid("base URL", "needs a scheme and a host, such as https://acme.supportbee.com")
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			return invalid("base URL", "must not hold a user, a query or a fragment")
		}
		u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
		if cfg.base != nil && !transport.SameOrigin(u, cfg.base) {
			cfg.gate = new(transport.Gate)
		}
		cfg.base = u
		return nil
	}
}

// WithToken replaces the token. An empty token makes the client anonymous. A token with white
// space, control characters or characters outside ASCII is rejected.
func WithToken(token string) Option {
	return func(cfg *config) error {
		if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return invalid("token", "has white space or characters that no token has")
		}
		cfg.token = transport.NewToken(token)
		return nil
	}
}

// WithHTTPClient sends requests through a copy of client: its transport and its timeout, which
// then bounds a whole call with all its attempts. Its cookie jar and redirect policy are not
// used. The client given is not changed.
func WithHTTPClient(client *http.Client) Option {
	return func(cfg *config) error {
		if client == nil {
			return invalid("HTTP client", "is nil")
		}
		cfg.httpClient = *client
		if cfg.httpClient.Transport == nil {
			cfg.httpClient.Transport = http.DefaultTransport
		}
		return nil
	}
}

// WithTransport sends requests through rt. Authorization, retries, limits and logs stay in
// place above it.
func WithTransport(rt http.RoundTripper) Option {
	return func(cfg *config) error {
		if rt == nil {
			return invalid("transport", "is nil")
		}
		cfg.httpClient.Transport = rt
		return nil
	}
}

// WithTimeout bounds each attempt, from sending to the last byte of the answer; the default is
// 30 s, 0 is no bound. Uploads and downloads are bounded by their context only.
func WithTimeout(d time.Duration) Option {
	return func(cfg *config) error {
		if d < 0 {
			return invalid("timeout", "must not be negative, got %v", d)
		}
		cfg.timeout = d
		return nil
	}
}

// WithRetry sets how failed requests are repeated.
func WithRetry(policy RetryPolicy) Option {
	return func(cfg *config) error {
		if policy.MaxAttempts < 0 || policy.MinBackoff < 0 || policy.MaxBackoff < 0 || policy.MaxWait < 0 {
			return invalid("retry policy", "must not hold negative values")
		}
		cfg.retry = policy
		return nil
	}
}

// WithoutRetry sends every request once.
func WithoutRetry() Option { return WithRetry(RetryPolicy{MaxAttempts: 1}) }

// WithLimiter asks limiter before every attempt.
func WithLimiter(limiter Limiter) Option {
	return func(cfg *config) error {
		cfg.limiter = limiter
		return nil
	}
}

// WithLogger logs every attempt: at debug level what succeeded, at info level other answers, at
// warn level 429, 5xx and failed connections. Records hold operation, route, status, attempt,
// duration and request ID; no bodies, no query values, no e-mail addresses.
func WithLogger(logger *slog.Logger) Option {
	return func(cfg *config) error {
		cfg.logger = logger
		return nil
	}
}

// WithObserver calls observe after every attempt, for metrics and traces. It is called from
// many goroutines at once. Observers add up.
func WithObserver(observe func(Exchange)) Option {
	return func(cfg *config) error {
		if observe == nil {
			return invalid("observer", "is nil")
		}
		cfg.observers = append(slices.Clip(cfg.observers), observe)
		return nil
	}
}

// WithUserAgent puts product, such as "billing-bot/2.1", before the SDK's own User-Agent.
func WithUserAgent(product string) Option {
	return func(cfg *config) error {
		if product == "" || strings.ContainsFunc(product, func(r rune) bool { return r < ' ' || r > '~' }) {
			return invalid("user agent", "must be printable ASCII")
		}
		cfg.userAgent = product + " supportbee-go/" + Version
		return nil
	}
}

// WithMaxResponseSize sets the largest answer that is read, in bytes after decompression; the
// default is 32 MiB. A larger one is [ErrResponseTooLarge]. Downloads have their own, [MaxSize].
func WithMaxResponseSize(bytes int64) Option {
	return func(cfg *config) error {
		if bytes <= 0 {
			return invalid("maximum response size", "must be positive, got %d", bytes)
		}
		cfg.maxResponse = bytes
		return nil
	}
}

// WithPrefetch sets how many pages an iterator fetches ahead of its caller; the default is 2,
// 0 is off, at most 16.
func WithPrefetch(pages int) Option {
	return func(cfg *config) error {
		if pages < 0 || pages > 16 {
			return invalid("prefetch", "must be 0 to 16, got %d", pages)
		}
		cfg.prefetch = pages
		return nil
	}
}

// WithInsecureHTTP allows a base URL and downloads over plain http on hosts other than
// loopback. The token then travels in the clear.
func WithInsecureHTTP() Option {
	return func(cfg *config) error {
		cfg.insecure = true
		return nil
	}
}
