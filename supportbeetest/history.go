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

// maxRequestBody is how much of a request's body the history keeps, in bytes.
const maxRequestBody = 64 << 10

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

// Requests returns the recorded requests, oldest first: those of the given operations, such as
// "Tickets.Get", or all if none is given. [WithHistoryLimit] limits how many are recorded. A download
// is two requests, "Attachments.Download" and "Attachments.Storage".
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
	return recorded(s.history, func(r *Request) (Request, bool) { return *r, len(ops) == 0 || slices.Contains(ops, r.Op) })
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
// first, as far as they are recorded. A recipient gets one mail of a message. The Add methods of the
// desk send no mail.
func (s *Desk) Outbox() []Mail {
	return recorded(s.history, func(m Mail) (Mail, bool) { return m, true })
}

// mailReply sends a reply to the requester and to those who get copies.
func (s *Desk) mailReply(t *ticket, p *post) {
	m := Mail{
		Subject: "Re: " + t.Subject, Text: p.Content.Text, HTML: p.Content.html(),
		TicketID: supportbee.TicketID(t.ID), ReplyID: supportbee.ReplyID(p.ID), Time: p.CreatedAt.time(),
	}
	s.send(m, MailReply, t.Requester, p.Copies.cc(), p.Copies.bcc())
}

// mailTicket sends a new ticket to the requester and to those who get copies, or the
// auto-response to the requester alone.
func (s *Desk) mailTicket(t *ticket, notify bool) {
	m := Mail{Subject: t.Subject, Text: t.Content.Text, HTML: t.Content.html(), TicketID: supportbee.TicketID(t.ID), Time: t.CreatedAt.time()}
	if notify {
		s.send(m, MailNotify, t.Requester, t.rare().Copies.cc(), t.rare().Copies.bcc())
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
			s.history.add(m)
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

// history keeps the requests, the deliveries and the mails, oldest first, as far as they fit into
// its limit.
type history struct {
	limit   int64 // bytes
	clock   *Clock
	changes *changes

	mu      sync.Mutex
	size    int64
	entries []*entry
	added   int64 // also what has been removed
	dropped int64 // what did not fit
}

// entry is an entry of the history: a *Request, a Delivery or a Mail.
type entry struct {
	value   any
	number  int64 // in the order of adding
	at      time.Time
	size    int64
	removed bool
}

func (h *history) add(value any) *entry {
	defer h.changes.notify()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.added++
	e := &entry{value: value, number: h.added, at: h.clock.Now(), size: sizeOf(value)}
	h.entries = append(h.entries, e)
	h.grow(e.size)
	return e
}

// update calls change, which may change what the value of an entry points to.
func (h *history) update(e *entry, change func()) {
	defer h.changes.notify()
	h.mu.Lock()
	defer h.mu.Unlock()
	change()
	if !e.removed {
		before := e.size
		e.size = sizeOf(e.value)
		h.grow(e.size - before)
	}
}

// grow is called with the mutex locked.
func (h *history) grow(n int64) {
	h.size += n
	for h.size > h.limit && len(h.entries) > 0 {
		oldest := h.entries[0]
		h.size -= oldest.size
		oldest.removed, oldest.value = true, nil
		h.dropped++
		h.entries[0] = nil
		h.entries = h.entries[1:]
	}
}

func (h *history) reset() {
	defer h.changes.notify()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entries {
		e.removed = true
	}
	h.size, h.entries, h.dropped = 0, nil, 0
}

// lost returns how many entries since the last reset did not fit.
func (h *history) lost() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dropped
}

// recorded returns what convert makes of the values of a type for which it returns true.
func recorded[T, R any](h *history, convert func(T) (R, bool)) (list []R) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entries {
		if value, fits := e.value.(T); fits {
			if result, keep := convert(value); keep {
				list = append(list, result)
			}
		}
	}
	return list
}

// backward calls f with the values of a type, newest first, until it returns false.
func backward[T any](h *history, f func(T, *entry) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range slices.Backward(h.entries) {
		if value, fits := e.value.(T); fits && !f(value, e) {
			return
		}
	}
}

// sizeOf returns about how many bytes of memory a value of the history takes.
func sizeOf(value any) int64 {
	n := 0
	switch v := value.(type) {
	case *Request:
		n = 600 + len(v.Body) + len(v.Path) + len(v.Fault)
		for _, values := range []map[string][]string{v.Query, v.Header} {
			for name, list := range values {
				n += 50 + len(name)
				for _, text := range list {
					n += 16 + len(text)
				}
			}
		}
	case Delivery:
		n = 200 + len(v.URL) + len(v.Body)
	case Mail:
		n = 250 + len(v.To) + len(v.Subject) + len(v.Text) + len(v.HTML)
	}
	return int64(n)
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
