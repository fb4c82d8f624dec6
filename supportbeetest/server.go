package supportbeetest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxBody is the largest JSON request that the desk reads.
const maxBody = 8 << 20

// routes returns a handler of all operations.
func (s *Desk) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, op operation) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.dispatch(op, w, r, func(w http.ResponseWriter, r *http.Request) { s.handle(op, w, r) })
		})
	}
	for _, op := range operations {
		handle(op.method+" "+op.route, op)
	}
	mux.HandleFunc("GET /pictures/{kind}/{id}/{file}", func(w http.ResponseWriter, r *http.Request) {
		s.dispatch(operation{}, w, r, sendPicture)
	})
	if s.config.control != nil {
		s.routeControl(mux)
	}
	unknown := operation{anonymous: true, handle: func(_ *Desk, c *call) response { return unknownRoute(mux, c) }}
	handle("/", unknown)
	return exactPaths(mux, func(w http.ResponseWriter, r *http.Request) {
		s.dispatch(unknown, w, r, func(w http.ResponseWriter, r *http.Request) { s.handle(unknown, w, r) })
	})
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
	return encoder{s.state, s.config.dialect, s.URL, s.now(), s.quirk()}
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
	strict   bool // see [WithLenient]
	token    string
	user     *user // who owns the token; nil if there is none
	body     []byte
	now      time.Time
	query    url.Values
	peers    map[int64]bool // whose tickets a customer may see; nil until it is needed
	file     *attachment    // of an upload
	rejected response       // to an upload without a usable file
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

// unknownRoute responds to a request that no operation matches: with the methods that the path has,
// if there are any.
func unknownRoute(mux *http.ServeMux, c *call) response {
	if allowed := allowedMethods(mux, c.Request); len(allowed) > 0 {
		list := strings.Join(allowed, ", ")
		result := fail(http.StatusMethodNotAllowed, "Method %s is not allowed; allowed are %s", c.Method, list)
		if c.Method == http.MethodOptions {
			result = done()
		}
		result.header = map[string]string{"Allow": list}
		return result
	}
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
	record := s.history.add(entry)
	update := func(change func()) { s.history.update(record, change) }
	logged := &statusLog{ResponseWriter: w, clock: s.Clock, note: func(status int) {
		update(func() { entry.Status, entry.Body, entry.Duration = status, body.kept, time.Since(start) })
	}}
	defer func() {
		if logged.status == 0 { // there was no response, but the request is known
			update(func() { entry.Body, entry.Duration = body.kept, time.Since(start) })
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
			update(func() { entry.Fault = strings.Join(names(injected.faults), ", ") })
			injected.serve(s.lifetime.ctx, logged, r, handle, func() { update(func() { entry.Fault = "" }) })
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
		var err error
		if body, err = json.Marshal(b); err != nil {
			result.status, body = http.StatusInternalServerError, []byte(`{"error":"The response cannot be encoded"}`)
		}
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
	if len(body) > 0 && acceptsGzip(r.Header) {
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
	query, malformed := url.ParseQuery(r.URL.RawQuery)
	c := &call{Request: r, now: s.now(), query: query}
	if !strings.Contains(r.Header.Get("Accept"), "application/json") && op.op != "" && op.op != "Attachments.Download" {
		return fail(http.StatusNotAcceptable, "Accept: application/json is required")
	}
	s.mu.RLock()
	rejected, bad := s.authenticate(op, c) // before the body is read, which may be long
	s.mu.RUnlock()
	if bad {
		return rejected
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
	c.strict = !s.config.lenient
	if rejected, bad := s.authenticate(op, c); bad { // again: the state may have been replaced
		return rejected
	}
	if c.user != nil {
		http.SetCookie(w, &http.Cookie{Name: "secure_code_session", Value: fmt.Sprintf("s%x", s.serial.Load()), Path: "/", HttpOnly: true})
	}
	if c.strict && op.op != "" {
		problems := checkQuery(op.op, c.query)
		if malformed != nil {
			problems = append(problems, "malformed query: "+malformed.Error())
		}
		if len(problems) > 0 {
			return notStrict(problems)
		}
	}
	return op.handle(s, c)
}

// authenticate sets the token and its user. It returns a response if the request must be rejected.
func (s *Desk) authenticate(op operation, c *call) (rejected response, bad bool) {
	scheme, credentials, _ := strings.Cut(c.Header.Get("Authorization"), " ")
	sent := scheme != ""
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		c.token = strings.TrimSpace(credentials)
	case !sent:
		c.token = c.query.Get("auth_token") // the older form, which is still accepted
	}
	if sent || c.token != "" || !op.anonymous {
		owner, known := s.state.Tokens[c.token]
		if c.user = s.state.Users[owner]; !known || c.user == nil {
			return response{status: s.config.denied, body: raw(" ")}, true
		}
		if !op.permits(c.user.Role) {
			return fail(http.StatusForbidden, "Access denied"), true
		}
	}
	return response{}, false
}

// decode decodes the request's JSON, the value of key unless key is empty.
func (c *call) decode(key string, out any) (response, bool) {
	if !strings.HasPrefix(c.Header.Get("Content-Type"), "application/json") {
		return fail(http.StatusBadRequest, "Content-Type: application/json is required"), false
	}
	data := c.body
	var envelope map[string]json.RawMessage
	switch err := json.Unmarshal(data, &envelope); {
	case len(bytes.TrimSpace(data)) == 0:
		return fail(http.StatusBadRequest, "The body is empty"), false
	case err != nil && !json.Valid(data):
		return fail(http.StatusBadRequest, "The body is not valid JSON: %v", err), false
	case err != nil:
		return fail(http.StatusBadRequest, "The body is not a JSON object"), false
	}
	if key != "" {
		var unknown []string
		for _, name := range slices.Sorted(maps.Keys(envelope)) {
			if name != key {
				unknown = append(unknown, fmt.Sprintf("unknown key %q%s", name, suggestion(name, []string{key})))
			}
		}
		switch {
		case c.strict && unknown != nil:
			return notStrict(unknown), false
		case envelope[key] == nil || string(envelope[key]) == "null":
			return invalidInput(key + " is missing"), false
		}
		data = envelope[key]
	}
	data, problems := knownKeys(data, reflect.TypeOf(out), key)
	if err := json.Unmarshal(data, out); err != nil {
		return fail(http.StatusBadRequest, "The JSON does not fit: %v", err), false
	}
	if c.strict && len(problems) > 0 {
		return notStrict(problems), false
	}
	return response{}, true
}

// notStrict rejects what the service would ignore.
func notStrict(problems []string) response {
	return fail(http.StatusBadRequest, "supportbeetest: %s (the service ignores what it does not know; so does a desk with WithLenient, or supportbee-desk with -lenient)", strings.Join(problems, "; "))
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
	if t == nil || !c.visible(t) {
		return nil, fail(http.StatusNotFound, "Couldn't find Ticket with id=%s [WHERE `tickets`.`company_id` = 1]", c.PathValue("id"))
	}
	return t, response{}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// headerTimeout is how long a client may take to send the header of a request.
const headerTimeout = 10 * time.Second

// server serves a handler on a listener. Its goroutines are counted by a lifetime: the connections,
// and the one that accepts them.
type server struct {
	addr     net.Addr
	http     *http.Server
	lifetime *lifetime
}

func serve(l net.Listener, handler http.Handler, lifetime *lifetime) *server {
	s := &server{addr: l.Addr(), lifetime: lifetime}
	s.http = &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout, ConnState: s.track, ConnContext: lifetime.join}
	lifetime.add()
	go func() {
		defer lifetime.done()
		_ = s.http.Serve(l) // returns when it is closed
	}()
	return s
}

func (s *server) track(conn net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.lifetime.add()
		if s.lifetime.ctx.Err() != nil { // accepted too late for close to know of it
			_ = conn.Close()
		}
	case http.StateClosed, http.StateHijacked:
		s.lifetime.done()
	default:
	}
}

// close closes the listener and the connections. It does not wait.
func (s *server) close() { _ = s.http.Close() }
