package supportbeetest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody is the largest JSON request that the desk reads.
const maxBody = 8 << 20

// routes returns a handler of all operations.
func (s *Desk) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, op operation) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.dispatch(op, w, r, func(w http.ResponseWriter, r *http.Request) { s.handle(op, w, r) })
		})
	}
	for _, op := range operations {
		handle(op.method+" "+op.route, op)
	}
	handle("/", operation{handle: unknownRoute, anonymous: true})
	if s.config.control != nil {
		s.routeControl(mux)
	}
	return mux
}

// ServeHTTP implements [http.Handler]. It serves the API, and the files behind downloads.
func (s *Desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasPrefix(r.URL.Path, storagePath):
		s.serveStorage(w, r)
	case s.config.cors && r.URL.Path == "/tickets" && r.Header.Get("Origin") != "":
		s.serveCORS(w, r)
	default:
		s.mux.ServeHTTP(w, r)
	}
}

// serveCORS serves requests for /tickets that a page of another origin may have made.
func (s *Desk) serveCORS(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	switch method := r.Header.Get("Access-Control-Request-Method"); {
	case r.Method == http.MethodPost:
		header.Set("Access-Control-Allow-Origin", "*")
	case r.Method == http.MethodOptions && method == http.MethodPost:
		header.Set("Access-Control-Allow-Origin", "*")
		header.Set("Access-Control-Allow-Methods", http.MethodPost)
		header.Set("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type")
		header.Set("Access-Control-Max-Age", "600")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Desk) now() time.Time { return s.Clock.Now().UTC().Truncate(time.Second) }

func (s *Desk) encoder() encoder {
	return encoder{s.state, s.config.dialect, s.URL, s.now(), sync.OnceValues(s.state.countTickets), s.quirk()}
}

// baseFor returns the URL under which the client that sent the request reaches the desk.
func (s *Desk) baseFor(r *http.Request) string {
	switch {
	case s.config.publicURL != "" || r.Host == "":
		return s.URL
	case r.TLS != nil:
		return "https://" + r.Host
	default:
		return "http://" + r.Host
	}
}

// operation is an operation of the API.
type operation struct {
	op        string // the SDK's name of it
	method    string
	route     string
	admin     bool // needs an admin's token
	anonymous bool // works without a token
	write     bool // changes the state
	raw       bool // reads the request's body itself
	handle    func(*Desk, *call) response
}

// call is a request that the desk handles.
type call struct {
	*http.Request
	encoder
	token    string
	user     *user // who owns the token; nil if there is none
	body     []byte
	now      time.Time
	query    url.Values
	file     *attachment // of an upload
	rejected response    // to an upload without a usable file
}

// response is the response to an operation.
type response struct {
	status int
	body   any // encoded as JSON unless it is raw; nil for an empty body
	header map[string]string
}

// raw is a body that is sent unchanged.
type raw string

func ok(body any) response      { return response{status: http.StatusOK, body: body} }
func created(body any) response { return response{status: http.StatusCreated, body: body} }
func done() response            { return response{status: http.StatusNoContent} }

func fail(status int, format string, args ...any) response {
	return response{status: status, body: map[string]string{"error": fmt.Sprintf(format, args...)}}
}

func notFound(what string, id any) response {
	return fail(http.StatusNotFound, "Couldn't find %s with id=%v", what, id)
}

func invalidInput(sentences ...string) response {
	return fail(http.StatusBadRequest, "Validation failed: %s", strings.Join(sentences, ", "))
}

func unknownRoute(_ *Desk, _ *call) response {
	return fail(http.StatusNotFound, "Sorry. Something seems to have gone wrong. This address does not exist.")
}

// dispatch records a request, applies faults, and handles it.
func (s *Desk) dispatch(op operation, w http.ResponseWriter, r *http.Request, handle http.HandlerFunc) {
	start := time.Now()
	entry := &Request{
		Op: op.op, Method: r.Method, Route: op.route, Path: r.URL.EscapedPath(), Query: maskedQuery(r.URL.Query()), Header: masked(r.Header), Time: s.now(),
	}
	body := &bodyLog{ReadCloser: r.Body}
	r.Body = body
	s.requests.add(entry)
	logged := &statusLog{ResponseWriter: w, clock: s.Clock, note: func(status int) {
		s.requests.update(func() { entry.Status, entry.Body, entry.Duration = status, body.kept, time.Since(start) })
	}}
	defer func() {
		if logged.status == 0 { // there was no response, but the request is known
			s.requests.update(func() { entry.Body, entry.Duration = body.kept, time.Since(start) })
		}
		if s.config.logger != nil {
			s.config.logger.Info("request", "method", entry.Method, "path", entry.Path, "op", entry.Op,
				"status", entry.Status, "duration", time.Since(start).Round(time.Microsecond), "fault", entry.Fault)
		}
	}()
	handle, served := s.carryOut(op, logged, r, handle)
	defer served()
	if op.op != "" {
		if injected := s.faults.pick(op, r); injected != nil {
			s.requests.update(func() { entry.Fault = strings.Join(names(injected.faults), ", ") })
			injected.serve(s.lifetime.ctx, logged, r, handle, func() { s.requests.update(func() { entry.Fault = "" }) })
			return
		}
	}
	handle(logged, r)
}

// handle responds to a request like the service.
func (s *Desk) handle(op operation, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	number := s.serial.Add(1)
	header := w.Header()
	header.Set("X-Request-Id", fmt.Sprintf("%08x-%04x-desk", number*2654435761%(1<<32), number%(1<<16)))
	result := s.respond(op, w, r)
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

// respond authenticates the request and calls its operation with the state locked.
func (s *Desk) respond(op operation, w http.ResponseWriter, r *http.Request) response {
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
		c.file, c.rejected = c.readFile()
	}
	if op.write {
		s.mu.Lock()
		defer s.mu.Unlock()
	} else {
		s.mu.RLock()
		defer s.mu.RUnlock()
	}
	c.encoder = s.encoder()
	if !op.write {
		c.desk = c.quirks.view(s.state, s.Clock.Now())
	}
	c.base = s.baseFor(r)
	var sent bool
	if c.token, sent = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !sent {
		c.token = c.query.Get("auth_token") // the older form, which is still accepted
	}
	if sent || c.token != "" || !op.anonymous {
		if c.user = s.state.Users[s.state.Tokens[c.token]]; c.user == nil {
			return response{status: s.config.denied, body: raw(" ")}
		}
		http.SetCookie(w, &http.Cookie{Name: "secure_code_session", Value: fmt.Sprintf("s%x", s.serial.Load()), Path: "/", HttpOnly: true})
	}
	if op.admin && c.user.Role != "admin" {
		return fail(http.StatusForbidden, "Access denied")
	}
	return op.handle(s, c)
}

// decode decodes the request's JSON, the value of key unless key is empty.
func (c *call) decode(key string, out any) (response, bool) {
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
	return response{}, true
}

// number returns a number of the path, or 0 if it is not one.
func (c *call) number(name string) int64 {
	n, _ := strconv.ParseInt(c.PathValue(name), 10, 64)
	return n
}

func (c *call) flag(name string) bool { return c.query.Get(name) == "true" }

// ticket404 returns the ticket of the path, or nil and a response with status 404.
func (c *call) ticket404() (*ticket, response) {
	t := c.desk.Tickets[c.number("id")]
	if t == nil {
		return nil, fail(http.StatusNotFound, "Couldn't find Ticket with id=%s [WHERE `tickets`.`company_id` = 1]", c.PathValue("id"))
	}
	return t, response{}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// server serves a handler on a listener. Unlike [http.Server], it waits for its goroutines when it
// is closed.
type server struct {
	addr    net.Addr
	http    *http.Server
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup // the connections, and the goroutine that accepts them
}

func serve(l net.Listener, handler http.Handler) *server {
	s := &server{addr: l.Addr()}
	s.http = &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ConnState: s.track}
	s.running.Go(func() { _ = s.http.Serve(l) }) // returns when it is closed
	return s
}

func (s *server) track(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.running.Add(1)
		if s.closed { // accepted too late for close to know of it
			_ = conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		s.running.Done()
	default:
	}
}

func (s *server) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.http.Close()
	s.running.Wait()
}
