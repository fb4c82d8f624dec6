package bench

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Pages is how many pages the list has.
const Pages = 100

// ticket is a ticket of usual size, 2.5 KB.
func ticket(id int) string {
	sizes := make([]string, 0, 6)
	for _, size := range []int{20, 24, 32, 48, 64, 128} {
		sizes = append(sizes, fmt.Sprintf(`"thumb%d":"https://acme.supportbee.com/pictures/users/17/%d.png"`, size, size))
	}
	person := `{"id":17,"email":"ann@example.com","name":"Ann Archer","first_name":"Ann","last_name":"Archer","role":"customer","agent":false,"picture":{` +
		strings.Join(sizes, ",") + `}}`
	text := strings.Repeat("The new kettle leaks, and so did the last one. ", 12)
	return fmt.Sprintf(`{"id":%d,"subject":"The kettle leaks","replies_count":2,"agent_replies_count":1,"comments_count":1,"last_activity_at":"2026-03-01T10:00:00Z",`+
		`"created_at":"2026-03-01T09:00:00Z","unanswered":true,"archived":false,"spam":false,"private":false,"trash":false,"draft":false,"starred":false,`+
		`"summary":"%.100s","source":{"web":"help@acme.example"},"cc":[],"bcc":[],"labels":[{"name":"refund","color":"#FF0000"},{"name":"bug","color":"#00FF00"}],`+
		`"customer_rating":{},"requester":%s,"content":{"html":"<p>%s</p>","text":"%s","truncated":false,"attachments":[]},"current_user_assignee":{"user":%s}}`,
		id, text, person, text, text, person)
}

// Page is a page of n tickets, one of so many pages. A page after the last is empty.
func Page(number, n, pages int) []byte {
	var tickets []string
	if number <= pages {
		for i := range n {
			tickets = append(tickets, ticket((number-1)*n+i+1))
		}
	}
	return fmt.Appendf(nil, `{"total":%d,"current_page":%d,"per_page":%d,"total_pages":%d,"tickets":[%s]}`, n*pages, number, n, pages, strings.Join(tickets, ","))
}

// OneTicket is the response to getting a ticket.
var OneTicket = []byte(`{"ticket":` + ticket(7) + `}`)

// oneReply is the response to creating a reply.
var oneReply = []byte(`{"reply":{"id":41,"created_at":"2026-03-01T10:30:00Z","summary":"On its way","merged":false,"cc":[],"bcc":[],` +
	`"ticket":{"replies_count":3,"agent_replies_count":2,"comments_count":1},"replier":{"id":12,"email":"ben@acme.example","name":"Ben Bauer"},` +
	`"content":{"html":"<p>A new one is on its way.</p>","text":"A new one is on its way.","truncated":false,"attachments":[]}}}`)

var oneAttachment = []byte(`{"id":31,"created_at":"2026-03-01T10:00:01Z","filename":"a.bin","content_type":"application/octet-stream","url":{"original":"https://acme.supportbee.com/attachments/31"}}`)

// What the path of a client's base URL begins with, where the server is to respond differently.
const (
	Slow   = "/slow" // lists take 5 ms
	Zipped = "/gzip" // lists are compressed for clients that ask for it
)

// Server is the loopback server that all contestants talk to.
type Server struct {
	*httptest.Server
	Connections atomic.Int64 // opened so far
	Uploaded    atomic.Int64 // bytes of the last upload's body
	Length      atomic.Int64 // its Content-Length

	pages  [][]byte
	zipped [][]byte
}

// NewServer starts a server.
func NewServer() *Server {
	s := &Server{}
	for number := range Pages + 1 {
		page := Page(number+1, 100, Pages)
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, _ = w.Write(page)
		_ = w.Close()
		s.pages, s.zipped = append(s.pages, page), append(s.zipped, zipped.Bytes())
	}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.Connections.Add(1)
		}
	}
	s.Start()
	return s
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("X-Request-Id", "the-request")
	path, slow := strings.CutPrefix(r.URL.Path, Slow)
	path, zipped := strings.CutPrefix(path, Zipped)
	switch {
	case r.Method == http.MethodPost && path == "/attachments":
		n, _ := io.Copy(io.Discard, r.Body)
		s.Uploaded.Store(n)
		s.Length.Store(r.ContentLength)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(oneAttachment)
	case r.Method == http.MethodPost:
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write(oneReply)
	case path == "/tickets":
		number, _ := strconv.Atoi(r.URL.Query().Get("page"))
		number = min(max(number, 1), Pages+1) - 1
		page := s.pages[number]
		if zipped && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			header.Set("Content-Encoding", "gzip")
			page = s.zipped[number]
		}
		if slow {
			if err := sleep(5 * time.Millisecond); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		header.Set("Content-Length", strconv.Itoa(len(page)))
		_, _ = w.Write(page)
	default:
		header.Set("Content-Length", strconv.Itoa(len(OneTicket)))
		_, _ = w.Write(OneTicket)
	}
}

// Canned responds without a network: what is left is the client's own cost.
type Canned struct{ Pages int }

// RoundTrip responds as the server does.
func (c Canned) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = req.Body.Close()
	}
	status, body := http.StatusOK, OneTicket
	switch {
	case req.Method == http.MethodPost:
		status, body = http.StatusCreated, oneReply
	case req.URL.Path == "/tickets":
		body = cannedPage
	}
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}, "X-Request-Id": {"the-request"}},
	}, nil
}

var cannedPage = Page(1, 100, Pages)
