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
	"time"

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
	storage   *server   // nil unless there is a storage listener
	loopback  string    // the address of loopback that the listener has
	keeper    *keeper   // nil unless the state is kept in a file

	changes  *changes
	mu       stateLock
	state    *desk
	limiter  rateLimiter
	faults   faultSet
	history  *history
	webhooks *webhookSender
	links    links
	serial   atomic.Int64 // numbers the requests
	quirks   atomic.Pointer[quirkSet]
	tb       testing.TB // nil if the desk was not made for a test
}

// Option configures a desk. See [New] and [Start].
type Option func(*config)

type config struct {
	dialect         Dialect
	empty           bool
	inMemory        bool
	listener        net.Listener
	storageListener net.Listener
	publicURL       string
	token           string
	stateFile       string
	control         *string // the token of the control API; nil without it
	cors            bool
	denied          int
	limits          bool
	creates         int // tickets in any createsPer with a token, if limits is set
	createsPer      time.Duration
	lenient         bool
	history         int64 // bytes
	retryAfter      RetryAfter
	logger          *slog.Logger
}

// InMemory makes the desk serve its clients and its transport without a socket, as
// [testing/synctest] requires.
func InMemory() Option { return func(c *config) { c.inMemory = true } }

// WithListener sets the listener of the API, which the desk closes. The default listens on a free
// port of 127.0.0.1.
func WithListener(l net.Listener) Option { return func(c *config) { c.listener = l } }

// WithPublicURL sets the URL under which clients reach the desk, such as that of a server which
// passes requests on to [Desk.ServeHTTP]. The default is the address of the listener, with the host
// localhost if it listens on all addresses; the URLs in a response then have the Host that the
// request was sent to.
//
// The files behind downloads are under /files/ of another host name for the same port, so that they
// are of another origin than the API: localhost for a loopback address, a loopback address for
// localhost, and storage.desk.example for the public URL http://desk.example. If there is no such
// name, since the public URL or, without one, the Host is an address or a name that is not known to
// have a second one, a download is not redirected: its response is the file. See
// [WithStorageListener].
func WithPublicURL(rawURL string) Option { return func(c *config) { c.publicURL = rawURL } }

// WithStorageListener sets a listener for the files behind downloads, which the desk closes. They
// are then under its port of the host that clients use, or under its address unless it listens on
// all addresses. By default, they are served by the listener of the API; see [WithPublicURL].
func WithStorageListener(l net.Listener) Option {
	return func(c *config) { c.storageListener = l }
}

// WithToken sets the admin's token. The default is random.
func WithToken(token string) Option { return func(c *config) { c.token = token } }

// WithStateFile keeps the state in a file. If the file exists, its state replaces the one of a new
// desk, and the token in it is kept, unless [WithToken] replaces it. The file is written at the
// start and soon after each change: a new file with mode 600 is renamed to path, so that what is
// there is whole even if the program is killed. [Start] returns an error if the file cannot be read
// or written.
func WithStateFile(path string) Option { return func(c *config) { c.stateFile = path } }

// WithControl serves the control API, which does over HTTP what the methods of the desk do, and a
// page that shows the desk, both under /_desk/. The control API is described by the OpenAPI document
// at /_desk/openapi.yaml, and the API of the desk by the one at /openapi.yaml.
//
// Requests must have the token, as a bearer token or as the password of basic authentication. If
// token is empty, they must come from loopback and be sent to a name of it. Requests of web pages of
// other origins are rejected. If the desk listens on loopback, all requests for a Host that is
// neither a name of loopback nor of the public URL are rejected.
func WithControl(token string) Option { return func(c *config) { c.control = &token } }

// WithCORS allows POST /tickets from web pages of other origins.
func WithCORS() Option { return func(c *config) { c.cors = true } }

// WithoutSeed starts with an empty desk, which has only the admin.
func WithoutSeed() Option { return func(c *config) { c.empty = true } }

// WithDialect sets the form of responses. The default is [DialectCurrent].
func WithDialect(dialect Dialect) Option { return func(c *config) { c.dialect = dialect } }

// WithRateLimits enforces the documented limits on creating tickets: 8 a minute with a token, 5 an
// hour from an address without one. By default there are no limits.
func WithRateLimits() Option { return func(c *config) { c.limits = true } }

// WithCreateLimit is [WithRateLimits] with another limit for a token: so many tickets in any time of
// the given length, by the desk's clock. Both must be positive.
func WithCreateLimit(tickets int, per time.Duration) Option {
	return func(c *config) { c.limits, c.creates, c.createsPer = true, tickets, per }
}

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
	case c.inMemory && (c.listener != nil || c.storageListener != nil):
		return errors.New("a desk in memory cannot have a listener")
	case strings.ContainsFunc(c.token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("the token has white space or characters that no token has")
	case c.creates <= 0 || c.createsPer <= 0:
		return fmt.Errorf("creating tickets cannot be limited to %d in %v", c.creates, c.createsPer)
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
		c.publicURL = strings.TrimRight(c.publicURL, "/")
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
	cfg := config{creates: 8, createsPer: time.Minute, history: 64 << 20, dialect: DialectCurrent, denied: http.StatusUnauthorized}
	for _, opt := range opts {
		opt(&cfg)
	}
	s := &Desk{Token: cmp.Or(cfg.token, newToken()), Clock: new(Clock), config: cfg, lifetime: newLifetime(), loopback: "127.0.0.1"}
	err := s.config.check()
	if err == nil {
		s.changes = new(changes)
		s.mu.changes = s.changes
		s.history = &history{limit: cfg.history, clock: s.Clock, changes: s.changes}
		s.webhooks = newWebhookSender(s.lifetime, s.history)
		s.state = s.newState()
		err = s.keepState()
	}
	if err == nil {
		s.mux = s.routes()
		err = s.listen()
	}
	if err != nil {
		s.keeper.close()
		return nil, fmt.Errorf("supportbeetest: %w", err)
	}
	return s, nil
}

// newState returns the state of a new desk.
func (s *Desk) newState() *desk {
	state := newDesk()
	state.seedPeople(s.Token)
	if !s.config.empty {
		state.seedWorld(s.Token, s.now())
	}
	return state
}

// listen sets the URL and the transport, and starts to serve.
func (s *Desk) listen() error {
	if s.config.inMemory {
		s.URL, s.transport = cmp.Or(s.config.publicURL, "http://desk.localhost"), memoryTransport{s, s.lifetime}
		return nil
	}
	listener := s.config.listener
	if listener == nil {
		var err error
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
	}
	own, handler := "http://"+listener.Addr().String(), http.Handler(s)
	if addr, isTCP := listener.Addr().(*net.TCPAddr); isTCP {
		switch {
		case addr.IP.IsUnspecified(): // not an address to connect to, though some systems allow it
			own = fmt.Sprintf("http://localhost:%d", addr.Port)
		case addr.IP.IsLoopback():
			s.loopback = addr.IP.String()
			if s.config.control != nil {
				handler = http.HandlerFunc(s.serveKnownHost)
			}
		}
	}
	s.URL, s.transport = cmp.Or(s.config.publicURL, own), &http.Transport{MaxIdleConnsPerHost: 128}
	if s.config.storageListener != nil {
		s.storage = serve(s.config.storageListener, http.HandlerFunc(s.serveStorage), s.lifetime)
	}
	s.api = serve(listener, handler, s.lifetime)
	return nil
}

// Close stops the desk. It closes all connections at once, drops webhooks that have not been
// delivered, and waits for the desk's goroutines to end, which takes no time. It does not wait for
// handlers of webhooks and faults that the desk did not make; the contexts of their requests end. At
// last it writes the file of [WithStateFile].
func (s *Desk) Close() {
	s.lifetime.interrupt()
	for _, server := range []*server{s.api, s.storage} {
		if server != nil {
			server.close()
		}
	}
	s.lifetime.wait()
	s.keeper.close()
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
	s.quirks.Store(nil)
	s.ClearHistory()
}

// ClearHistory removes the recorded requests, deliveries and mails.
func (s *Desk) ClearHistory() {
	s.history.reset()
}
