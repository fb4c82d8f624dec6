package supportbeetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/supportbee-go/supportbee"
)

// Match selects requests of the API for [Desk.Inject]. The zero value matches all.
type Match struct {
	// Op is the operation, such as "Tickets.Create". A download is two requests:
	// "Attachments.Download" is redirected to "Attachments.Storage", which has the file.
	Op string

	// TicketID matches only requests whose path names this ticket.
	TicketID supportbee.TicketID

	// Func, if it is not nil, matches only requests for which it returns true. It must not read
	// the body, and may be called concurrently.
	Func func(*http.Request) bool

	// Skip is the number of matching requests to serve before the first fault.
	Skip int

	// Times is the maximum number of requests to fail. The default is no limit.
	Times int

	// Probability is the probability, from 0 to 1, that a matching request fails. The default is 1.
	Probability float64

	// Seed is the seed of Probability. The same seed selects the same requests of a sequence.
	Seed uint64
}

// Inject applies faults to the requests that match. The first fault is the outermost: it sees the
// request first and the response last. If several injections match a request, the one injected
// first applies.
//
// If match.Op is not an operation of the API, Inject fails the test that the desk was made for, or
// panics if there is none.
func (s *Desk) Inject(match Match, faults ...Fault) *Injection {
	if s.tb != nil {
		s.tb.Helper()
	}
	if match.Op != "" && !s.checkOperation("Inject", match.Op) {
		return &Injection{set: &s.faults}
	}
	faults = slices.Clone(faults)
	return s.faults.add(&Injection{
		match: match,
		names: names(faults),
		choose: func(random *rand.Rand) ([]Fault, bool) {
			return faults, match.Probability == 0 || random.Float64() < match.Probability
		},
		random: rand.New(rand.NewPCG(match.Seed, match.Seed)),
	})
}

// InjectChaos applies random faults to about the given share of all requests, from 0 to 1:
// gateway errors, rate limits, dropped connections, truncated responses and delays. A client can
// detect each of them. The same seed selects the same faults for the same sequence of requests.
func (s *Desk) InjectChaos(share float64, seed uint64) *Injection {
	mix := [][]Fault{
		{HTMLPage(http.StatusBadGateway)},
		{Header("Retry-After", "1"), Status(http.StatusServiceUnavailable)},
		{RateLimited("1")},
		{Status(http.StatusInternalServerError)},
		{Drop()},
		{AfterHandling(Drop())},
		{DropBody()},
		{truncateJSON()},
		{Delay(2 * time.Second)},
	}
	return s.faults.add(&Injection{
		match: Match{Probability: share, Seed: seed},
		names: []string{"chaos"},
		choose: func(random *rand.Rand) ([]Fault, bool) {
			if random.Float64() >= share {
				return nil, false
			}
			return mix[random.IntN(len(mix))], true
		},
		random: rand.New(rand.NewPCG(seed, seed)),
	})
}

// Injection is an active injection of faults. See [Desk.Inject].
type Injection struct {
	set    *faultSet
	id     int64
	match  Match
	names  []string
	choose func(*rand.Rand) ([]Fault, bool) // false if the request is spared

	// Guarded by set.mu.
	random  *rand.Rand
	matched int
	hits    int
}

// Hits returns the number of requests that the faults were applied to. A fault of the response
// body, such as [Truncate], is not applied to a response without a body.
func (i *Injection) Hits() int {
	i.set.mu.Lock()
	defer i.set.mu.Unlock()
	return i.hits
}

// Remove ends the injection. Requests that are being served keep their faults.
func (i *Injection) Remove() {
	i.set.mu.Lock()
	defer i.set.mu.Unlock()
	i.set.active = slices.DeleteFunc(slices.Clone(i.set.active), func(other *Injection) bool { return other == i })
}

// selects reports whether the match selects the request, its numbers aside.
func (m Match) selects(op operation, r *http.Request) bool {
	if m.Op != "" && m.Op != op.op {
		return false
	}
	if m.TicketID != 0 && (!strings.HasPrefix(op.route, "/tickets/{id}") || r.PathValue("id") != strconv.FormatInt(int64(m.TicketID), 10)) {
		return false
	}
	if m.Func == nil {
		return true
	}
	matches := false
	foreign(r.Context(), func() { matches = m.Func(r) })
	return matches
}

// faultSet holds the active injections of a desk.
type faultSet struct {
	mu     sync.Mutex
	lastID int64
	active []*Injection // replaced, never changed
}

func (s *faultSet) add(i *Injection) *Injection {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastID++
	i.set, i.id = s, s.lastID
	s.active = append(slices.Clip(s.active), i)
	return i
}

// list returns the active injections, oldest first.
func (s *faultSet) list() []*Injection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.active
}

// reset removes all injections.
func (s *faultSet) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = nil
}

// pick returns the faults of the first injection that applies to the request, or nil.
func (s *faultSet) pick(op operation, r *http.Request) *application {
	for _, i := range s.list() {
		if i.match.selects(op, r) { // without the lock, since it calls Match.Func
			if faults, hit := i.take(); hit {
				return newApplication(i, faults)
			}
		}
	}
	return nil
}

// take counts a matching request and returns the faults to apply to it.
func (i *Injection) take() ([]Fault, bool) {
	i.set.mu.Lock()
	defer i.set.mu.Unlock()
	if i.match.Times > 0 && i.hits >= i.match.Times {
		return nil, false
	}
	if i.matched++; i.matched <= i.match.Skip {
		return nil, false
	}
	faults, hit := i.choose(i.random)
	if hit {
		i.hits++
	}
	return faults, hit
}

// application is an injection that is being applied to a request.
type application struct {
	injection *Injection
	faults    []Fault
	left      atomic.Int32 // faults that have not missed
	missed    func()       // called when all faults have missed
}

type applicationKey struct{}

func newApplication(i *Injection, faults []Fault) *application {
	a := &application{injection: i, faults: faults}
	a.left.Store(int32(len(faults)))
	return a
}

// names returns the names of faults.
func names(faults []Fault) []string {
	return each(faults, Fault.name)
}

// serve serves a request with the faults around next. It calls missed if none could be applied.
// The context of the request ends with ctx, too.
func (a *application) serve(ctx context.Context, w http.ResponseWriter, r *http.Request, next http.Handler, missed func()) {
	a.missed = func() {
		a.injection.set.mu.Lock()
		a.injection.hits--
		a.injection.set.mu.Unlock()
		missed()
	}
	for _, f := range slices.Backward(a.faults) {
		next = f.wrap(next)
	}
	both, cancel := context.WithCancel(context.WithValue(r.Context(), applicationKey{}, a))
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()
	next.ServeHTTP(w, r.WithContext(both))
}

// miss tells the injection of a request that a fault cannot be applied to its response.
func miss(r *http.Request) {
	if a, ok := r.Context().Value(applicationKey{}).(*application); ok && a.left.Add(-1) == 0 {
		a.missed()
	}
}

// Fault is a failure, implemented as HTTP middleware.
//
// Custom faults can be composed with those of this package. The context of the requests they get
// ends when the client cancels the request and when the desk is closed. To close the connection,
// they panic with [http.ErrAbortHandler].
type Fault struct {
	// Name is the name in [Request] and in logs.
	Name string

	// Wrap returns a handler that serves requests with the failure. Calling next handles the
	// request. If Wrap is nil, the request is served as usual.
	Wrap func(next http.Handler) http.Handler

	own bool // of this package, so that Close can wait for it
}

func (f Fault) name() string { return cmp.Or(f.Name, "unnamed") }

func (f Fault) wrap(next http.Handler) http.Handler {
	if f.Wrap == nil {
		return next
	}
	if f.own {
		return f.Wrap(next)
	}
	return foreignHandler{f.Wrap(next)}
}

// AfterHandling applies a fault after the desk has handled the request, in place of its response.
// A fault that changes the response, such as [Truncate] or [Delay], changes the one of the desk.
func AfterHandling(fault Fault) Fault {
	return Fault{own: true, Name: fault.name() + " after handling", Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			res := record(next, r)
			fault.wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { res.send(w) })).ServeHTTP(w, r)
		})
	}}
}

// Status responds with a status and a typical error body, without handling the request. The body
// is empty for a status below 400 and for 429, and a space for 401.
func Status(status int) Fault {
	body := fmt.Sprintf(`{"error":%q}`, http.StatusText(status))
	switch {
	case status < http.StatusBadRequest, status == http.StatusTooManyRequests:
		body = ""
	case status == http.StatusUnauthorized:
		body = " "
	case status == http.StatusBadRequest:
		body = `{"error":"Validation failed"}`
	case status == http.StatusForbidden:
		body = `{"error":"Access denied"}`
	case status == http.StatusNotFound, status == http.StatusInternalServerError:
		body = `{"error":"Sorry. Something seems to have gone wrong."}`
	}
	return named(fmt.Sprintf("status %d", status), Respond(reply(status, "application/json; charset=utf-8", body)))
}

// Respond responds with handler, without handling the request.
func Respond(handler http.Handler) Fault {
	return Fault{Name: "respond", Wrap: func(http.Handler) http.Handler { return handler }}
}

// RateLimited responds with status 429 and a Retry-After header, without handling the request. If
// retryAfter is empty, there is no such header.
func RateLimited(retryAfter string) Fault {
	return named("rate limited", Respond(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.WriteHeader(http.StatusTooManyRequests)
	})))
}

// HTMLPage responds with an HTML page, as proxies do, without handling the request.
func HTMLPage(status int) Fault {
	const page = "<!DOCTYPE html><html><body><h1>One moment please</h1></body></html>"
	return named(fmt.Sprintf("HTML page %d", status), Respond(reply(status, "text/html; charset=utf-8", page)))
}

// Redirect responds with a redirect, without handling the request. If location is empty, it is the
// URL of the request.
func Redirect(status int, location string) Fault {
	return named(fmt.Sprintf("redirect %d", status), Respond(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target := location
		if target == "" {
			target = r.URL.RequestURI()
		}
		w.Header().Set("Location", target)
		w.WriteHeader(status)
	})))
}

// Drop closes the connection without a response, and without handling the request. With
// [AfterHandling], the request is handled. If the connection was used before, an [http.Transport]
// retries a GET request itself.
func Drop() Fault {
	return named("drop", Respond(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })))
}

// DropBody closes the connection in the middle of the response body.
func DropBody() Fault { return bodyFault("drop body", dropBody) }

func dropBody(w http.ResponseWriter, _ *http.Request, res *recording) {
	res.setLength(len(res.body))
	res.body, res.aborted = res.body[:len(res.body)/2], true
	res.send(w)
}

// Delay waits before it handles the request. If the client cancels the request or the desk is
// closed meanwhile, the request is not handled.
func Delay(d time.Duration) Fault {
	return Fault{own: true, Name: "delay " + d.String(), Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			pause(r, d)
			next.ServeHTTP(w, r)
		})
	}}
}

// SlowBody sends the response body in pieces, usually eight, with a pause before each. If the
// client cancels the request or the desk is closed meanwhile, it closes the connection.
func SlowBody(pause time.Duration) Fault {
	return Fault{own: true, Name: "slow body " + pause.String(), Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			slow := &slowWriter{ResponseWriter: w, request: r, pause: pause}
			next.ServeHTTP(slow, r)
			if !slow.wrote {
				miss(r)
			}
		})
	}}
}

// Header sets a header of the response.
func Header(key, value string) Fault {
	return Fault{own: true, Name: "header " + key, Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			setter := &headerWriter{ResponseWriter: w, key: key, value: value}
			next.ServeHTTP(setter, r)
			setter.set()
		})
	}}
}

// Truncate ends the response body in the middle, with a matching Content-Length. A client cannot tell
// that a file is truncated; for one that it can detect, use [DropBody].
func Truncate() Fault { return bodyFault("truncate", truncate) }

func truncate(w http.ResponseWriter, _ *http.Request, res *recording) {
	res.body = res.body[:len(res.body)/2]
	res.setLength(len(res.body))
	res.send(w)
}

// truncateJSON is Truncate for JSON, and DropBody for files.
func truncateJSON() Fault {
	return bodyFault("truncate", func(w http.ResponseWriter, r *http.Request, res *recording) {
		if strings.HasPrefix(res.header.Get("Content-Type"), "application/json") {
			truncate(w, r, res)
		} else {
			dropBody(w, r, res)
		}
	})
}

// Corrupt makes the JSON of the response invalid. The size of the body does not change.
func Corrupt() Fault {
	return bodyFault("corrupt", func(w http.ResponseWriter, _ *http.Request, res *recording) {
		res.body[len(res.body)/2] = 0 // no JSON text has this byte, inside a string or outside
		res.send(w)
	})
}

// EditJSON changes the JSON objects of responses, those of errors too, such as to see what a client does
// with what a server may send in a later version. Change gets an object as [encoding/json] decodes it,
// with numbers as [json.Number]. It may be called concurrently. Other responses stay as they are.
func EditJSON(change func(object map[string]any)) Fault {
	return bodyFault("edit JSON", func(w http.ResponseWriter, r *http.Request, res *recording) {
		var object map[string]any
		decoder := json.NewDecoder(bytes.NewReader(res.body))
		decoder.UseNumber()
		if decoder.Decode(&object) != nil || object == nil {
			miss(r)
			res.send(w)
			return
		}
		foreign(r.Context(), func() { change(object) })
		body, err := json.Marshal(object)
		if err != nil {
			panic(fmt.Errorf("supportbeetest: EditJSON: %w", err))
		}
		res.body = body
		res.setLength(len(body))
		res.send(w)
	})
}

// Pad appends white space to the response body up to the given size, which leaves JSON valid. A
// negative size never ends.
func Pad(size int64) Fault {
	return bodyFault(fmt.Sprintf("pad %d", size), func(w http.ResponseWriter, r *http.Request, res *recording) {
		missing := size - int64(len(res.body))
		switch {
		case size < 0:
			res.header.Del("Content-Length")
		case missing > 0:
			res.header.Set("Content-Length", strconv.FormatInt(size, 10))
		}
		res.send(w)
		space := bytes.Repeat([]byte(" "), 32<<10)
		for missing > 0 || size < 0 {
			if size >= 0 {
				space = space[:min(missing, int64(len(space)))]
			}
			if _, err := w.Write(space); err != nil || r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // a short body must not look like a whole one
			}
			missing -= int64(len(space))
		}
	})
}

func named(name string, fault Fault) Fault {
	fault.Name = name
	return fault
}

// reply returns a handler that sends a body, which may be empty.
func reply(status int, contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if body != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

// bodyFault returns a fault of responses that have a body.
func bodyFault(name string, send func(http.ResponseWriter, *http.Request, *recording)) Fault {
	return Fault{own: true, Name: name, Wrap: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			res := record(next, r)
			if len(res.body) == 0 {
				miss(r)
				res.send(w)
				return
			}
			send(w, r, res)
		})
	}}
}

// pause waits. It closes the connection if the request ends first: a response without a body, or
// with a short one, must not look like a whole one.
func pause(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

// slowWriter sends each write in pieces.
type slowWriter struct {
	http.ResponseWriter
	request *http.Request
	pause   time.Duration
	wrote   bool
}

func (s *slowWriter) Write(p []byte) (int, error) {
	const pieces = 8
	sent := 0
	for i := range pieces {
		end := len(p) * (i + 1) / pieces
		if end == sent {
			continue
		}
		s.wrote = true
		pause(s.request, s.pause)
		n, err := s.ResponseWriter.Write(p[sent:end])
		sent += n
		if err != nil {
			return sent, err
		}
		_ = http.NewResponseController(s.ResponseWriter).Flush()
	}
	return sent, nil
}

func (s *slowWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// headerWriter sets a header when the handler sends its own.
type headerWriter struct {
	http.ResponseWriter
	key, value string
	sent       bool
}

func (h *headerWriter) set() {
	if !h.sent {
		h.sent = true
		h.ResponseWriter.Header().Set(h.key, h.value)
	}
}

func (h *headerWriter) WriteHeader(status int) {
	h.set()
	h.ResponseWriter.WriteHeader(status)
}

func (h *headerWriter) Write(p []byte) (int, error) {
	h.set()
	return h.ResponseWriter.Write(p)
}

func (h *headerWriter) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// recording is a recorded response. It is the [http.ResponseWriter] that records it.
type recording struct {
	header  http.Header
	status  int // 0 if nothing was written
	body    []byte
	room    int  // bytes that may be added to body
	aborted bool // the handler closed the connection
}

// record lets next handle a request and returns the response. The body is not compressed, so that
// what a fault does to it is done to the JSON.
func record(next http.Handler, r *http.Request) (res *recording) {
	res = &recording{header: http.Header{}, room: 2 * maxUpload}
	r = r.Clone(r.Context())
	r.Header.Del("Accept-Encoding")
	defer func() {
		if cause := recover(); cause != nil {
			if !isAbort(cause) {
				panic(cause)
			}
			res.aborted = true
		}
	}()
	next.ServeHTTP(res, r)
	res.WriteHeader(http.StatusOK)
	return res
}

func (r *recording) Header() http.Header { return r.header }

func (r *recording) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// errTooLong ends a body that never would, such as the one of Pad(-1) within [Truncate].
var errTooLong = errors.New("supportbeetest: the response is too long to be recorded")

func (r *recording) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.room -= len(p); r.room < 0 {
		return 0, errTooLong
	}
	r.body = append(r.body, p...)
	return len(p), nil
}

func (r *recording) setLength(n int) { r.header.Set("Content-Length", strconv.Itoa(n)) }

// send writes the response, and ends it as the handler did.
func (r *recording) send(w http.ResponseWriter) {
	if r.status != 0 {
		maps.Copy(w.Header(), r.header)
		w.WriteHeader(r.status)
		_, _ = w.Write(r.body)
	}
	if r.aborted {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// isAbort reports whether a handler panicked in order to close the connection.
func isAbort(cause any) bool {
	err, ok := cause.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}
