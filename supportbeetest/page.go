package supportbeetest

import (
	"bytes"
	"cmp"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/supportbee-go/supportbee"
)

// What the page shows at most, so that it stays small whatever the desk has.
const (
	pageLength  = 30 // tickets, requests
	maxEntries  = 500
	maxWebhooks = 100
	maxMails    = 100
	maxShown    = 16 << 10 // bytes of a text
	maxBodyPart = 8 << 10  // bytes of a request's body
)

// eventPause is the shortest time between two events, since each makes the page load again.
const eventPause = 250 * time.Millisecond

//go:embed page.html
var pageHTML string

var pages = template.Must(template.New("page").Funcs(template.FuncMap{
	"when":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"clock": func(t time.Time) string { return t.UTC().Format("15:04:05") },
	"count": func(n int, one, more string) string {
		if n == 1 {
			return "1 " + one
		}
		return strconv.Itoa(n) + " " + more
	},
	"who": who,
	"address": func(p supportbee.Person) string {
		if p.Name == "" {
			return p.Email
		}
		return p.Name + " <" + p.Email + ">"
	},
	"cut": func(text string) string { return cutAt(text, maxShown) },
}).Parse(pageHTML))

func who(p supportbee.Person) string { return cmp.Or(p.Name, p.Email) }

// cutAt returns the beginning of a text that is too long to be shown.
func cutAt(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + fmt.Sprintf("… (%d bytes more)", len(text)-most)
}

// page serves a page that shows a desk: its last requests, its tickets, and one of them. It reads the
// state without requests, so that the history has only those of the API. The page loads itself again
// after each event, and replaces what is not the same.
type page struct{ desk *Desk }

// view is what the template shows.
type view struct {
	URL       string
	Nonce     string // of the style and the script
	Shown     string // the view on a narrow screen: "requests", "tickets" or "ticket"
	Query     url.Values
	Requests  []requestView
	Filters   []filterView
	Filtered  bool
	Problem   string // why there are no tickets
	Tickets   []*supportbee.Ticket
	Total     int
	Newer     int // previous page; 0 if there is none
	Older     int // next page; 0 if there is none
	TicketID  string
	Ticket    *supportbee.Ticket // nil if there is none
	Submitter string             // of the ticket, unless it is the requester
	Entries   []entryView
	Left      int // entries that are not shown
}

// With returns the address of the page with another value in its query.
func (v view) With(name, value any, shown string) string {
	query := maps.Clone(v.Query)
	query.Del("page")
	query.Set("view", shown)
	query.Set(fmt.Sprint(name), fmt.Sprint(value))
	return "?" + query.Encode()
}

// tabView is a view that narrow screens show alone.
type tabView struct{ Name, Title string }

// Tabs returns the views.
func (v view) Tabs() []tabView {
	ticket := "Ticket"
	if v.Ticket != nil {
		ticket += " #" + itoa(int64(v.Ticket.ID))
	}
	return []tabView{{"requests", "Requests"}, {"tickets", "Tickets"}, {"ticket", ticket}}
}

// Show returns the address of the page with another view on a narrow screen.
func (v view) Show(shown string) string {
	if v.Query.Has("page") {
		return v.With("page", v.Query.Get("page"), shown)
	}
	return v.With("view", shown, shown)
}

type requestView struct {
	Request
	Number  int64
	Command string // for a shell
	Text    string // of the body
}

// State is the status of the response, or why there is none.
func (r requestView) State() string {
	switch {
	case r.Status != 0:
		return strconv.Itoa(r.Status)
	case r.Duration != 0:
		return "cut"
	default:
		return "…"
	}
}

func (r requestView) Bad() bool { return r.Status >= 400 || r.Status == 0 && r.Duration != 0 }

// Took is the duration, rounded so that it is short.
func (r requestView) Took() string {
	switch {
	case r.Duration == 0:
		return ""
	case r.Duration < time.Millisecond:
		return r.Duration.Round(time.Microsecond).String()
	default:
		return r.Duration.Round(100 * time.Microsecond).String()
	}
}

// filterView is a parameter of a list of tickets.
type filterView struct {
	Name, Label, Value, Hint string
	Options                  []optionView // none for a text
}

type optionView struct{ Value, Label string }

// entryView is an entry of what happened to a ticket.
type entryView struct {
	ID    string
	Kind  string // also the class: "customer", "agent", "comment", "draft", "audit", "webhook" or "mail"
	Who   string
	Role  string // what Who is; empty if that is obvious
	At    time.Time
	Title string
	Text  string
	HTML  template.HTMLAttr // of a frame that shows the HTML; empty if it says what Text says
	CC    []supportbee.Person
	BCC   []supportbee.Person
	Files []fileView
	Bad   bool
}

type fileView struct {
	supportbee.Attachment
	Size int
}

func (p page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for name, values := range query { // a form sends its empty fields
		if query[name] = slices.DeleteFunc(values, func(value string) bool { return value == "" }); len(query[name]) == 0 {
			delete(query, name)
		}
	}
	v := view{
		URL: p.desk.baseFor(r), Nonce: rand.Text(), Shown: query.Get("view"), Query: query, TicketID: query.Get("ticket"),
	}
	if v.Shown != "tickets" && v.Shown != "ticket" {
		v.Shown = "requests"
	}
	p.fillRequests(&v)
	p.fillTickets(&v, r)
	status := http.StatusOK
	if p.fillTicket(&v); v.TicketID != "" && v.Ticket == nil {
		status = http.StatusNotFound
	}
	var body bytes.Buffer
	if err := pages.Execute(&body, v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+v.Nonce+"'; script-src 'nonce-"+v.Nonce+
		"'; img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// events sends a server-sent event at once and after each change, until the client leaves or the
// desk is closed.
func (p page) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	client := http.NewResponseController(w)
	for {
		next := p.desk.changes.next() // before the event, so that no change is missed
		if _, err := io.WriteString(w, "data: changed\n\n"); err != nil || client.Flush() != nil {
			return
		}
		select {
		case <-next:
		case <-r.Context().Done():
			return
		case <-p.desk.lifetime.ctx.Done():
			return
		}
		select {
		case <-time.After(eventPause):
		case <-r.Context().Done():
			return
		case <-p.desk.lifetime.ctx.Done():
			return
		}
	}
}

// fillRequests sets the last requests, newest first.
func (p page) fillRequests(v *view) {
	backward(p.desk.history, func(r *Request, kept *entry) bool {
		v.Requests = append(v.Requests, requestView{Request: *r, Number: kept.number})
		return len(v.Requests) < pageLength
	})
	for i := range v.Requests {
		r := &v.Requests[i]
		r.Command, r.Text = command(v.URL, r.Request), bodyText(r.Body)
	}
}

// bodyText returns a body as it is shown.
func bodyText(body []byte) string {
	if !isText(body) {
		return fmt.Sprintf("(%d bytes that are not text)", len(body))
	}
	var indented bytes.Buffer
	if len(body) <= maxBodyPart && json.Indent(&indented, body, "", "  ") == nil {
		body = indented.Bytes()
	}
	return cutAt(string(body), maxBodyPart)
}

func isText(body []byte) bool { return utf8.Valid(body) && !bytes.ContainsRune(body, 0) }

// command returns a command for a shell that sends a request again. The token is in the variable
// TOKEN, since the history does not have it.
func command(base string, r Request) string {
	quote := func(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
	method := r.Method
	if strings.ContainsFunc(method, func(c rune) bool { return c < 'A' || c > 'Z' }) {
		method = quote(method)
	}
	query := url.Values{}
	maps.Copy(query, r.Query) // which can be nil
	authorized := r.Header.Get("Authorization") != "" || query.Has("auth_token")
	query.Del("auth_token")
	address := base + r.Path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	parts := []string{"curl -g " + quote(address)}
	switch {
	case r.Method == http.MethodHead:
		parts[0] = "curl -g --head " + quote(address)
	case r.Method != http.MethodGet:
		parts[0] = "curl -g -X " + method + " " + quote(address)
	}
	for _, name := range []string{"Accept", "Content-Type"} {
		if value := r.Header.Get(name); value != "" {
			parts = append(parts, "-H "+quote(name+": "+value))
		}
	}
	if authorized {
		parts = append(parts, `-H "Authorization: Bearer $TOKEN"`)
	}
	switch {
	case len(r.Body) == 0:
	case isText(r.Body) && len(r.Body) <= maxBodyPart:
		parts = append(parts, "--data-raw "+quote(string(r.Body)))
	default: // it is long, or no shell takes it
		parts = append(parts, "--data-binary @body")
	}
	return strings.Join(parts, " \\\n  ")
}

// fillTickets sets a page of tickets, which the API selects.
func (p page) fillTickets(v *view, r *http.Request) {
	v.fillFilters(p.desk)
	query := url.Values{"per_page": {strconv.Itoa(pageLength)}, "page": v.Query["page"]}
	for _, f := range v.Filters {
		if f.Value != "" {
			query.Set(f.Name, f.Value)
			v.Filtered = true
		}
	}
	list := listTickets
	if query.Has("query") {
		list = searchTickets
	}
	s := p.desk
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := &call{Request: r, encoder: s.encoder(), now: s.now(), query: query, user: s.state.Users[s.state.Tokens[s.Token]]}
	c.quirks, c.dialect = noQuirks, DialectDocumented // which counts the fewest tickets
	if c.user == nil {
		c.user = new(user) // the state may have been replaced by one without admins
	}
	result := list(s, c)
	found, isList := result.body.(listJSON)
	if !isList {
		v.Problem = http.StatusText(result.status)
		if body, isError := result.body.(map[string]string); isError {
			v.Problem = body["error"]
		}
		return
	}
	state := reader{desk: s.state, now: s.now()}
	for _, t := range found.Tickets {
		v.Tickets = append(v.Tickets, state.ticket(s.state.Tickets[t.ID]))
	}
	v.Total, v.Newer = *found.Total, found.CurrentPage-1
	if found.CurrentPage < *found.TotalPages {
		v.Older = found.CurrentPage + 1
	}
}

// fillFilters sets the parameters that a list of tickets has.
func (v *view) fillFilters(s *Desk) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	state := s.state
	yes := []optionView{{"", "no"}, {"true", "yes"}}
	labels, teams := []optionView{{"", "any"}}, []optionView{{"", "any"}, {"none", "none"}, {"mine", "mine"}}
	for _, l := range state.Labels {
		labels = append(labels, optionView{l.Name, l.Name})
	}
	for _, t := range state.Teams {
		teams = append(teams, optionView{itoa(t.ID), t.Name})
	}
	users := []optionView{{"", "any"}, {"any", "assigned"}, {"none", "nobody"}, {"me", "me"}}
	for _, u := range agents(state) {
		users = append(users, optionView{itoa(u.ID), cmp.Or(u.Name, u.Email)})
	}
	v.Filters = []filterView{
		{Name: "query", Label: "Search", Hint: "subject, text, name, address"},
		{Name: "archived", Label: "Archived", Options: []optionView{{"", "no"}, {"true", "yes"}, {"any", "either"}}},
		{Name: "spam", Label: "With spam", Options: yes},
		{Name: "trash", Label: "With trash", Options: yes},
		{Name: "label", Label: "Label", Options: labels},
		{Name: "assigned_user", Label: "User", Options: users},
		{Name: "assigned_team", Label: "Team", Options: teams},
		{Name: "replies", Label: "Replies", Options: []optionView{{"", "any"}, {"true", "some"}, {"false", "none"}}},
		{Name: "max_replies", Label: "Most replies", Hint: "2"},
		{Name: "requester_emails", Label: "Requesters", Hint: "a@example.com, b@example.com"},
		{Name: "since", Label: "Since", Hint: "2026-03-01"},
		{Name: "until", Label: "Until", Hint: "2026-03-31"},
		{Name: "sort_by", Label: "Order", Options: []optionView{{"", "last activity"}, {"creation_time", "creation"}}},
	}
	for i := range v.Filters {
		v.Filters[i].Value = v.Query.Get(v.Filters[i].Name)
	}
}

// maxAgents is how many agents the page offers to select by.
const maxAgents = 100

// agents returns the agents by ID, as far as they are offered.
func agents(state *desk) []*user {
	var list []*user
	for _, u := range state.Users {
		if u.agent() {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b *user) int { return cmp.Compare(a.ID, b.ID) })
	return list[:min(len(list), maxAgents)]
}

// fillTicket sets the ticket of the query, if there is one, and what happened to it, oldest first.
func (p page) fillTicket(v *view) {
	n, _ := strconv.ParseInt(v.TicketID, 10, 64) // 0 is no ticket's ID
	id := supportbee.TicketID(n)
	t := p.desk.Ticket(id)
	if t == nil {
		return
	}
	v.Ticket = t
	if t.Submitter != nil && t.Submitter.ID != t.Requester.ID {
		v.Submitter = who(*t.Submitter)
	}
	first := p.message("ticket", t.Requester, t.CreatedAt, t.Content)
	first.CC, first.BCC = t.CC, t.BCC
	list, messages := []entryView{first}, map[string]entryView{}
	for _, reply := range p.desk.Replies(id) {
		e := p.message(fmt.Sprint("reply-", reply.ID), reply.Replier, reply.CreatedAt, reply.Content)
		e.CC, e.BCC = reply.CC, reply.BCC
		messages[fmt.Sprint("#replies/", reply.ID)] = e
	}
	for _, comment := range p.desk.Comments(id) {
		e := p.message(fmt.Sprint("comment-", comment.ID), comment.Commenter, comment.CreatedAt, comment.Content)
		e.Kind, e.Role = "comment", "agent, to agents only"
		messages[fmt.Sprint("#comments/", comment.ID)] = e
	}
	for i, entry := range p.desk.Audit(id) { // which has the order of what happened in a second
		if e, isMessage := messages[entry.URL]; isMessage {
			list = append(list, e)
			delete(messages, entry.URL)
		}
		e := entryView{ID: fmt.Sprint("audit-", i), Kind: "audit", At: entry.HappenedAt, Title: entry.Action}
		if entry.Actor != nil {
			e.Who = cmp.Or(entry.Actor.Name, entry.Actor.Email)
		}
		list = append(list, e)
	}
	for _, key := range slices.Sorted(maps.Keys(messages)) { // of a state without them in the audit trail
		list = append(list, messages[key])
	}
	list = append(list, p.webhooks(n)...)
	list = append(list, p.mails(id)...)
	slices.SortStableFunc(list, func(a, b entryView) int { return a.At.Truncate(time.Second).Compare(b.At.Truncate(time.Second)) })
	if draft := p.desk.Draft(id); draft != nil { // the last, since it is what may come next
		e := p.message("draft", *draft.LastSavedBy, draft.LastSavedAt, draft.Content)
		e.Kind, e.Role, e.CC, e.BCC = "draft", "agent, not sent", draft.CC, draft.BCC
		list = append(list, e)
	}
	v.Left = max(0, len(list)-maxEntries)
	v.Entries = list[v.Left:]
}

// message returns the entry of a message.
func (p page) message(id string, from supportbee.Person, at time.Time, content supportbee.Content) entryView {
	e := entryView{ID: id, Kind: "customer", Role: "customer", Who: who(from), At: at, Text: content.Text}
	if from.Agent {
		e.Kind, e.Role = "agent", "agent"
	}
	if content.HTML != content.Text && len(content.HTML) <= maxBody {
		e.HTML = template.HTMLAttr(`srcdoc="` + template.HTMLEscapeString(content.HTML) + `"`)
	}
	p.desk.mu.RLock()
	defer p.desk.mu.RUnlock()
	for _, a := range content.Attachments {
		f := fileView{Attachment: a}
		if file := p.desk.state.Attachments[int64(a.ID)]; file != nil {
			f.Size = len(file.Data)
		}
		e.Files = append(e.Files, f)
	}
	return e
}

// webhooks returns the last attempts to deliver an event of the ticket.
func (p page) webhooks(ticket int64) (list []entryView) {
	// Decoding each body would take long, and no text of a ticket can have such a part: its quotes
	// are escaped.
	mark := []byte(`"url":"` + p.desk.URL + "/tickets/" + itoa(ticket) + `"`)
	backward(p.desk.history, func(d Delivery, kept *entry) bool {
		if !bytes.Contains(d.Body, mark) {
			return true
		}
		e := entryView{ID: fmt.Sprint("webhook-", kept.number), Kind: "webhook", At: kept.at, Who: cmp.Or(d.URL, "a handler"), Text: bodyText(d.Body)}
		e.Title, e.Bad = fmt.Sprintf("%s: status %d", d.Action, d.Status), d.Status/100 != 2
		if d.Err != nil {
			e.Title = fmt.Sprintf("%s: %v", d.Action, d.Err)
		}
		list = append(list, e)
		return len(list) < maxWebhooks
	})
	slices.Reverse(list)
	return list
}

// mails returns the last mails about the ticket.
func (p page) mails(ticket supportbee.TicketID) (list []entryView) {
	backward(p.desk.history, func(m Mail, kept *entry) bool {
		if m.TicketID == ticket {
			list = append(list, entryView{
				ID: fmt.Sprint("mail-", kept.number), Kind: "mail", At: m.Time, Who: m.To, Title: fmt.Sprintf("%s (%s)", m.Subject, m.Reason), Text: m.Text,
			})
		}
		return len(list) < maxMails
	})
	slices.Reverse(list)
	return list
}
