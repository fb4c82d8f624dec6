package supportbee

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/supportbee-go/supportbee/internal/transport"
)

// Option configures a client. See [New] and [Client.With].
type Option func(*config) error

// apply applies options. Op is where they were given.
func (cfg *config) apply(op string, opts []Option) error {
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(cfg); err != nil {
			return rejected(op, err)
		}
	}
	if cfg.base == nil {
		return rejected(op, invalid("company", "is required"))
	}
	if err := cfg.checkScheme(cfg.base); err != nil {
		return &ArgumentError{Op: op, Field: "base URL", Reason: "must be secure", Err: err}
	}
	cfg.baseText = cfg.base.String()
	return nil
}

// WithBaseURL sets the address of the API, such as that of a proxy or a test server. The token is
// sent to its scheme, host and port only. The default is https://{company}.supportbee.com.
func WithBaseURL(rawURL string) Option {
	return func(cfg *config) error {
		u, err := url.Parse(rawURL)
		switch {
		case err != nil:
			return invalid("base URL", "cannot be parsed") // the parser's error quotes it, perhaps with a password
		case u.Scheme == "" || u.Hostname() == "":
			return invalid("base URL", "must have a scheme and a host, such as https://acme.supportbee.com")
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			return invalid("base URL", "must not have a user, a query or a fragment")
		}
		u.ForceQuery, u.Host = false, strings.TrimSuffix(u.Host, ":")
		u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
		if cfg.base != nil && !transport.SameOrigin(u, cfg.base) {
			cfg.gate, cfg.createGate = new(transport.Gate), new(transport.Gate)
		}
		cfg.base = u
		return nil
	}
}

// WithToken replaces the token. An empty token makes the client anonymous.
func WithToken(token string) Option {
	return func(cfg *config) error {
		if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return invalid("token", "must not have white space or characters other than ASCII")
		}
		cfg.token = transport.NewToken(token)
		return nil
	}
}

// WithHTTPClient sends requests through a copy of client. Its Jar and CheckRedirect are ignored;
// its Timeout limits a whole call, retries included. If client is nil, the default is used.
func WithHTTPClient(client *http.Client) Option {
	return func(cfg *config) error {
		cfg.requests = nil
		if client == nil {
			cfg.httpClient = http.Client{Transport: NewTransport()}
			return nil
		}
		cfg.httpClient = *client
		if cfg.httpClient.Transport == nil {
			cfg.httpClient.Transport = http.DefaultTransport
		}
		return nil
	}
}

// WithTransport sets the transport that sends requests. Authorization, retries, limits and logs
// are applied before it. If rt is nil, the client uses its own.
func WithTransport(rt http.RoundTripper) Option {
	return func(cfg *config) error {
		if rt == nil {
			rt = NewTransport()
		}
		cfg.httpClient.Transport = rt
		return nil
	}
}

// NewTransport returns a new transport with the settings of the client's own, to modify or to
// wrap; see [WithTransport]. They are those of [http.DefaultTransport], with more idle connections
// per host.
func NewTransport() *http.Transport { return transport.NewBase() }

// WithInsecureHTTP allows plain HTTP to hosts other than loopback. The token is then sent
// unencrypted.
func WithInsecureHTTP() Option {
	return func(cfg *config) error {
		cfg.insecure = true
		return nil
	}
}

// WithTimeout limits the duration of each attempt, until the response is read. The default is 30
// seconds; 0 means no limit. Uploads and downloads are limited by their context only.
func WithTimeout(d time.Duration) Option {
	return func(cfg *config) error {
		if d < 0 {
			return invalid("timeout", "must not be negative, got %v", d)
		}
		cfg.timeout = d
		return nil
	}
}

// RetryPolicy configures retries. Zero fields mean the defaults.
//
// It does not decide which requests are retried: that depends on the operation. Reads, and writes
// that can be repeated, are retried when the connection fails or the server is unavailable. A
// create is retried only if it was certainly not processed.
type RetryPolicy struct {
	MaxAttempts int           // requests per call, including the first; default 4, 1 disables retries
	MinBackoff  time.Duration // upper bound of the first wait, doubled for each retry; default 250 ms
	MaxBackoff  time.Duration // upper bound of each wait; default 8 s
	MaxWait     time.Duration // longest Retry-After to wait for; default 1 min
}

// WithRetry sets the retry policy.
func WithRetry(policy RetryPolicy) Option {
	return func(cfg *config) error {
		if policy.MaxAttempts < 0 || policy.MinBackoff < 0 || policy.MaxBackoff < 0 || policy.MaxWait < 0 {
			return invalid("retry policy", "must not have negative fields")
		}
		cfg.retry = policy
		return nil
	}
}

// WithoutRetry disables retries.
func WithoutRetry() Option { return WithRetry(RetryPolicy{MaxAttempts: 1}) }

// Limiter delays requests. A *rate.Limiter of golang.org/x/time/rate is one. Wait returns when the
// request may be sent, or an error, which fails the call.
type Limiter interface {
	Wait(ctx context.Context) error
}

// WithLimiter calls limiter.Wait before each attempt. The context names the operation; see
// [OperationFrom]. If limiter is nil, requests are not delayed.
func WithLimiter(limiter Limiter) Option {
	return func(cfg *config) error {
		cfg.limiter = limiter
		return nil
	}
}

// WithDryRun makes the client send reads only, which are GET and HEAD. Each write is passed to
// report, which may be nil and may be called concurrently, and succeeds without being sent. It
// waits for no limiter and no rate limit. [PrintPlanned] makes such a function.
//
// The result of a write holds the given parameters and zero IDs. Calls that use such an ID are
// accepted: writes are planned, and reads return [ErrNotFound]. All other arguments are checked as
// usual. [Client.Do] leaves out unchanged, and uploads read their source to its end.
func WithDryRun(report func(ctx context.Context, request PlannedRequest)) Option {
	return func(cfg *config) error {
		if report == nil {
			report = func(context.Context, PlannedRequest) {}
		}
		cfg.dryRun = report
		return nil
	}
}

// WithAllowedRecipients rejects, before the write is sent, calls that could send mail to an
// address for which allow returns false. Their error is an [*ArgumentError] that matches
// [ErrRecipientNotAllowed] and has no address in its text. [RecipientList] makes such a function. It
// is meant for test systems that use a real help desk.
//
// Checked are the requester, CC and BCC of [TicketsService.Create], the address of
// [UsersService.Create], [UsersService.Update] and [ForwardingAddressesService.Create], and for
// [RepliesService.Create] its own CC and BCC and those of the ticket, and the requester, or the
// members of a customer group, which it looks up first. Calls whose recipients cannot be found out
// are rejected, and so are all writes of [Client.Do]. Notifications that the help desk sends to its
// own agents are not covered.
//
// The address that allow gets has no display name, and A to Z are in lower case. Allow may be
// called concurrently. It must not be nil. The option replaces an earlier one.
func WithAllowedRecipients(allow func(address string) bool) Option {
	return func(cfg *config) error {
		if allow == nil {
			return invalid("allow", "must not be nil")
		}
		cfg.allow = allow
		return nil
	}
}

// WithPrefetch sets how many pages iterators fetch ahead of the one that the loop is at or waits for,
// at most 16. The default is 2; 0 disables prefetching.
func WithPrefetch(pages int) Option {
	return func(cfg *config) error {
		if pages < 0 || pages > 16 {
			return invalid("prefetch", "must be between 0 and 16, got %d", pages)
		}
		cfg.prefetch = pages
		return nil
	}
}

// WithMaxResponseSize limits the size of a response in bytes after decompression, downloads
// excepted. The default is 32 MiB. A larger response is [ErrResponseTooLarge].
func WithMaxResponseSize(bytes int64) Option {
	return func(cfg *config) error {
		if bytes <= 0 {
			return invalid("maximum response size", "must be positive, got %d", bytes)
		}
		cfg.maxResponse = bytes
		return nil
	}
}

// WithUserAgent prepends product, such as "billing-bot/2.1", to the User-Agent header.
func WithUserAgent(product string) Option {
	return func(cfg *config) error {
		if product == "" || strings.ContainsFunc(product, func(r rune) bool { return r < ' ' || r > '~' }) {
			return invalid("user agent", "must be printable ASCII")
		}
		cfg.sent = sentHeader(product + " " + sdkAgent)
		return nil
	}
}

// WithHeader adds a header to each request to the base URL's scheme, host and port. A header of
// the same name is replaced. Authorization, Host, Content-Length and other headers that the client
// sets for each request are rejected.
func WithHeader(key, value string) Option {
	return func(cfg *config) error {
		key := textproto.CanonicalMIMEHeaderKey(key)
		switch {
		case !isHeaderName(key):
			return invalid("header name", "must be a token as of RFC 9110, got %q", key)
		case slices.Contains(reservedHeaders, key):
			return invalid("header "+key, "is set by the client")
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return invalid("header "+key, "must not have control characters")
		}
		header := maps.Clone(cfg.header)
		if header == nil {
			header = http.Header{}
		}
		header[key] = []string{value}
		cfg.header = header
		return nil
	}
}

// reservedHeaders are the headers that the client or net/http sets for each request.
var reservedHeaders = []string{
	"Authorization", "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Trailer", "Te", "Upgrade",
	"Accept-Encoding", "Cookie", "Expect", "Range",
}

func isHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// WithLogger logs each attempt: at level Debug if it succeeded, at Info for other statuses, and at
// Warn for status 429 and 5xx and for failed connections. It also logs drift at Warn; see [Drift].
// Log records hold no bodies, query values or addresses. If logger is nil, nothing is logged.
func WithLogger(logger *slog.Logger) Option {
	return func(cfg *config) error {
		cfg.logger = logger
		return nil
	}
}

// WithObserver adds an observer of operations and attempts, for metrics and traces.
func WithObserver(observer Observer) Option {
	return func(cfg *config) error {
		cfg.observers = append(slices.Clip(cfg.observers), observer)
		return nil
	}
}
