package supportbeetest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/supportbee-go/supportbee"
)

// Company is the company of every desk.
const Company = "acme"

// maxBody is the largest JSON request that the desk reads.
const maxBody = 8 << 20

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

// WithDialect sets the form of responses. The default is [DialectCurrent].
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
	tb.Cleanup(s.Close)
	return s
}

// Close ends the desk: it cuts open connections and drops webhooks that are not delivered yet.
func (s *Desk) Close() {
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
		return memoryTransport{http.HandlerFunc(s.serveMemory)}
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

// ServeHTTP answers an API request.
func (s *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Desk) now() time.Time { return s.config.clock().UTC().Truncate(time.Second) }

func (s *Desk) encoder() encoder { return encoder{s.state, s.config.dialect, s.URL, s.now()} }

// operation is one route of the API.
type operation struct {
	op        string // the SDK's name of it
	method    string
	route     string
	admin     bool // needs an admin's token
	anonymous bool // works without a token
	write     bool // changes the state
	raw       bool // reads the request's body itself
	handle    func(*Desk, *call) answer
}

// call is a request on its way through the desk.
type call struct {
	*http.Request
	encoder
	token   string
	user    *user // whose token it is; nil for none
	body    []byte
	now     time.Time
	query   url.Values
	file    *attachment // of an upload
	refused answer      // why there is no file
}

// answer is what a handler returns.
type answer struct {
	status int
	body   any // encoded as JSON; nil for an empty body, raw for what is JSON already
	header map[string]string
}

// raw is an answer's body that is sent as it is.
type raw string

func ok(body any) answer      { return answer{status: http.StatusOK, body: body} }
func created(body any) answer { return answer{status: http.StatusCreated, body: body} }
func done() answer            { return answer{status: http.StatusNoContent} }

func fail(status int, format string, args ...any) answer {
	return answer{status: status, body: map[string]string{"error": fmt.Sprintf(format, args...)}}
}

func notFound(what string, id any) answer {
	return fail(http.StatusNotFound, "Couldn't find %s with id=%v", what, id)
}

func invalidInput(sentences ...string) answer {
	return fail(http.StatusBadRequest, "Validation failed: %s", strings.Join(sentences, ", "))
}

func unknownRoute(_ *Desk, _ *call) answer {
	return fail(http.StatusNotFound, "Sorry. Something seems to have gone wrong. This address does not exist.")
}

// dispatch is the way of every request: log, fault, handling.
func (s *Desk) dispatch(op operation, w http.ResponseWriter, r *http.Request, handle http.HandlerFunc) {
	start := time.Now()
	entry := &Request{
		Op: op.op, Method: r.Method, Route: op.route, Path: r.URL.EscapedPath(), Query: maskedQuery(r.URL.Query()), Header: masked(r.Header), Time: s.now(),
	}
	body := &bodyLog{ReadCloser: r.Body}
	r.Body = body
	s.requests.add(entry)
	logged := &statusLog{ResponseWriter: w, note: func(status int) {
		s.requests.note(func() { entry.Status, entry.Body, entry.Took = status, body.kept, time.Since(start) })
	}}
	defer func() {
		if logged.status == 0 { // cut before there was an answer; what was asked for is known all the same
			s.requests.note(func() { entry.Body, entry.Took = body.kept, time.Since(start) })
		}
		if s.config.logger != nil {
			s.config.logger.Info("request", "method", entry.Method, "path", entry.Path, "op", entry.Op,
				"status", entry.Status, "took", time.Since(start).Round(time.Microsecond), "fault", entry.Fault)
		}
	}()
	if op.op != "" {
		if fault, hit := s.faults.pick(op.op, r.Method, op.route); hit {
			s.requests.note(func() { entry.Fault = fault.String() })
			fault.serve(logged, r, handle)
			return
		}
	}
	handle(logged, r)
}

// handle answers a request as the API does.
func (s *Desk) handle(op operation, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	number := s.serial.Add(1)
	header := w.Header()
	header.Set("X-Request-Id", fmt.Sprintf("%08x-%04x-desk", number*2654435761%(1<<32), number%(1<<16)))
	result := s.answer(op, w, r)
	for name, value := range result.header {
		header.Set(name, value)
	}
	var body []byte
	switch b := result.body.(type) {
	case nil:
	case raw:
		body = []byte(b)
	default:
		body, _ = json.Marshal(b) // of plain values, which cannot fail
	}
	if result.status == http.StatusOK || result.status == http.StatusCreated {
		sum := sha256.Sum256(body)
		header.Set("ETag", fmt.Sprintf("W/\"%x\"", sum[:16]))
		header.Set("Cache-Control", "max-age=0, private, must-revalidate")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	header.Set("X-Runtime", strconv.FormatFloat(time.Since(start).Seconds(), 'f', 6, 64))
	if result.status != http.StatusNoContent && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if len(body) > 0 && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		header.Add("Vary", "Accept-Encoding")
		var packed bytes.Buffer
		zipper := gzipWriters.Get().(*gzip.Writer)
		zipper.Reset(&packed)
		_, _ = zipper.Write(body)
		_ = zipper.Close()
		gzipWriters.Put(zipper)
		body = packed.Bytes()
	}
	w.WriteHeader(result.status)
	_, _ = w.Write(body)
}

var gzipWriters = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	return w
}}

// answer checks who asks, and lets the operation answer under the right lock.
func (s *Desk) answer(op operation, w http.ResponseWriter, r *http.Request) answer {
	c := &call{Request: r, now: s.now(), query: r.URL.Query()}
	if !strings.Contains(r.Header.Get("Accept"), "application/json") && op.op != "" && !op.raw {
		return fail(http.StatusNotAcceptable, "Accept: application/json is required")
	}
	if !op.raw && r.Body != nil {
		var err error
		if c.body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1)); err != nil {
			return fail(http.StatusBadRequest, "The body could not be read")
		}
		if len(c.body) > maxBody {
			return fail(http.StatusRequestEntityTooLarge, "The body is too large")
		}
	}
	if op.op == "Attachments.Upload" {
		c.file, c.refused = c.readFile()
	}
	if op.write {
		s.mu.Lock()
		defer s.mu.Unlock()
	} else {
		s.mu.RLock()
		defer s.mu.RUnlock()
	}
	c.encoder = s.encoder()
	var sent bool
	if c.token, sent = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !sent {
		c.token = c.query.Get("auth_token") // the older way, still accepted
	}
	if sent || c.token != "" || !op.anonymous {
		if c.user = s.state.Users[s.state.Tokens[c.token]]; c.user == nil {
			return answer{status: s.config.denied, body: raw(" ")}
		}
		http.SetCookie(w, &http.Cookie{Name: "secure_code_session", Value: fmt.Sprintf("s%x", s.serial.Load()), Path: "/", HttpOnly: true})
	}
	if op.admin && c.user.Role != "admin" {
		return fail(http.StatusForbidden, "Access denied")
	}
	return op.handle(s, c)
}

// decode reads the request's JSON, of which key is the envelope; empty for none.
func (c *call) decode(key string, out any) (answer, bool) {
	if !strings.HasPrefix(c.Header.Get("Content-Type"), "application/json") {
		return fail(http.StatusBadRequest, "Content-Type: application/json is required"), false
	}
	data := c.body
	if key != "" {
		var envelope map[string]json.RawMessage
		if err := json.Unmarshal(data, &envelope); err != nil || envelope[key] == nil {
			return invalidInput(key + " is missing"), false
		}
		data = envelope[key]
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fail(http.StatusBadRequest, "The JSON does not fit: %v", err), false
	}
	return answer{}, true
}

// number returns a number of the path, 0 for what is none.
func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.PathValue(name), 10, 64)
	return n
}

func (c *call) flag(name string) bool { return c.query.Get(name) == "true" }

// ticketOr404 returns the ticket of the path.
func (c *call) ticket404() (*ticket, answer) {
	t := c.desk.Tickets[c.number("id")]
	if t == nil {
		return nil, fail(http.StatusNotFound, "Couldn't find Ticket with id=%s [WHERE `tickets`.`company_id` = 1]", c.PathValue("id"))
	}
	return t, answer{}
}
