package supportbeetest

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	maxRequests    = 10_000
	maxRequestBody = 64 << 10
)

// Request is a request that the desk got, as [Desk.Requests] lists it.
type Request struct {
	Op     string      // the SDK's name of the operation, such as "Tickets.Get"; empty for none of the API's
	Method string      // "GET"
	Route  string      // "/tickets/{id}"; empty for none of the API's
	Path   string      // "/tickets/7"
	Query  url.Values  // as sent
	Header http.Header // as sent; credentials are masked
	Body   []byte      // as read by the desk, at most 64 KiB
	Status int         // of the answer; 0 if the connection was cut before there was one
	Fault  string      // the injected fault that hit it; empty for none
	Time   time.Time   // when it came, by the desk's clock
	Took   time.Duration
}

// requestLog keeps the last requests.
type requestLog struct {
	mu   sync.Mutex
	kept []*Request // a ring once it is full
	next int        // where the ring goes on
}

func (l *requestLog) add(r *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) < maxRequests {
		l.kept = append(l.kept, r)
		return
	}
	l.kept[l.next] = r
	l.next = (l.next + 1) % maxRequests
}

// note changes an entry that others may be reading.
func (l *requestLog) note(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// all returns the requests, oldest first.
func (l *requestLog) all() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Request, 0, len(l.kept))
	for i := range l.kept {
		list = append(list, *l.kept[(l.next+i)%len(l.kept)])
	}
	return list
}

func (l *requestLog) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept, l.next = nil, 0
}

// masked is the header without credentials.
func masked(header http.Header) http.Header {
	header = header.Clone()
	for _, name := range []string{"Authorization", "Cookie"} {
		if _, sent := header[name]; sent {
			header.Set(name, "[redacted]")
		}
	}
	return header
}

// maskedQuery is the query without the token that the older way puts there.
func maskedQuery(query url.Values) url.Values {
	if query.Has("auth_token") {
		query.Set("auth_token", "[redacted]")
	}
	return query
}

// bodyLog keeps the beginning of a body that is read through it.
type bodyLog struct {
	io.ReadCloser
	kept []byte
}

func (b *bodyLog) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if room := min(n, maxRequestBody-len(b.kept)); room > 0 {
		b.kept = append(b.kept, p[:room]...)
	}
	return n, err
}

// statusLog tells the status of an answer before it is sent, so that a client that has the answer
// finds its request in the log.
type statusLog struct {
	http.ResponseWriter
	status int // 0 until it is told
	note   func(status int)
}

func (s *statusLog) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
		s.note(status)
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusLog) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.WriteHeader(http.StatusOK)
	}
	return s.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (s *statusLog) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Requests returns the last 10,000 requests, oldest first. Credentials are masked.
func (s *Desk) Requests() []Request { return s.requests.all() }

// ResetRequests forgets the requests so far.
func (s *Desk) ResetRequests() { s.requests.reset() }
