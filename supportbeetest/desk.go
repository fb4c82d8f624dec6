package supportbeetest

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/supportbee-go/supportbee"
)

// Company is the company of every desk.
const Company = "acme"

// The people of a new desk.
const (
	AdminEmail        = "ada@acme.example"  // owns the desk's token
	AgentEmail        = "ben@acme.example"  // in the team Support
	OtherAgentEmail   = "cleo@acme.example" // in the team Billing
	CollaboratorEmail = "dana@acme.example" // in no team
	CustomerEmail     = "eve@example.com"   // the requester of the first ticket
)

// Desk is a help desk that implements the SupportBee API and keeps its state in memory.
//
// It is safe for concurrent use. Its fields must not be changed.
type Desk struct {
	URL   string // the base URL; see [supportbee.WithBaseURL]
	Token string // of an admin
	Clock *Clock // the desk's time

	config    config
	mux       http.Handler
	transport http.RoundTripper
	lifetime  *lifetime // of the desk's goroutines
	api       *server   // nil in memory
	storage   *server   // serves the files behind downloads from an origin of its own; nil in memory

	changes  *changes
	mu       stateLock
	state    *desk
	limiter  rateLimiter
	faults   faultSet
	history  *history
	webhooks *webhookSender
	links    links
	serial   atomic.Int64 // numbers the requests
	tb       testing.TB   // nil if the desk was not made for a test
}

// Option configures a desk. See [New] and [Start].
type Option func(*config)

type config struct {
	dialect    Dialect
	empty      bool
	inMemory   bool
	listener   net.Listener
	publicURL  string
	token      string
	denied     int
	limits     bool
	lenient    bool
	history    int64 // bytes
	retryAfter RetryAfter
	logger     *slog.Logger
}

// InMemory makes the desk serve its clients and its transport without a socket, as
// [testing/synctest] requires.
func InMemory() Option { return func(c *config) { c.inMemory = true } }

// WithListener sets the listener of the API, which the desk closes. The default listens on a free
// port of 127.0.0.1.
func WithListener(l net.Listener) Option { return func(c *config) { c.listener = l } }

// WithPublicURL sets the URL under which clients reach the desk, such as that of a server which
// passes requests on to [Desk.ServeHTTP]. The default is the address of the listener.
func WithPublicURL(rawURL string) Option { return func(c *config) { c.publicURL = rawURL } }

// WithToken sets the admin's token. The default is random.
func WithToken(token string) Option { return func(c *config) { c.token = token } }

// WithoutSeed starts with an empty desk, which has only the admin.
func WithoutSeed() Option { return func(c *config) { c.empty = true } }

// WithDialect sets the form of responses. The default is [DialectCurrent].
func WithDialect(dialect Dialect) Option { return func(c *config) { c.dialect = dialect } }

// WithRateLimits enforces the documented limits on creating tickets: 8 a minute with a token, 5 an
// hour from an address without one. By default there are no limits.
func WithRateLimits() Option { return func(c *config) { c.limits = true } }

// RetryAfter is a form of the Retry-After header.
type RetryAfter string

// The forms of the Retry-After header.
const (
	RetryAfterSeconds RetryAfter = "seconds"
	RetryAfterDate    RetryAfter = "date" // by the desk's clock
)

// WithRetryAfter adds a Retry-After header to the responses with status 429. By default there is
// none, since the service is not known to send one.
func WithRetryAfter(form RetryAfter) Option { return func(c *config) { c.retryAfter = form } }

// WithDeniedStatus sets the status for an invalid token, which is 401 by default or 403. The
// service has sent both.
func WithDeniedStatus(status int) Option { return func(c *config) { c.denied = status } }

// WithHistoryLimit limits the memory of the history in bytes: the requests, the deliveries and the
// mails together. The oldest are removed first. The default is 64 MiB.
func WithHistoryLimit(bytes int64) Option { return func(c *config) { c.history = bytes } }

// WithLogger logs each request. If logger is nil, nothing is logged, which is the default.
func WithLogger(logger *slog.Logger) Option { return func(c *config) { c.logger = logger } }

// check returns an error if the options cannot be used, alone or together.
func (c *config) check() error {
	switch {
	case c.inMemory && c.listener != nil:
		return errors.New("a desk in memory cannot have a listener")
	case strings.ContainsFunc(c.token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the token has white space or characters that no token has")
	case c.history < 0:
		return fmt.Errorf("the history cannot be limited to %d bytes", c.history)
	case c.denied != http.StatusUnauthorized && c.denied != http.StatusForbidden:
		return fmt.Errorf("the status for an invalid token must be 401 or 403, got %d", c.denied)
	case c.dialect != DialectCurrent && c.dialect != DialectRecorded && c.dialect != DialectDocumented:
		return fmt.Errorf("unknown dialect %q", c.dialect)
	case c.retryAfter != "" && c.retryAfter != RetryAfterSeconds && c.retryAfter != RetryAfterDate:
		return fmt.Errorf("unknown form %q of the Retry-After header", c.retryAfter)
	}
	if c.publicURL != "" {
		u, err := url.Parse(c.publicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("the public URL %q must consist of http or https, a host and a path", c.publicURL)
		}
	}
	return nil
}

// New starts a desk that is closed when the test ends. It fails the test if the desk cannot be
// started.
func New(tb testing.TB, opts ...Option) *Desk {
	tb.Helper()
	s, err := Start(opts...)
	if err != nil {
		tb.Fatal(err)
	}
	s.tb = tb
	tb.Cleanup(s.Close)
	return s
}

// Start starts a desk for a program. [Desk.Close] stops it. Start returns an error if an option is
// invalid or the desk cannot listen.
func Start(opts ...Option) (*Desk, error) {
	cfg := config{history: 64 << 20, dialect: DialectCurrent, denied: http.StatusUnauthorized}
	for _, opt := range opts {
		opt(&cfg)
	}
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("supportbeetest: %w", err)
	}
	s := &Desk{Token: cmp.Or(cfg.token, newToken()), Clock: new(Clock), config: cfg, lifetime: newLifetime()}
	s.changes = new(changes)
	s.mu.changes = s.changes
	s.history = &history{limit: cfg.history, changes: s.changes}
	s.webhooks = newWebhookSender(s.lifetime, s.history)
	s.mux = s.routes()
	s.state = s.newState()
	if err := s.listen(); err != nil {
		return nil, fmt.Errorf("supportbeetest: %w", err)
	}
	if cfg.publicURL != "" {
		s.URL = strings.TrimRight(cfg.publicURL, "/")
	}
	return s, nil
}

// newState returns the state of a new desk.
func (s *Desk) newState() *desk {
	state := newDesk()
	state.seedPeople(s.Token)
	if !s.config.empty {
		state.seedWorld(s.now())
	}
	return state
}

// listen starts to serve, and sets the URL and the transport.
func (s *Desk) listen() error {
	if s.config.inMemory {
		s.URL, s.transport = "http://desk.localhost", memoryTransport{http.HandlerFunc(s.serveMemory), s.lifetime}
		return nil
	}
	storage, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listener := s.config.listener
	if listener == nil {
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			_ = storage.Close()
			return err
		}
	}
	s.URL, s.transport = "http://"+listener.Addr().String(), &http.Transport{MaxIdleConnsPerHost: 128}
	s.storage = serve(storage, http.HandlerFunc(s.serveStorage), s.lifetime)
	s.api = serve(listener, s, s.lifetime)
	return nil
}

// Close stops the desk. It closes all connections at once, drops webhooks that have not been
// delivered, and waits for the desk's goroutines to end, which takes no time. It does not wait for
// handlers of webhooks and faults that the desk did not make; the contexts of their requests end.
func (s *Desk) Close() {
	s.lifetime.interrupt()
	if s.api != nil {
		s.api.close()
		s.storage.close()
	}
	s.lifetime.wait()
	s.webhooks.client.CloseIdleConnections()
	if transport, ok := s.transport.(*http.Transport); ok {
		transport.CloseIdleConnections()
	}
}

// Client returns a client of the desk, by default with the admin's token. For another token, use
// [supportbee.WithToken]. Client panics if an option is invalid.
func (s *Desk) Client(opts ...supportbee.Option) *supportbee.Client {
	own := []supportbee.Option{supportbee.WithInsecureHTTP(), supportbee.WithBaseURL(s.URL), supportbee.WithTransport(s.Transport())}
	client, err := supportbee.New(Company, s.Token, append(own, opts...)...)
	if err != nil {
		panic(err)
	}
	return client
}

// Transport returns a transport that sends requests to the desk, without a socket if the desk is
// [InMemory].
func (s *Desk) Transport() http.RoundTripper { return s.transport }

const memoryStorage = "storage.localhost"

// serveMemory serves both origins of a desk in memory.
func (s *Desk) serveMemory(w http.ResponseWriter, r *http.Request) {
	if r.Host == memoryStorage {
		s.serveStorage(w, r)
		return
	}
	s.ServeHTTP(w, r)
}

// Reset restores the state of a new desk and removes faults, webhooks and the history. The URL,
// the token and the clock do not change.
func (s *Desk) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = s.newState()
	s.limiter.reset()
	s.links.reset()
	s.faults.reset()
	s.webhooks.reset()
	s.ClearHistory()
}

// ClearHistory removes the recorded requests, deliveries and mails.
func (s *Desk) ClearHistory() {
	s.history.reset()
}
