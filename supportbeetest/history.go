package supportbeetest

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/supportbee-go/supportbee"
)

const (
	maxHistory     = 10_000 // requests, mails and deliveries, of each
	maxRequestBody = 64 << 10
)

// Request is a request that the desk received. See [Desk.Requests].
type Request struct {
	Op       string // such as "Tickets.Get"; empty if it is not of the API
	Method   string // such as "GET"
	Route    string // such as "/tickets/{id}"; empty if it is not of the API
	Path     string // such as "/tickets/7"
	Query    url.Values
	Header   http.Header // with credentials masked
	Body     []byte      // what the desk has read of it, at most 64 KiB
	Status   int         // of the response; 0 if there was none
	Fault    string      // the faults that were injected; empty if none
	Time     time.Time   // when it was received, by the desk's clock
	Duration time.Duration
}

// Requests returns the last 10,000 requests, oldest first: those of the given operations, such as
// "Tickets.Get", or all if none is given. A download is two requests, "Attachments.Download" and
// "Attachments.Storage".
//
// If one of ops is not an operation of the API, Requests fails the test that the desk was made for,
// or panics if there is none.
func (s *Desk) Requests(ops ...string) []Request {
	if s.tb != nil {
		s.tb.Helper()
	}
	for _, op := range ops {
		s.checkOperation("Requests", op)
	}
	var list []Request
	s.requests.each(func(r *Request) {
		if len(ops) == 0 || slices.Contains(ops, r.Op) {
			list = append(list, *r)
		}
	})
	return list
}

// Mail is a mail to one recipient. See [Desk.Outbox].
type Mail struct {
	To       string              `json:"to"` // an e-mail address
	Reason   MailReason          `json:"reason"`
	Subject  string              `json:"subject"`
	Text     string              `json:"text"`
	HTML     string              `json:"html"`
	TicketID supportbee.TicketID `json:"ticket_id"`
	ReplyID  supportbee.ReplyID  `json:"reply_id,omitzero"` // 0 if it is not a reply
	Time     time.Time           `json:"time"`              // by the desk's clock
}

// MailReason is the reason for a mail.
type MailReason string

// The reasons for a mail.
const (
	MailReply        MailReason = "reply"         // a reply, to the requester of the ticket
	MailNotify       MailReason = "notify"        // a new ticket, to its requester, who is to be notified
	MailCC           MailReason = "cc"            // a copy of either
	MailBCC          MailReason = "bcc"           // a blind copy of either
	MailAutoResponse MailReason = "auto-response" // to the requester of a new ticket, who is not to be notified
)

// Outbox returns the mails that the service would have sent for the API requests so far, oldest
// first, at most the last 10,000. A recipient gets one mail of a message. The Add methods of the
// desk send no mail.
func (s *Desk) Outbox() []Mail {
	var list []Mail
	s.mails.each(func(m Mail) { list = append(list, m) })
	return list
}

// mailReply sends a reply to the requester and to those who get copies.
func (s *Desk) mailReply(t *ticket, p *post) {
	m := Mail{
		Subject: "Re: " + t.Subject, Text: p.Content.Text, HTML: p.Content.HTML,
		TicketID: supportbee.TicketID(t.ID), ReplyID: supportbee.ReplyID(p.ID), Time: p.CreatedAt,
	}
	s.send(m, MailReply, t.Requester, p.CC, p.BCC)
}

// mailTicket sends a new ticket to the requester and to those who get copies, or the
// auto-response to the requester alone.
func (s *Desk) mailTicket(t *ticket, notify bool) {
	m := Mail{Subject: t.Subject, Text: t.Content.Text, HTML: t.Content.HTML, TicketID: supportbee.TicketID(t.ID), Time: t.CreatedAt}
	if notify {
		s.send(m, MailNotify, t.Requester, t.CC, t.BCC)
		return
	}
	const text = "We have received your message and will reply soon."
	m.Subject, m.Text, m.HTML = "Re: "+t.Subject, text, text
	s.send(m, MailAutoResponse, t.Requester, nil, nil)
}

// send records a mail to each recipient. Customer groups have no address and get none.
func (s *Desk) send(m Mail, reason MailReason, to int64, cc, bcc []int64) {
	sent := map[int64]bool{}
	one := func(reason MailReason, id int64) {
		if address := s.state.Users[id].Email; address != "" && !sent[id] {
			sent[id] = true
			m.To, m.Reason = address, reason
			s.mails.add(m)
		}
	}
	one(reason, to)
	for _, id := range cc {
		one(MailCC, id)
	}
	for _, id := range bcc {
		one(MailBCC, id)
	}
}

// ring keeps the last values that were added.
type ring[T any] struct {
	changes *changes // nil if nobody can wait for them
	clock   *Clock   // nil if the times do not matter

	mu    sync.Mutex
	kept  []numbered[T]
	next  int   // index of the oldest value, once the ring is full
	added int64 // also before a reset
}

// numbered is a value with the time at which it was added and the number of values added so far.
type numbered[T any] struct {
	value  T
	number int64
	at     time.Time
}

func (r *ring[T]) add(value T) {
	defer r.changes.notify()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.added++
	added := numbered[T]{value: value, number: r.added}
	if r.clock != nil {
		added.at = r.clock.Now()
	}
	if len(r.kept) < maxHistory {
		r.kept = append(r.kept, added)
		return
	}
	r.kept[r.next] = added
	r.next = (r.next + 1) % maxHistory
}

// update calls change, which may change what a kept value points to.
func (r *ring[T]) update(change func()) {
	defer r.changes.notify()
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

// each calls f with the values, oldest first.
func (r *ring[T]) each(f func(T)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.kept {
		f(r.kept[(r.next+i)%len(r.kept)].value)
	}
}

// backward calls f with the values, newest first, until it returns false.
func (r *ring[T]) backward(f func(numbered[T]) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.kept {
		if !f(r.kept[(r.next+len(r.kept)-1-i)%len(r.kept)]) {
			return
		}
	}
}

func (r *ring[T]) reset() {
	defer r.changes.notify()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept, r.next = nil, 0
}

// masked returns a copy of header without credentials.
func masked(header http.Header) http.Header {
	header = header.Clone()
	for _, name := range []string{"Authorization", "Cookie"} {
		if _, sent := header[name]; sent {
			header.Set(name, "[redacted]")
		}
	}
	return header
}

// maskedQuery masks the token in a query.
func maskedQuery(query url.Values) url.Values {
	if query.Has("auth_token") {
		query.Set("auth_token", "[redacted]")
	}
	return query
}

// bodyLog keeps the beginning of a body while it is read.
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

// statusLog reports the status of a response before it is sent, so that the history is complete
// when the client has the response. It sets the Date header.
type statusLog struct {
	http.ResponseWriter
	status int // 0 until the header is written
	clock  *Clock
	note   func(status int)
}

func (s *statusLog) WriteHeader(status int) {
	if s.status == 0 {
		s.status = status
		s.note(status)
		if header := s.Header(); header.Get("Date") == "" {
			header.Set("Date", s.clock.Now().UTC().Format(http.TimeFormat))
		}
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *statusLog) Write(p []byte) (int, error) {
	if s.status == 0 {
		s.WriteHeader(http.StatusOK)
	}
	return s.ResponseWriter.Write(p)
}

// Unwrap returns the underlying writer, for [http.ResponseController].
func (s *statusLog) Unwrap() http.ResponseWriter { return s.ResponseWriter }
