package supportbeetest

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/supportbee-go/supportbee"
)

// Company is the company of every desk.
const Company = "acme"

// The people of every desk.
const (
	AdminEmail        = "ada@acme.example"  // owns the token
	AgentEmail        = "ben@acme.example"  // in the team Support
	OtherAgentEmail   = "cleo@acme.example" // in the team Billing
	CollaboratorEmail = "dana@acme.example" // in no team
	CustomerEmail     = "eve@example.com"   // has opened the first ticket
)

// Desk is an embedded help desk that speaks the SupportBee API over HTTP on loopback.
//
// It is safe for concurrent use.
type Desk struct {
	URL   string // the address to give to [supportbee.WithBaseURL]
	Token string // of an admin

	config  config
	mux     *http.ServeMux
	http    *httptest.Server // nil in memory
	storage *httptest.Server // where attachments are fetched from, on an origin of its own

	mu       sync.RWMutex
	state    *desk
	limiter  rateLimiter
	faults   faultSet
	requests requestLog
	webhooks *webhookSender
	links    links
	serial   atomic.Int64 // numbers the requests
	lifetime *lifetime

	tb testing.TB // nil if the desk was not made for a test
}

// Option changes how a desk works. See [NewServer].
type Option func(*config)

type config struct {
	dialect    Dialect
	clock      func() time.Time
	empty      bool
	inMemory   bool
	addr       string
	denied     int
	limits     bool
	retryAfter func(time.Duration) string
	handlers   map[string]http.Handler
	logger     *slog.Logger
}

// WithDialect sets the shapes of answers; the default is [DialectRecorded].
func WithDialect(d Dialect) Option { return func(c *config) { c.dialect = d } }

// WithClock sets the desk's clock; the default is [time.Now].
func WithClock(now func() time.Time) Option { return func(c *config) { c.clock = now } }

// WithoutSeed starts with an empty desk: only the admin who owns the token.
func WithoutSeed() Option { return func(c *config) { c.empty = true } }

// InMemory opens no socket: [Desk.Client] and [Desk.Transport] hand requests over directly.
// That is the way to run a desk inside a [testing/synctest] bubble.
func InMemory() Option { return func(c *config) { c.inMemory = true } }

// WithAddr sets the address to listen on; the default is a free port of 127.0.0.1. NewServer
// panics where it cannot be had.
func WithAddr(addr string) Option { return func(c *config) { c.addr = addr } }

// WithDeniedStatus sets the status of a bad token: 401, the default, or 403. Both are on record.
func WithDeniedStatus(status int) Option { return func(c *config) { c.denied = status } }

// WithRateLimits enforces the vendor's limits: 8 tickets a minute with a token, 5 an hour from an
// address without. They are off by default, because a test that opens nine tickets does not mean
// to test them.
func WithRateLimits() Option { return func(c *config) { c.limits = true } }

// WithRetryAfter adds a Retry-After header to answers 429: in seconds, or as an HTTP date. The
// vendor is not known to send one, so there is none by default.
func WithRetryAfter(asDate bool) Option {
	return func(c *config) {
		c.retryAfter = func(wait time.Duration) string {
			if asDate {
				return c.clock().Add(wait + time.Second).UTC().Format(http.TimeFormat)
			}
			return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
		}
	}
}

// WithHandler serves handler beside the API, at a pattern of [http.ServeMux].
func WithHandler(pattern string, handler http.Handler) Option {
	return func(c *config) { c.handlers[pattern] = handler }
}

// WithLogger logs every request.
func WithLogger(logger *slog.Logger) Option { return func(c *config) { c.logger = logger } }

// NewServer starts a desk. Close ends it.
func NewServer(opts ...Option) *Desk {
	s := &Desk{
		config:   config{clock: time.Now, denied: http.StatusUnauthorized, handlers: map[string]http.Handler{}},
		mux:      http.NewServeMux(),
		state:    newDesk(),
		webhooks: newWebhookSender(),
		lifetime: newLifetime(),
	}
	for _, opt := range opts {
		opt(&s.config)
	}
	serve := func(pattern string, op operation) {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.dispatch(op, w, r, func(w http.ResponseWriter, r *http.Request) { s.handle(op, w, r) })
		})
	}
	for _, op := range operations {
		serve(op.method+" "+op.route, op)
	}
	serve("/", operation{handle: unknownRoute, anonymous: true})
	for pattern, handler := range s.config.handlers {
		s.mux.Handle(pattern, handler)
	}
	s.Token = s.state.seedPeople()
	if !s.config.empty {
		s.state.seedWorld(s.now())
	}
	if s.config.inMemory {
		s.URL = "http://desk.localhost"
		return s
	}
	s.http = httptest.NewUnstartedServer(s)
	if s.config.addr != "" {
		listener, err := net.Listen("tcp", s.config.addr)
		if err != nil {
			panic("supportbeetest: " + err.Error())
		}
		_ = s.http.Listener.Close()
		s.http.Listener = listener
	}
	s.http.Start()
	s.URL = s.http.URL
	if transport, ok := s.http.Client().Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = 128
	}
	s.storage = httptest.NewServer(http.HandlerFunc(s.serveStorage))
	return s
}

// New starts a desk that ends with the test.
func New(tb testing.TB, opts ...Option) *Desk {
	tb.Helper()
	s := NewServer(opts...)
	s.tb = tb
	tb.Cleanup(s.Close)
	return s
}

// Close ends the desk: it cuts open connections and drops webhooks that are not delivered yet.
func (s *Desk) Close() {
	s.lifetime.end()
	s.webhooks.close()
	if s.http != nil {
		for _, server := range []*httptest.Server{s.http, s.storage} {
			server.CloseClientConnections()
			server.Close()
		}
	}
}

// Client returns an SDK client for the desk, with the admin's token unless an option such as
// [supportbee.WithTransport] changes the way there.
func (s *Desk) Client(opts ...supportbee.Option) *supportbee.Client {
	return s.ClientWithToken(s.Token, opts...)
}

// ClientWithToken returns an SDK client with the given token, which may be empty.
func (s *Desk) ClientWithToken(token string, opts ...supportbee.Option) *supportbee.Client {
	opts = append([]supportbee.Option{supportbee.WithBaseURL(s.URL), supportbee.WithTransport(s.Transport())}, opts...)
	client, err := supportbee.New(Company, token, opts...)
	if err != nil {
		panic(err) // only an option of the caller's can be refused
	}
	return client
}

// Transport returns what sends requests to the desk: directly if it is [InMemory].
func (s *Desk) Transport() http.RoundTripper {
	if s.config.inMemory {
		return memoryTransport{http.HandlerFunc(s.serveMemory), s.lifetime}
	}
	return s.http.Client().Transport
}

// serveMemory stands for both origins of a desk in memory.
func (s *Desk) serveMemory(w http.ResponseWriter, r *http.Request) {
	if r.Host == memoryStorage {
		s.serveStorage(w, r)
		return
	}
	s.ServeHTTP(w, r)
}

const memoryStorage = "storage.localhost"
