package supportbeetest

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/supportbee-go/supportbee"
)

// pageLength is the number of tickets on a page, and of requests.
const pageLength = 50

//go:embed page.html
var pageHTML string

var pages = template.Must(template.New("page").Funcs(template.FuncMap{
	"when": func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"who":  func(p supportbee.Person) string { return cmp.Or(p.Name, p.Email) },
}).Parse(pageHTML))

// page serves a page that shows a desk. It reads the desk's state without requests, so that the
// history has only those of the API.
type page struct{ desk *Desk }

// view is what the template shows.
type view struct {
	URL      string
	Tickets  []*supportbee.Ticket
	Total    int
	Page     int
	Newer    int // previous page; 0 if there is none
	Older    int // next page; 0 if there is none
	Ticket   *supportbee.Ticket
	Messages []message
	Requests []Request
}

// message is one entry of a conversation.
type message struct {
	Kind        string // "ticket", "customer", "agent" or "comment"
	From        supportbee.Person
	At          time.Time
	Text        string
	Attachments []supportbee.Attachment
}

func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	desk := p.desk
	data := view{URL: desk.URL, Requests: lastRequests(desk)}
	if id := r.URL.Query().Get("ticket"); id != "" {
		n, _ := strconv.ParseInt(id, 10, 64) // 0 is no ticket's ID
		ticket := desk.Ticket(supportbee.TicketID(n))
		if ticket == nil {
			http.NotFound(w, r)
			return
		}
		data.Ticket, data.Messages = ticket, conversation(desk, ticket)
	} else {
		data.Page, _ = strconv.Atoi(r.URL.Query().Get("page"))
		data.Page = max(data.Page, 1)
		data.fill(desk.Tickets())
	}
	var body bytes.Buffer
	if err := pages.Execute(&body, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(body.Bytes())
}

// fill sets the tickets of the page, the last active ones first.
func (v *view) fill(tickets []*supportbee.Ticket) {
	slices.SortFunc(tickets, func(a, b *supportbee.Ticket) int {
		return cmp.Or(b.LastActivityAt.Compare(a.LastActivityAt), cmp.Compare(b.ID, a.ID))
	})
	v.Total = len(tickets)
	first := min((v.Page-1)*pageLength, v.Total)
	last := min(first+pageLength, v.Total)
	v.Tickets = tickets[first:last]
	if v.Page > 1 {
		v.Newer = v.Page - 1
	}
	if last < v.Total {
		v.Older = v.Page + 1
	}
}

func conversation(desk *Desk, ticket *supportbee.Ticket) []message {
	list := []message{{"ticket", ticket.Requester, ticket.CreatedAt, ticket.Content.Text, ticket.Content.Attachments}}
	for _, reply := range desk.Replies(ticket.ID) {
		kind := "customer"
		if reply.Replier.Agent {
			kind = "agent"
		}
		list = append(list, message{kind, reply.Replier, reply.CreatedAt, reply.Content.Text, reply.Content.Attachments})
	}
	for _, comment := range desk.Comments(ticket.ID) {
		list = append(list, message{"comment", comment.Commenter, comment.CreatedAt, comment.Content.Text, comment.Content.Attachments})
	}
	slices.SortStableFunc(list, func(a, b message) int { return a.At.Compare(b.At) })
	return list
}

// lastRequests returns the last API requests, newest first.
func lastRequests(desk *Desk) []Request {
	all := desk.Requests()
	all = all[max(0, len(all)-pageLength):]
	slices.Reverse(all)
	return all
}
