package supportbeetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Cut says where a [Fault] cuts the connection.
type Cut int

// The places to cut a connection.
const (
	NoCut          Cut = iota
	BeforeHandling     // the desk never sees the request; the client cannot know that
	AfterHandling      // the desk has done what was asked, and no answer comes
	MidBody            // the answer breaks off in the middle of its body
)

// Fault is something that goes wrong with requests. [Desk.Inject] arms it.
//
// The first group of fields selects requests, the second says what happens; fields of the second
// combine where that makes sense. Without any of the second the request is served as usual.
type Fault struct {
	// The SDK's name of the operation, such as "Tickets.Create"; empty for any. A download is two
	// requests: "Attachments.Download" is redirected to "Attachments.Storage", which has the file.
	Op string

	Method      string  // the HTTP method; empty for any
	Route       string  // the route, such as "/tickets/{id}"; empty for any
	Skip        int     // lets so many matching requests pass first
	Times       int     // hits so many requests; 0 for every one
	Probability float64 // hits a matching request with this probability; 0 for surely
	Seed        uint64  // of the probability: the same seed hits the same requests

	Delay  time.Duration // waits before anything else
	Cut    Cut           // cuts the connection
	Handle bool          // lets the desk handle the request although the answer is replaced

	Status     int         // replaces the answer by this status, with Body
	Body       string      // the body of a replaced answer
	Header     http.Header // added to the answer
	RetryAfter string      // the Retry-After header: seconds or an HTTP date; means 429 without Status
	HTML       bool        // replaces the answer by a proxy's HTML page, with status 200 unless set

	RedirectTo   string // replaces the answer by a redirect, 302 unless Status is set
	RedirectLoop bool   // redirects the request to itself, 307 unless Status is set

	ContentType string        // the answer's Content-Type
	Truncate    bool          // ends the JSON half-way; the response itself is whole
	Corrupt     bool          // makes the JSON invalid
	SlowBody    time.Duration // sends the body in eight pieces with this pause before each
	Oversize    int64         // pads the body with white space to so many bytes; it stays valid JSON
	Endless     bool          // sends white space behind the body until the client goes away
}

// Inject arms a fault. Of several that fit a request, the first one armed hits it.
func (s *Desk) Inject(f Fault) *Injection { return s.faults.inject(f) }

// Injection is a fault that is armed.
type Injection struct {
	set     *faultSet
	fault   Fault
	random  *rand.Rand
	matched int
	hits    int
	removed bool
}

// Hits returns how many requests the fault has hit.
func (i *Injection) Hits() int {
	i.set.mu.Lock()
	defer i.set.mu.Unlock()
	return i.hits
}

// Remove disarms the fault.
func (i *Injection) Remove() {
	i.set.mu.Lock()
	defer i.set.mu.Unlock()
	i.removed = true
}

// faultSet holds the faults of a desk. The first one that hits a request is the one it gets.
type faultSet struct {
	mu    sync.Mutex
	armed []*Injection
}

func (s *faultSet) inject(f Fault) *Injection {
	s.mu.Lock()
	defer s.mu.Unlock()
	injection := &Injection{set: s, fault: f, random: rand.New(rand.NewPCG(f.Seed, f.Seed))}
	s.armed = append(s.armed, injection)
	return injection
}

// reset removes all faults.
func (s *faultSet) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.armed = nil
}

// pick returns the fault that hits the request, if any.
func (s *faultSet) pick(op, method, route string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.armed {
		f := i.fault
		if i.removed || f.Times > 0 && i.hits >= f.Times ||
			f.Op != "" && f.Op != op || f.Method != "" && f.Method != method || f.Route != "" && f.Route != route {
			continue
		}
		if i.matched++; i.matched <= f.Skip || f.Probability > 0 && i.random.Float64() >= f.Probability {
			continue
		}
		i.hits++
		return f, true
	}
	return Fault{}, false
}

// serve answers a request as the fault has it; handle is what the desk would do.
func (f Fault) serve(w http.ResponseWriter, r *http.Request, handle http.HandlerFunc) {
	if !pause(r, f.Delay) {
		return
	}
	if f.Cut == BeforeHandling {
		panic(http.ErrAbortHandler)
	}
	answer := f.replacement(r)
	if answer == nil || f.Handle || f.Cut == AfterHandling {
		handled := &recorder{header: http.Header{}}
		plain := r.Clone(r.Context())
		plain.Header.Del("Accept-Encoding") // what is done to the body is done to the JSON
		handle(handled, plain)
		if answer == nil {
			answer = handled
		}
	}
	if f.Cut == AfterHandling {
		panic(http.ErrAbortHandler)
	}
	for name, values := range f.Header {
		answer.header[http.CanonicalHeaderKey(name)] = values
	}
	if f.RetryAfter != "" {
		answer.header.Set("Retry-After", f.RetryAfter)
	}
	if f.ContentType != "" {
		answer.header.Set("Content-Type", f.ContentType)
	}
	f.send(w, r, answer)
}

// replacement is the answer in place of the desk's, nil if the desk answers.
func (f Fault) replacement(r *http.Request) *recorder {
	answer := &recorder{header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, status: f.Status}
	otherwise := func(status int) {
		if answer.status == 0 {
			answer.status = status
		}
	}
	switch {
	case f.RedirectTo != "":
		otherwise(http.StatusFound)
		answer.header.Set("Location", f.RedirectTo)
	case f.RedirectLoop:
		otherwise(http.StatusTemporaryRedirect)
		answer.header.Set("Location", r.URL.RequestURI())
	case f.HTML:
		otherwise(http.StatusOK)
		answer.header.Set("Content-Type", "text/html; charset=utf-8")
		answer.body.WriteString("<!DOCTYPE html><html><body><h1>One moment please</h1></body></html>")
	case f.RetryAfter != "":
		otherwise(http.StatusTooManyRequests)
		answer.body.WriteString(f.Body)
	case f.Status != 0:
		answer.body.WriteString(f.Body)
	default:
		return nil
	}
	return answer
}

// send writes the answer with what the fault does to its body.
func (f Fault) send(w http.ResponseWriter, r *http.Request, answer *recorder) {
	body := answer.body.Bytes()
	if f.Corrupt {
		body = []byte(strings.Replace(string(body), ":", ";", 1))
	}
	if f.Truncate {
		body = body[:len(body)/2]
	}
	if pad := f.Oversize - int64(len(body)); pad > 0 {
		body = append(bytes.Clone(body), bytes.Repeat([]byte(" "), int(pad))...)
	}
	header := w.Header()
	maps.Copy(header, answer.header)
	header.Del("Content-Length")
	if len(body) > 0 && !f.Endless {
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(max(answer.status, http.StatusOK))
	if f.Cut == MidBody {
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	if f.SlowBody > 0 {
		const pieces = 8
		for i := range pieces {
			if !pause(r, f.SlowBody) {
				panic(http.ErrAbortHandler) // the client is gone; a short body must not look whole
			}
			_, _ = w.Write(body[len(body)*i/pieces : len(body)*(i+1)/pieces])
			_ = http.NewResponseController(w).Flush()
		}
		return
	}
	_, _ = w.Write(body)
	if f.Endless {
		space := bytes.Repeat([]byte(" "), 32<<10)
		for r.Context().Err() == nil {
			if _, err := w.Write(space); err != nil {
				return
			}
		}
	}
}

// pause waits, and reports whether the client is still there afterwards.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return r.Context().Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// isAbort reports whether a handler has panicked in order to close the connection.
func isAbort(cause any) bool {
	err, isError := cause.(error)
	return isError && errors.Is(err, http.ErrAbortHandler)
}

// recorder is a [http.ResponseWriter] that keeps the answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

// Chaos returns faults that together hit about the given share of all requests, from 0 to 1:
// failing gateways, rate limits, cut connections, broken answers and delays. The same seed gives
// the same faults for the same requests.
func Chaos(share float64, seed uint64) []Fault {
	faults := []Fault{
		{Status: http.StatusBadGateway, HTML: true},
		{Status: http.StatusServiceUnavailable, RetryAfter: "1"},
		{RetryAfter: "1"},
		{Status: http.StatusInternalServerError, Body: `{"error":"Sorry. Something seems to have gone wrong."}`},
		{Cut: BeforeHandling},
		{Cut: AfterHandling},
		{Cut: MidBody},
		{Truncate: true},
		{Delay: 2 * time.Second},
	}
	// Each is asked only about what the ones before it left: equal shares need rising odds.
	for i := range faults {
		faults[i].Seed = seed + uint64(i)
		faults[i].Probability = share / float64(len(faults)) / (1 - share*float64(i)/float64(len(faults)))
	}
	return faults
}

// String names the fault in a log line.
func (f Fault) String() string {
	switch {
	case f.Cut != NoCut:
		return "cut " + [...]string{"", "before handling", "after handling", "in mid-body"}[f.Cut]
	case f.RedirectTo != "" || f.RedirectLoop:
		return "redirect"
	case f.Status != 0 || f.RetryAfter != "" || f.HTML:
		return fmt.Sprintf("status %d", f.replacement(&http.Request{}).status)
	case f.Truncate:
		return "truncated"
	case f.Corrupt:
		return "corrupt"
	case f.Oversize > 0 || f.Endless:
		return "oversized"
	case f.SlowBody > 0:
		return "slow body"
	case f.Delay > 0:
		return "delay " + f.Delay.String()
	case f.ContentType != "":
		return "content type " + f.ContentType
	}
	return "header"
}
